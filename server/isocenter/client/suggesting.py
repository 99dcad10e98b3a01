"""What was probably meant by a name that is none: attributes of our objects, columns of an answer.

Not here: DICOM keywords (`isocenter.dicom.attributes` names the nearest).
"""

from __future__ import annotations

from collections.abc import Iterable

from isocenter.dicom.attributes import nearest


def no_attribute(thing: object, name: str, hint: str = "") -> AttributeError:
    """The error for an attribute that is not there, naming the nearest that is.

    Args:
        thing: whose.
        name: what was written.
        hint: in place of the nearest.
    """
    kind = type(thing).__name__
    if name.startswith("_"):  # what Python and Jupyter ask of every object; not worth a search
        return AttributeError(f"{kind!r} object has no attribute {name!r}")
    public = tuple(one for one in dir(thing) if not one.startswith("_"))
    told = hint or did_you_mean(name, public)
    return AttributeError(f"{kind!r} object has no attribute {name!r}{'; ' if told else ''}{told}")


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """A hint naming what was probably meant; empty when nothing is near."""
    near = nearest(name, tuple(among))
    return f"did you mean {' or '.join(near)}?" if near else ""
