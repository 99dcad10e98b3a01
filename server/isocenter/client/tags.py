"""The header of an instance as rows to read, and the differences of two headers side by side.

Made of the DICOM JSON Model (PS3.18 Annex F), as WADO-RS metadata gives it. Identifiers are masked before a
row is made, unless they are asked for: a display has nothing left to hide. Not here: how rows are drawn.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from isocenter.client.display.html import Preview, bytes_text, table_html
from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.dicom.attributes import find
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest

Json = Mapping[str, Any]
Change = Literal["", "same", "added", "removed", "changed"]

_LENGTH = re.compile(r"[?&]length=(\d+)")
_LONGEST = 4000
_INLINE = 1024
_BYTES_SHOWN = 24
_NUMBERS = frozenset(
    {"AT", "DS", "FD", "FL", "IS", "OD", "OF", "OL", "OV", "SL", "SS", "SV", "UL", "US", "UV"}
)


@dataclass(frozen=True)
class TagRow:
    """An element, or an item of a sequence.

    Attributes:
        path: tags and item numbers from the top, `00081140/0/00081150`; unique among the rows.
        depth: how many sequences and items are above it.
        tag: `(0008,1150)`; empty for an item.
        name: keyword; of a private element its creator and number; of an item `Item 1`.
        vr: its value representation.
        value: text for people, masked where it identifies; empty where it is absent.
        other: the same of the second header; None when there is none.
        change: how the second differs; empty when there is none.
        inside: whether rows of greater depth belong to it.
        masked: whether values were masked.
    """

    path: str
    depth: int
    tag: str
    name: str
    vr: str
    value: str
    other: str | None = None
    change: Change = ""
    inside: bool = False
    masked: bool = False

    @property
    def said(self) -> str:
        """Value, or change of value, in one line of text."""
        value = self.value if len(self.value) <= 80 else self.value[:79] + "…"
        if self.other is None:
            return value
        return (
            f"{self.change}: {value or '(none)'} → {self.other[:80] or '(none)'}" if self.tag else self.change
        )

    def to_json(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def header_rows(first: Json, second: Json | None = None, *, show_identifiers: bool = False) -> list[TagRow]:
    """The rows of a header, or of two, in the order of tags; items and what they hold follow their sequence.

    Args:
        first: a data set in the DICOM JSON Model.
        second: another, to compare.
        show_identifiers: leave names, numbers and private values as they are.
    """
    return list(_Rows(show_identifiers, second is not None).of(first, second or {}, "", 0, False))


def header_of(source: Any) -> Json:
    """The data set in the DICOM JSON Model: of an instance, a pydicom data set, or itself.

    Raises:
        BadRequest: it is something else.
    """
    if isinstance(source, Mapping):
        return source
    if hasattr(source, "to_json_dict"):
        return dict(
            source.to_json_dict(
                bulk_data_threshold=_INLINE,
                bulk_data_element_handler=lambda element: f"?length={len(element.value or b'')}",
            )
        )
    if not is_instance(source):
        told = f"{type(source).__name__} is no instance"
        raise BadRequest(told, hint="give an instance of the archive, or a pydicom data set")
    return dict(source.transport.get(f"{source.path}/metadata")[0])


def is_instance(source: object) -> bool:
    """Whether it is an instance of an archive."""
    return hasattr(source, "transport") and getattr(source, "level", None) == Level.INSTANCE


class Tags:
    """The attributes of an instance, or what differs from another, as a table to read."""

    def __init__(self, instance: object, other: object = None) -> None:
        headers = [header_of(one) for one in (instance, other) if one is not None]
        rows = header_rows(headers[0], *headers[1:], show_identifiers=options.show_identifiers)
        self.rows = [row for row in rows if row.change != "same"]

    def __repr__(self) -> str:
        return "\n".join(
            f"{row.tag:12}{'  ' * row.depth}{row.name:34} {row.vr:3} {row.said}" for row in self.rows
        )

    def _repr_html_(self) -> str:
        names = ("tag", "name", "VR", "value")
        lines = [
            dict(zip(names, (row.tag, "\u2003" * row.depth + row.name, row.vr, row.said), strict=True))
            for row in self.rows
        ]
        hint = "pip install isocenter-jupyter to search and unfold"
        return table_html(Preview(f"{len(lines)} attributes; {hint}", names, lines, len(lines)))


def keyword_of(tag: str) -> str:
    """The keyword of `GGGGEEEE`; empty where PS3.6 has none."""
    found = find(tag)
    return found.keyword if found is not None else ""


class _Rows:
    def __init__(self, show: bool, two: bool) -> None:
        self._show, self._two = show, two

    def of(self, first: Json, second: Json, above: str, depth: int, hidden: bool) -> Iterator[TagRow]:
        left, right = _by_meaning(first), _by_meaning(second)
        merged = {**right, **left}
        for meaning in sorted(merged, key=lambda one: (merged[one][0], one)):
            tag = merged[meaning][0]
            one, other = left.get(meaning, ("", None))[1], right.get(meaning, ("", None))[1]
            yield from self._element(tag, meaning, one, other, f"{above}{tag}", depth, hidden)

    def _element(
        self,
        tag: str,
        meaning: str,
        one: Json | None,
        other: Json | None,
        path: str,
        depth: int,
        hidden: bool,
    ) -> Iterator[TagRow]:
        vr = str((one or other or {}).get("vr", ""))
        private = int(tag[3], 16) % 2 == 1
        name = meaning if private else keyword_of(tag)
        masked = hidden or (not self._show and _identifies(name, vr, private))
        items = [_items(side) for side in (one, other)]
        below = (
            list(self._items(items[0], items[1], path, depth + 1, masked and vr == "SQ"))
            if any(items)
            else []
        )
        texts = [_masked(_text(side), masked) for side in (one, other)]
        change = self._change(one, other, below)
        second = texts[1] if self._two else None
        shown = f"({tag[:4].lower()},{tag[4:].lower()})"
        told = masked and MASK in texts
        yield TagRow(path, depth, shown, name, vr, texts[0], second, change, bool(below), told)
        yield from below

    def _items(
        self, left: list[Json], right: list[Json], path: str, depth: int, hidden: bool
    ) -> Iterator[TagRow]:
        for number in range(max(len(left), len(right))):
            one, other = (side[number] if number < len(side) else None for side in (left, right))
            at = f"{path}/{number}"
            below = list(self.of(one or {}, other or {}, f"{at}/", depth + 1, hidden))
            change = self._change(one, other, below)
            second = "" if self._two else None
            yield TagRow(at, depth, "", f"Item {number + 1}", "", "", second, change, bool(below))
            yield from below

    def _change(self, one: Json | None, other: Json | None, below: list[TagRow]) -> Change:
        if not self._two:
            return ""
        if one is None or other is None:
            return "added" if one is None else "removed"
        if below:
            return "same" if all(row.change == "same" for row in below) else "changed"
        return "same" if _compared(one) == _compared(other) else "changed"


def _by_meaning(data_set: Json) -> dict[str, tuple[str, Json]]:
    """Elements by what they are: private ones by creator, since their block differs from file to file."""
    creators = {
        tag[:4] + tag[6:]: str((element.get("Value") or [""])[0])
        for tag, element in data_set.items()
        if int(tag[3], 16) % 2 and tag[4:6] == "00" and tag[6:] >= "10"
    }
    found = {}
    for tag, element in data_set.items():
        creator = creators.get(tag[:6]) if int(tag[3], 16) % 2 else None
        found[f"{creator} {tag[6:].lower()}" if creator else _plain(tag)] = (tag, element)
    return found


def _plain(tag: str) -> str:
    reserves = int(tag[3], 16) % 2 and tag[4:6] == "00"
    return f"Private Creator {tag[:4]} {tag[6:].lower()}" if reserves else tag


def _items(element: Json | None) -> list[Json]:
    if element is None or element.get("vr") != "SQ":
        return []
    return [item or {} for item in element.get("Value") or []]


def _identifies(name: str, vr: str, private: bool) -> bool:
    if private:
        return vr not in _NUMBERS and vr != "SQ" and not name.startswith("Private Creator")
    return vr == "PN" or (bool(name) and is_identifier(name))


def _compared(element: Json) -> object:
    """What two elements must share; of bulk data its length alone is known here."""
    uri = element.get("BulkDataURI")
    return (
        _LENGTH.findall(uri) if uri is not None else (element.get("Value") or [], element.get("InlineBinary"))
    )


def _masked(text: str, masked: bool) -> str:
    return MASK if masked and text else text


def _text(element: Json | None) -> str:
    if element is None:
        return ""
    if "BulkDataURI" in element:
        length = _LENGTH.search(str(element["BulkDataURI"]))
        return f"{bytes_text(int(length[1]))} of bulk data" if length else "bulk data"
    if "InlineBinary" in element:
        return _bytes_shown(b64decode(element["InlineBinary"] or ""))
    values = element.get("Value") or []
    if element.get("vr") == "SQ":
        return f"{len(values)} item{'' if len(values) == 1 else 's'}"
    return "\\".join(map(_one, values))[:_LONGEST]


def _one(value: object) -> str:
    if isinstance(value, Mapping):  # a person's name (PS3.18 F.2.2)
        groups = [str(value.get(name) or "") for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else repr(value)
    return "" if value is None else str(value)


def _bytes_shown(data: bytes) -> str:
    text = data.rstrip(b"\0 ")
    if text and all(32 <= byte < 127 for byte in text):
        return text.decode("ascii")
    more = " …" if len(data) > _BYTES_SHOWN else ""
    return f"{len(data)} bytes: {data[:_BYTES_SHOWN].hex(' ')}{more}" if data else ""
