"""A header in the DICOM JSON Model (PS3.18 Annex F).

Text is Unicode, so Specific Character Set becomes ISO_IR 192 (F.2.2) wherever the object names one or holds
text beyond ASCII. DS and IS are numbers when the number says exactly what the text says, and strings
otherwise; so are SV and UV beyond what every JSON reader holds (2^53), and numbers that are none. Bytes are
`InlineBinary` up to 1 KiB; larger values of any VR, and Pixel Data, are a `BulkDataURI`. Group lengths are
left out (they describe an encoding that is gone), private elements keep their tags.

Not here: reading the header (`header`), XML (PS3.19), File Meta Information.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from math import isfinite, isinf, isnan
from struct import Struct
from typing import Any

from isocenter.dicom import charset
from isocenter.dicom._dictionary_table import TAGS
from isocenter.dicom._elements import Element
from isocenter.dicom.header import Header

Json = dict[str, Any]
BulkUri = Callable[[Element], str]
Note = Callable[[str], None]

_CHARSET = 0x00080005
_UNICODE: Json = {"vr": "CS", "Value": [charset.UNICODE]}
_SAFE = 2**53

_TEXT_OF_TAG = {tag: f"{tag:08X}" for tag in TAGS}
_CODES = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4}
_ONE_NUMBER = {
    ("<>"[big], vr): Struct("<>"[big] + code).unpack for vr, code in _CODES.items() for big in (0, 1)
}
_WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_BYTES = frozenset({"OB", "UN", *_WORDS})
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})


def to_json(header: Header, *, bulk_uri: BulkUri | None = None, assume_charset: str | None = None) -> Json:
    """The DICOM JSON of one object: `GGGGEEEE` to `vr` and one of `Value`, `InlineBinary`, `BulkDataURI`.

    Args:
        header: of the object.
        bulk_uri: the URI of an element whose value is not included; by default `?offset=..&length=..` with
            the bytes in the file (in the inflated stream when deflated), without length for encapsulated
            Pixel Data; whoever answers a request makes it absolute.
        assume_charset: the character set of text beyond ASCII where the object names none.

    Raises:
        UnreadableHeader: beyond the limits of the header.
    """
    writer = _Writer(bulk_uri or placeholder, header.note)
    document = writer.data_set(header.tree(), charset.of_bytes(None, assume_charset))
    pixels = header.pixel_data
    if pixels is not None:
        length = -1 if pixels.length is None else pixels.length
        element = Element(pixels.tag, pixels.vr, None, pixels.offset, length)
        empty = length == 0
        key = _TEXT_OF_TAG[pixels.tag]
        document[key] = {"vr": pixels.vr} if empty else writer.bulk(element)
    if writer.beyond_ascii and "00080005" not in document:
        document = {"00080005": _UNICODE, **document}
    return document


def to_json_bytes(
    header: Header, *, bulk_uri: BulkUri | None = None, assume_charset: str | None = None
) -> bytes:
    """The DICOM JSON of one object as UTF-8, without white space; see `to_json`."""
    document = to_json(header, bulk_uri=bulk_uri, assume_charset=assume_charset)
    return _encode(document).encode("utf-8", "replace")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def placeholder(element: Element) -> str:
    """Where a value is, as a relative reference; a length of -1 is unknown."""
    if element.length < 0:
        return f"?offset={element.offset}"
    return f"?offset={element.offset}&length={element.length}"


class _Writer:
    """Makes JSON of the elements of one object."""

    def __init__(self, bulk_uri: BulkUri, note: Note) -> None:
        self.bulk_uri = bulk_uri
        self.note = note
        self.beyond_ascii = False

    def data_set(self, elements: Iterable[Element], characters: charset.CharacterSet) -> Json:
        """One data set or item; `characters` is the set of what it is in."""
        out: Json = {}
        for element in elements:
            tag, vr, value, _, length, items, big = element
            key = _TEXT_OF_TAG.get(tag) or f"{tag:08X}"
            if value:
                if vr in _TEXT:
                    if value.isascii() and b"\x1b" not in value:
                        text = value.decode("ascii")
                    else:
                        text = self.text(element, characters)
                    out[key] = {"vr": vr, "Value": found} if (found := _TEXT[vr](text)) else {"vr": vr}
                elif vr in _CODES and length == _WIDTHS[vr] and vr[0] != "F" and vr[1] != "V":
                    out[key] = {"vr": vr, "Value": list(_ONE_NUMBER["<>"[big], vr](value))}
                elif vr in _BYTES:
                    out[key] = _inline(vr, value, big)
                else:
                    out[key] = self.numbers(element)
                if tag == _CHARSET:
                    characters = charset.of_bytes(value, characters.assume, self.note)
                    out[key] = _UNICODE
            elif items is not None:
                found = [self.data_set(item, characters) for item in items]
                out[key] = {"vr": "SQ", "Value": found} if found else {"vr": "SQ"}
            elif value is None and length:
                out[key] = self.bulk(element)
            else:
                out[key] = {"vr": vr}
            if not tag & 0xFFFF:
                del out[key]
        return out

    def text(self, element: Element, characters: charset.CharacterSet) -> str:
        """The text of a value that is not plain ASCII."""
        value = element.value or b""
        if element.vr in charset.WITH_CHARSET:
            text = characters.decode(value, self.note, element.vr)
        else:
            # By the standard these are ASCII; what is not, is most likely in the set of the other text.
            text = characters.decode(value, self.note, "LO")
            self.note(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) has bytes beyond ASCII")
        self.beyond_ascii = self.beyond_ascii or not text.isascii()
        return text

    def bulk(self, element: Element) -> Json:
        """A value that is not included."""
        return {"vr": element.vr, "BulkDataURI": self.bulk_uri(element)}

    def numbers(self, element: Element) -> Json:
        """Binary numbers and tags; a value that is no whole number of them is told as bytes."""
        vr, value = element.vr, element.value or b""
        count, rest = divmod(len(value), _WIDTHS.get(vr, 1))
        if rest or vr not in _WIDTHS:
            self.note(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) does not fit its VR")
            return _inline("UN", value, False)
        order = ">" if element.big_endian else "<"
        if vr == "AT":
            halves = Struct(f"{order}{2 * count}H").unpack(value)
            return {"vr": vr, "Value": [f"{a:04X}{b:04X}" for a, b in zip(*[iter(halves)] * 2, strict=True)]}
        found: list[Any] = list(Struct(f"{order}{count}{_CODES[vr]}").unpack(value))
        if vr[0] == "F":
            found = [number if isfinite(number) else _not_finite(number) for number in found]
        elif vr[1] == "V":
            found = [number if -_SAFE < number < _SAFE else str(number) for number in found]
        return {"vr": vr, "Value": found}


def _inline(vr: str, value: bytes, big: bool) -> Json:
    """Bytes in base64, of little endian words (PS3.18 F.2.7)."""
    width = _WORDS.get(vr, 1)
    if big and width > 1 and len(value) % width == 0:
        value = b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))
    return {"vr": vr, "InlineBinary": b2a_base64(value, newline=False).decode("ascii")}


def _not_finite(number: float) -> str:
    """JSON has no numbers for these; the names are ECMAScript's."""
    if isnan(number):
        return "NaN"
    return "Infinity" if isinf(number) and number > 0 else "-Infinity"


