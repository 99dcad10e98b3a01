"""Identifiers packed by hand: the data sets of C-FIND, C-MOVE and C-GET messages (PS3.7 9.1.2, PS3.5 7).

A :class:`Form` is made once for a query and packs each match from text in a few microseconds (pynetdicom
and pydicom: 600); the bytes are those of pydicom's writer, which a test proves. Text is Unicode; its
character set is chosen for each match by section 3 of the design: ASCII, else the request's, else the
peer's, else UTF-8.

Not here: reading identifiers (:mod:`isocenter.dicom.header`), objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from isocenter.dicom import charset, uids
from isocenter.dicom.attributes import lookup
from isocenter.errors import InvalidValue

_CHARACTER_SET = "SpecificCharacterSet"
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_NUMBERS = {
    "US": ("<H", int),
    "SS": ("<h", int),
    "UL": ("<L", int),
    "SL": ("<l", int),
    "UV": ("<Q", int),
    "SV": ("<q", int),
    "FL": ("<f", float),
    "FD": ("<d", float),
}
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SHORT = Struct("<H").pack
_LONG = Struct("<L").pack
_ITEM = b"\xfe\xff\x00\xe0"

Encode = Callable[[str, str], bytes]
"""Text and VR -> its bytes; UnicodeEncodeError or InvalidValue when there are none."""


@dataclass(frozen=True, slots=True)
class Key:
    """One requested key: a keyword, and for a sequence the keys asked for in its items."""

    name: str
    inside: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    tag: int
    vr: str
    head: bytes  # up to the length
    long: bool  # the length has four bytes
    pad: bytes
    empty: bytes  # the whole element without a value
    pack: Callable[[Any], bytes] | None  # for numbers
    inside: Form | None  # for sequences


class Form:
    """How the identifiers of one query are written: which elements, in which transfer syntax.

    Args:
        keys: in any order; each is written for every match, empty where there is no value.
        transfer_syntax: Implicit or Explicit VR Little Endian.
        character_sets: SpecificCharacterSet values to try after ASCII, terms joined by backslash: the
            request's, the peer's. ISO_IR 192 comes last by itself.
    """

    def __init__(
        self,
        keys: Iterable[Key | str],
        transfer_syntax: str,
        character_sets: Sequence[str | None] = (),
    ) -> None:
        self._explicit = transfer_syntax != uids.IMPLICIT_LITTLE_ENDIAN
        told = ("\\".join(charset.parse(terms).terms) for terms in character_sets)
        self._sets = [*filter(None, told), charset.UNICODE]
        made = (self._element(Key(key) if isinstance(key, str) else key) for key in keys)
        distinct = {element.tag: element for element in made if element.name != _CHARACTER_SET}
        self._plan = [distinct[tag] for tag in sorted(distinct)]
        self._set_element = self._element(Key(_CHARACTER_SET))

    def pack(self, values: Mapping[str, Any]) -> bytes:
        """The encoded identifier of one match.

        Args:
            values: name -> text (multiple values joined by backslash) or number; a sequence is a list of
                such mappings. Names that are not in the form are left out.
        """
        try:
            return b"".join(self._parts(values, _ascii))
        except UnicodeEncodeError:
            return self._packed_in_set(values)

    def _packed_in_set(self, values: Mapping[str, Any]) -> bytes:
        for terms in self._sets[:-1]:
            try:
                return self._with_set(terms, self._parts(values, _encoder(terms)))
            except InvalidValue:
                continue  # it does not hold every character: the next one
        return self._with_set(charset.UNICODE, self._parts(values, _encoder(charset.UNICODE)))

    def _with_set(self, terms: str, parts: list[bytes]) -> bytes:
        """SpecificCharacterSet in its place, after the few elements below it."""
        before = sum(element.tag < self._set_element.tag for element in self._plan)
        parts.insert(before, self._written(self._set_element, terms.encode("ascii")))
        return b"".join(parts)

    def _parts(self, values: Mapping[str, Any], encode: Encode) -> list[bytes]:
        """One part for each element of the plan."""
        parts = []
        get = values.get
        for element in self._plan:
            value = get(element.name)
            if value is None or value == "":
                parts.append(element.empty)
            elif element.inside is not None:
                parts.append(self._written(element, _items(element.inside, value, encode)))
            elif element.pack is not None:
                parts.append(self._written(element, element.pack(value)))
            else:
                raw = encode(value if type(value) is str else str(value), element.vr)
                size = len(raw)
                if size & 1:
                    raw += element.pad
                    size += 1
                if element.long:
                    parts.append(element.head + _LONG(size) + raw)
                elif size < 65536:
                    parts.append(element.head + _SHORT(size) + raw)
                else:
                    parts.append(self._written(element, raw))
        return parts

    def _written(self, element: _Element, raw: bytes) -> bytes:
        if len(raw) & 1:
            raw += element.pad
        if element.long:
            return element.head + _LONG(len(raw)) + raw
        if len(raw) > 0xFFFF:  # too long for its VR: as UN (PS3.5 6.2.2)
            return element.head[:4] + b"UN\0\0" + _LONG(len(raw)) + raw
        return element.head + _SHORT(len(raw)) + raw

    def _element(self, key: Key) -> _Element:
        attribute = lookup(key.name)
        vr = attribute.vr.split(" or ")[0]
        tag = _SHORT(attribute.tag >> 16) + _SHORT(attribute.tag & 0xFFFF)
        long = not self._explicit or vr in _LONG_VRS
        head = tag
        if self._explicit:
            head += vr.encode() + (b"\0\0" if long else b"")
        return _Element(
            name=key.name,
            tag=attribute.tag,
            vr=vr,
            head=head,
            long=long,
            pad=b"\0" if vr in ("UI", "OB", "UN") else b" ",
            empty=head + bytes(4 if long else 2),
            pack=_numbers(vr),
            inside=Form(key.inside, _syntax(self._explicit)) if vr == "SQ" else None,
        )


def _syntax(explicit: bool) -> str:
    return uids.EXPLICIT_LITTLE_ENDIAN if explicit else uids.IMPLICIT_LITTLE_ENDIAN


def _encoder(terms: str) -> Encode:
    return lambda text, vr: charset.encode(text, terms, vr=vr)


def _ascii(text: str, vr: str) -> bytes:
    return text.encode("ascii")


def _items(form: Form, items: Sequence[Mapping[str, Any]], encode: Encode) -> bytes:
    written = (b"".join(form._parts(item, encode)) for item in items)
    return b"".join(_ITEM + _LONG(len(item)) + item for item in written)


def _numbers(vr: str) -> Callable[[Any], bytes] | None:
    if vr in _NUMBERS:
        code, convert = _NUMBERS[vr]
        pack = Struct(code).pack
        return lambda value: b"".join(pack(convert(part)) for part in str(value).split("\\"))
    if vr == "AT":
        return lambda value: b"".join(_tag(part) for part in str(value).split("\\"))
    if vr in _BYTES:
        return lambda value: value if isinstance(value, bytes) else b""
    return None


def _tag(text: str) -> bytes:
    return _SHORT(int(text[:4], 16)) + _SHORT(int(text[4:], 16))
