"""Pictures and texts of stored objects (PS3.18 8.7.4): what a person looks at, made from one object.

`view` says how to look, `work` does it and is meant for a process pool; the rest are the steps of PS3.4 N.2:

::

    pixels        one decoded frame of a stored object
    grayscale     modality LUT, VOI LUT or window, polarity
    colour        palettes, colour spaces as RGB; `icc` for profiles
    overlays      bit planes of groups 60xx
    presentation  softcopy presentation states
    shutters      what is blacked out; `graphics` what a presentation state draws
    placing       crop, turn, flip, scale
    captions      annotation=patient,technique
    encoding      JPEG, PNG, GIF, MP4
    report        structured reports as HTML or plain text

numpy, Pillow and pydicom load with the steps, never with `view` or `work`: a server process only names the
work. Not here: who may look, what is accepted, and what is kept (`dicomweb`).
"""