def _strings(text: str) -> list[Any]:
    """Values between backslashes, without padding; an empty one among others is null (F.2.5)."""
    if "\\" not in text:
        text = text.strip(" \0")
        return [text] if text else []
    found = [part.strip(" \0") or None for part in text.split("\\")]
    return found if any(found) else []


def _one_string(text: str) -> list[Any]:
    text = text.rstrip(" \0")
    return [text] if text else []


def _decimals(text: str) -> list[Any]:
    if "\\" not in text:
        number = decimal_value(text.strip(" \0"))
        return [] if number is None else [number]
    found = [decimal_value(part.strip(" \0")) for part in text.split("\\")]
    return found if any(number is not None for number in found) else []


def decimal_value(text: str) -> float | int | str | None:
    """The number of a DS when it is exactly that; else its text; None of no text."""
    if text.isdecimal() and len(text) < 16:
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text or None
    # 15 digits always survive a double; Python also reads 1_0, inf and nan, which are no DS.
    if len(text) < 16 and "_" not in text and text[-1] <= "9" and "e" not in text and "E" not in text:
        return number
    try:
        exact = Decimal(text) == Decimal(repr(number)) and isfinite(number) and "_" not in text
    except InvalidOperation:
        exact = False
    return number if exact else text


def _integers(text: str) -> list[Any]:
    found = [integer_value(part.strip(" \0")) for part in text.split("\\")]
    return found if any(number is not None for number in found) else []


def integer_value(text: str) -> int | str | None:
    """The number of an IS when every JSON reader holds it; else its text; None of no text."""
    try:
        number = int(text)
    except ValueError:
        return text or None
    return number if "_" not in text and -_SAFE < number < _SAFE else text


def _names(text: str) -> list[Any]:
    found = [_name(part) for part in text.split("\\")]
    return found if any(found) else []


def _name(text: str) -> dict[str, str] | None:
    """A person's name by its component groups; empty ones are left out (F.2.2)."""
    if "=" not in text:
        text = text.strip(" \0")
        return {"Alphabetic": text} if text else None
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("=", 2), strict=False)
    return {group: part.strip(" \0") for group, part in groups if part.strip(" \0")} or None


_TEXT: dict[str, Callable[[str], list[Any]]] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI"), _strings),
    **dict.fromkeys(_ONE_VALUE, _one_string),
    "DS": _decimals,
    "IS": _integers,
    "PN": _names,
}
