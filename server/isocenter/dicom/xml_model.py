"""The Native DICOM Model (PS3.19 A.1): DICOM JSON as XML, and XML as DICOM JSON.

An element of ours always has the namespace of PS3.19; both forms, with and without it, are read. A private
element is written as the model wants it: the creator beside it, its tag without the block number, so that the
tag is had back from the creator's element in the same item (a block is reserved where that is missing).
A character that XML 1.0 cannot hold (controls save tab and line breaks, lone surrogates) becomes U+FFFD.

Not here: DICOM JSON itself (`json_model`), bulk data. Document type definitions are refused, so that no
entity can expand or be fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from isocenter.dicom._dictionary_table import TAGS
from isocenter.dicom.json_model import Json, decimal_value, integer_value
from isocenter.errors import BadRequest

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_TAIL = "</NativeDicomModel>"

_ILLEGAL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TAG = re.compile(r"[0-9A-Fa-f]{8}").fullmatch
_VR = re.compile(r"[A-Z]{2}").fullmatch
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "SV", "UV"})
_DECIMALS = frozenset({"DS", "FL", "FD"})
_DEEPEST = 64
_MOST_VALUES = 10_000_000  # a number beyond it is no place in a list


class UnreadableXml(BadRequest):
    """It is not well-formed, or not the Native DICOM Model."""

    code = "unreadable-xml"


# -- writing -------------------------------------------------------------------------------------------


def to_xml(document: Mapping[str, Any]) -> bytes:
    """The Native DICOM Model of a data set in the DICOM JSON model, UTF-8 with its XML declaration."""
    pieces = [_HEAD]
    _write(document, pieces)
    pieces.append(_TAIL)
    return "".join(pieces).encode()


def _write(document: Mapping[str, Any], out: list[str]) -> None:
    creators = _creators(document)
    for key, element in document.items():
        tag, vr = int(key, 16), str(element["vr"])
        creator = creators.get((tag >> 16, tag >> 8 & 0xFF)) if tag >> 16 & 1 else None
        if creator is None:
            word = TAGS[tag][2] if tag in TAGS else ""
            naming = f' keyword="{word}"' if word else ""
        else:
            tag &= 0xFFFF00FF
            naming = f" privateCreator={quoteattr(_legal(creator))}"
        out.append(f'<DicomAttribute tag="{tag:08X}" vr="{vr}"{naming}')
        before = len(out)
        out.append(">")
        _write_value(vr, element, out)
        if len(out) == before + 1:
            out[before] = "/>"
        else:
            out.append("</DicomAttribute>")


def _creators(document: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    """Group and block number to private creator (PS3.5 7.8.1)."""
    found = {}
    for key, element in document.items():
        tag = int(key, 16)
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            text = str((element.get("Value") or ("",))[0] or "").strip()
            if text:
                found[tag >> 16, tag & 0xFF] = text
    return found


def _write_value(vr: str, element: Mapping[str, Any], out: list[str]) -> None:
    if "BulkDataURI" in element:
        out.append(f"<BulkData uri={quoteattr(_legal(str(element['BulkDataURI'])))}/>")
    elif "InlineBinary" in element:
        out.append(f"<InlineBinary>{_text(str(element['InlineBinary']))}</InlineBinary>")
    for number, value in enumerate(element.get("Value") or (), 1):
        if vr == "SQ":
            out.append(f'<Item number="{number}">')
            _write(value or {}, out)
            out.append("</Item>")
        elif value is None:
            continue
        elif vr == "PN":
            _write_name(number, value, out)
        else:
            out.append(f'<Value number="{number}">{_text(str(value))}</Value>')


def _write_name(number: int, value: Any, out: list[str]) -> None:
    groups = value if isinstance(value, Mapping) else dict(zip(_GROUPS, str(value).split("="), strict=False))
    told = "".join(_group(group, str(groups.get(group) or "")) for group in _GROUPS)
    if told:
        out.append(f'<PersonName number="{number}">{told}</PersonName>')


def _group(group: str, text: str) -> str:
    parts = zip(_COMPONENTS, text.split("^", len(_COMPONENTS) - 1), strict=False)
    told = "".join(f"<{name}>{_text(part)}</{name}>" for name, part in parts if part)
    return f"<{group}>{told}</{group}>" if told else ""


def _legal(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _ILLEGAL.sub("\ufffd", text)


def _text(text: str) -> str:
    """Character data; a carriage return is written as a reference, or a reader would make it a line feed."""
    text = _legal(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;") if "\r" in text else text


# -- reading -------------------------------------------------------------------------------------------


def from_xml(data: bytes) -> Json:
    """The data set that a Native DICOM Model holds, in the DICOM JSON model.

    Values come in the order of their `number`, with null where a number is left out.

    Raises:
        UnreadableXml: not well-formed, no NativeDicomModel, or a tag, VR or number that is none.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _no_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise UnreadableXml(f"This is no XML: {expat.ErrorString(error.code)}, line {error.lineno}") from None
    if reader.document is None:
        raise UnreadableXml("This is no NativeDicomModel (PS3.19 A.1)")
    return reader.document


def _no_doctype(*_: object) -> None:
    raise UnreadableXml("A document type definition is not read here")


