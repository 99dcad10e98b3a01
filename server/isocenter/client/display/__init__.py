"""What objects of the client look like in a notebook: plain HTML in the colours of the Jupyter theme."""
