"""Elements as they are encoded: whether what is kept undecoded is what its VR says, and can be read at all.

A value that is kept because its VR cannot identify anybody must have that VR: a name may be sent as a number.
Sequences that were sent as UN are read (PS3.5 6.2.2), however long.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from io import BytesIO

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence

from isocenter.deid.plan import vr_of
from isocenter.dicom import charset

Element = DataElement | RawDataElement

CHARACTERS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose text depends on Specific Character Set."""
_TEXT = CHARACTERS | {"AE", "AS", "CS", "UR", "DA", "DT", "TM"}
_FORMS = {
    "DS": re.compile(r"[-+0-9.eE \\\0]*"),
    "IS": re.compile(r"[-+0-9 \\\0]*"),
    "UI": re.compile(r"[0-9.\\ \0]*"),
    "DA": re.compile(r"[0-9.\\ \0]*"),
    "TM": re.compile(r"[0-9.:\\ \0]*"),
    "DT": re.compile(r"[-+0-9.\\ \0]*"),
}
_CHARSET = 0x00080005
_TERMS = {codec: term for term, codec in reversed(python_encoding.items())}
"""pydicom's names of codecs, and the defined terms they stand for."""


class Fault(Enum):
    """What is wrong with an element that is to be kept as it is."""

    NONE = auto()
    TEXT = auto()
    """It is text, and has to be searched."""
    SEQUENCE = auto()
    """It is a sequence, and nothing tells what its items are."""
    VALUE = auto()
    """Its value is none of its VR."""


def fault(element: Element) -> Fault:
    """Whether an element may be kept without a look at its value."""
    told, known = element.VR, vr_of(int(element.tag))
    if told == "SQ" and known != "SQ":
        return Fault.SEQUENCE
    form = _FORMS.get(known or told or "")
    if form is not None:
        return Fault.NONE if form.fullmatch(_text(element)) else Fault.VALUE
    if told in _TEXT and told != known:
        return Fault.VALUE if known else Fault.TEXT
    return Fault.NONE


def _text(element: Element) -> str:
    value = element.value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if value is None or isinstance(value, (str, int, float)):
        return str(value if value is not None else "")
    return "\\".join(map(str, value)) if hasattr(value, "__iter__") else str(value)


def is_plain(value: bytes) -> bool:
    """Whether text is ASCII, without an escape sequence."""
    return value.isascii() and b"\x1b" not in value


def require_readable(source: Dataset, value: bytes, vr: str) -> None:
    """Text beyond ASCII can be read by the character set that is named.

    Raises:
        ValueError: none is named, none that is known, or one that does not hold it.
    """
    element = source.get_item(_CHARSET) if _CHARSET in source else None
    terms = _text(element) if element is not None else "\\".join(_named(source))
    problems: list[str] = []
    characters = charset.parse(terms)
    characters.decode(value, problems.append, vr)
    if characters.problems or problems:
        raise ValueError


def _named(source: Dataset) -> list[str]:
    """Terms of the codecs that an item has from what it lies in."""
    codecs = source.original_character_set or []
    names = [codecs] if isinstance(codecs, str) else list(codecs)
    return [_TERMS.get(name, "") for name in names]


def sequence_of(source: Dataset, element: RawDataElement) -> DataElement | None:
    """The sequence that was sent as UN, of implicit VR little endian; None when it is none."""
    if element.VR != "UN" or vr_of(int(element.tag)) != "SQ" or not isinstance(element.value, bytes):
        return None
    stream = BytesIO(element.value)
    items = read_sequence(stream, True, True, len(element.value), source.original_character_set or "iso8859")
    return DataElement(element.tag, "SQ", items)
