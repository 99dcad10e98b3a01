"""The attributes that the index holds, from undecoded elements to text (`Header.index_keys`).

Not here: which attributes these are (`attributes.INDEX`), nor what their texts mean (`values`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct

from isocenter.dicom import charset
from isocenter.dicom._dictionary_table import KEYWORDS
from isocenter.dicom._elements import Element, Pick, Wanted
from isocenter.dicom._vr import BYTES
from isocenter.dicom.attributes import INDEX, path_of

NAMES = frozenset(
    {
        *(name for names in INDEX.values() for name in names),
        "SOPClassUID",
        "SOPInstanceUID",
        "SpecificCharacterSet",
        "TimezoneOffsetFromUTC",
    }
)

_CHARSET = KEYWORDS["SpecificCharacterSet"]
_PLAIN: dict[int, str] = {KEYWORDS[name]: name for name in NAMES if "." not in name}
_INNER: dict[int, list[tuple[str, tuple[int, ...]]]] = {}
for _name in sorted(NAMES):
    if "." in _name:
        _first, *_rest = (KEYWORDS[word] for word in path_of(_name))
        _INNER.setdefault(_first, []).append((_name, tuple(_rest)))

WANTED = Wanted({*_PLAIN, *_INNER})
"""The tags that the walk picks."""

Note = Callable[[str], None]

_NUMBERS = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d", "US or SS": "H",
}  # fmt: skip
_SIZES = {vr: Struct("<" + code).size for vr, code in _NUMBERS.items()}
_SIMPLE = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"})
_BETWEEN_TEXT = "\x1e"
_BETWEEN = _BETWEEN_TEXT.encode()
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})


def decode(picks: list[Pick], assume: str | None, note: Note) -> dict[str, str]:
    """The texts of the picked elements by name."""
    keys: dict[str, str] = {}
    names: list[str] = []
    values: list[bytes] = []
    others: list[Element] = []
    for pick in picks:
        tag, vr, value, _, _, _, big = pick
        if vr in _SIMPLE and value is not None and tag in _PLAIN and value.isascii():
            names.append(_PLAIN[tag])
            values.append(value)
        elif vr == "US" and value is not None and len(value) == 2 and tag in _PLAIN:
            keys[_PLAIN[tag]] = str(int.from_bytes(value, "big" if big else "little"))
        else:
            others.append(Element._make(pick))
    # Nearly all values are ASCII: one decoding for all of them costs a tenth of one for each.
    joined = _BETWEEN.join(values)
    if b"\x1b" in joined or joined.count(_BETWEEN) > max(len(values) - 1, 0):
        others = list(map(Element._make, picks))
    elif values:
        for name, text in zip(names, joined.decode("ascii").split(_BETWEEN_TEXT), strict=True):
            keys[name] = _trim(text) if "\\" in text else text.strip(" \0")
    if others:
        _decode_others(others, keys, assume, note)
    return keys


def _decode_others(others: list[Element], keys: dict[str, str], assume: str | None, note: Note) -> None:
    terms = keys.get("SpecificCharacterSet")
    told = next((e.value for e in others if e.tag == _CHARSET), terms.encode() if terms else None)
    characters = charset.of_bytes(told, assume, note)
    for element in others:
        name = _PLAIN.get(element.tag)
        if name is not None:
            text = text_of_value(element, characters, note)
            if text is not None:
                keys[name] = text
        elif element.items is not None:
            for inner, path in _INNER[element.tag]:
                texts = list(_inner(element.items, path, characters, note))
                if texts:
                    keys[inner] = "\\".join(texts)


def _trim(text: str) -> str:
    """Several values, each without the padding around it."""
    if " " not in text and "\0" not in text:
        return text
    return "\\".join([part.strip(" \0") for part in text.split("\\")])


def tags_of(name: str) -> tuple[int, ...]:
    """The tags that `text_of` needs of the top level."""
    return _CHARSET, KEYWORDS.get(path_of(name)[0], -1)


def text_of(elements: list[Element], name: str, note: Note) -> str | None:
    """The text of the element called `name`, which may be a dotted path."""
    path = tuple(KEYWORDS.get(word, -1) for word in path_of(name))
    texts = list(_inner([elements], path, charset.of_bytes(None, None, note), note))
    return "\\".join(texts) if texts else None


def _inner(
    items: list[list[Element]], path: tuple[int, ...], outer: charset.CharacterSet, note: Note
) -> Iterable[str]:
    """The texts at `path` in all items; an item may name a character set of its own."""
    for item in items:
        characters = outer
        for element in item:
            if element.tag == _CHARSET:
                characters = charset.of_bytes(element.value, outer.assume, note)
            elif element.tag != path[0]:
                continue
            elif len(path) > 1:
                yield from _inner(element.items or [], path[1:], characters, note)
            elif text := text_of_value(element, characters, note):
                yield text


def text_of_ascii(element: Element) -> str | None:
    """The text of a value whose VR is ASCII by the standard."""
    return text_of_value(element, charset.DEFAULT, charset.ignore)


def text_of_value(element: Element, characters: charset.CharacterSet, note: Note) -> str | None:
    """One value as DICOM text, trimmed; None of sequences, bytes and values over 1 KiB."""
    value, vr = element.value, element.vr
    if value is None or vr in BYTES:
        return None
    if vr in _NUMBERS or vr == "AT":
        return numbers_text(element)
    if value.isascii() and b"\x1b" not in value:
        text = value.decode("ascii")
    elif vr in charset.WITH_CHARSET:
        text = characters.decode(value, note, vr)
    else:
        text = value.decode("latin-1")
        note(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) has bytes beyond ASCII")
    if vr in _ONE_VALUE:
        return text.rstrip(" \0")
    return _trim(text) if "\\" in text else text.strip(" \0")


def numbers_text(element: Element) -> str:
    """Binary numbers in decimals, tags as eight hexadecimal digits."""
    value = element.value or b""
    order = ">" if element.big_endian else "<"
    if element.vr == "AT":
        count = len(value) // 4
        halves = Struct(f"{order}{2 * count}H").unpack_from(value)
        return "\\".join(f"{halves[i]:04X}{halves[i + 1]:04X}" for i in range(0, 2 * count, 2))
    count = len(value) // _SIZES[element.vr]
    return "\\".join(map(str, Struct(f"{order}{count}{_NUMBERS[element.vr]}").unpack_from(value)))