class _Reader:
    """Handles the events of the parser: a stack of open data sets, elements and names."""

    def __init__(self) -> None:
        self.document: Json | None = None
        self._open: list[str] = []
        self._data_sets: list[Json] = []
        self._elements: list[dict[str, Any]] = []
        self._name: dict[str, dict[str, str]] = {}
        self._group = ""
        self._number = 0
        self._text: list[str] = []

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(" ")[2]
        if not self._open and name != "NativeDicomModel":
            raise UnreadableXml("This is no NativeDicomModel (PS3.19 A.1)")
        if name not in _INSIDE.get(self._open[-1] if self._open else "", ()):
            raise UnreadableXml(f"There is no {name[:40]} at this place of the Native DICOM Model")
        self._open.append(name)
        self._text = []
        if name == "NativeDicomModel":
            self._data_sets.append({})
        elif name == "DicomAttribute":
            self._begin(attributes)
        elif name == "BulkData":
            self._elements[-1]["BulkDataURI"] = attributes.get("uri") or attributes.get("uuid") or ""
        elif name in ("Item", "Value", "PersonName"):
            self._numbered(name, attributes)
        elif name in _GROUPS:
            self._group = name

    def _begin(self, attributes: dict[str, str]) -> None:
        tag, vr = attributes.get("tag", ""), attributes.get("vr", "")
        if not _TAG(tag) or not _VR(vr):
            raise UnreadableXml(f"A DicomAttribute has no tag or no VR: {tag[:20]!r} {vr[:20]!r}")
        if len(self._elements) >= _DEEPEST:
            raise UnreadableXml(f"Sequences nest deeper than {_DEEPEST}")
        key = _in_block(self._data_sets[-1], int(tag, 16), attributes.get("privateCreator", "").strip())
        element: dict[str, Any] = {"vr": vr}
        self._data_sets[-1][f"{key:08X}"] = element
        self._elements.append(element)

    def _numbered(self, name: str, attributes: dict[str, str]) -> None:
        values = self._elements[-1].setdefault("Value", [])
        told = attributes.get("number", "")
        place = int(told) if told.isascii() and told.isdecimal() and len(told) < 12 else 0
        if not 1 <= place <= min(_MOST_VALUES, len(values) + 65_536):
            raise UnreadableXml(f"The number of a {name} is 1 or more, not {told[:20]!r}")
        values.extend([None] * (place - len(values)))
        self._number = place
        if name == "Item":
            item: Json = {}
            values[place - 1] = item
            self._data_sets.append(item)
        elif name == "PersonName":
            self._name = {}

    def characters(self, text: str) -> None:
        self._text.append(text)

    def end(self, _qualified: str) -> None:
        name, text = self._open.pop(), "".join(self._text)
        if name == "DicomAttribute":
            self._elements.pop()
        elif name == "NativeDicomModel":
            self.document = _sorted(self._data_sets.pop())
        elif name == "Item":
            item = self._data_sets.pop()
            ordered = _sorted(item)
            item.clear()
            item.update(ordered)
        elif name == "InlineBinary":
            self._elements[-1]["InlineBinary"] = "".join(text.split())
        elif name == "Value":
            element = self._elements[-1]
            element["Value"][self._number - 1] = _value(element["vr"], text)
        elif name in _COMPONENTS:
            self._name.setdefault(self._group, {})[name] = text.strip()
        elif name == "PersonName":
            self._elements[-1]["Value"][self._number - 1] = dict(_names(self._name)) or None
        self._text = []


_INSIDE: dict[str, tuple[str, ...]] = {
    "": ("NativeDicomModel",),
    "NativeDicomModel": ("DicomAttribute",),
    "Item": ("DicomAttribute",),
    "DicomAttribute": ("Value", "Item", "PersonName", "BulkData", "InlineBinary"),
    "PersonName": _GROUPS,
    **dict.fromkeys(_GROUPS, _COMPONENTS),
}


def _names(groups: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for group in _GROUPS:
        parts = groups.get(group, {})
        text = "^".join(parts.get(component, "") for component in _COMPONENTS).rstrip("^")
        if text:
            yield group, text


def _value(vr: str, text: str) -> Any:
    if vr in _INTEGERS:
        return integer_value(text.strip())
    if vr in _DECIMALS:
        return decimal_value(text.strip())
    return text or None


def _in_block(document: Json, tag: int, creator: str) -> int:
    """The tag of a private element with the block number that its creator has in this data set.

    A tag that tells a block keeps it; a creator without a block gets the first that is free.
    """
    if not creator or not tag >> 16 & 1:
        return tag
    group, block = tag >> 16, tag >> 8 & 0xFF
    for number in (block,) if block >= 0x10 else range(0x10, 0x100):
        key = f"{group:04X}00{number:02X}"
        if key not in document and block < 0x10 and _owns(document, group, creator):
            continue
        owner = document.setdefault(key, {"vr": "LO", "Value": [creator]})
        if block >= 0x10 or str((owner.get("Value") or ("",))[0] or "").strip() == creator:
            return group << 16 | number << 8 | tag & 0xFF
    raise UnreadableXml(f"Group {group:04X} has no block left for private elements")


def _owns(document: Json, group: int, creator: str) -> bool:
    return any(at == group and owner == creator for (at, _), owner in _creators(document).items())


def _sorted(document: Json) -> Json:
    return dict(sorted(document.items()))
