"""Widgets: one Python class and one ES module each, over comms alone or same-origin HTTP.

`base` is what each is made of, `assembly` makes one ES module of several, `answering` answers the browser.
"""
