"""Before and after of a de-identification, by attribute, for whoever looks it through before it leaves.

`look` tells what was done to one object, with values; `Review` counts distinct values over many. Both
identify: they stay with the originals. Not here: the report, which holds no value of an original (`report`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from isocenter.deid.encoded import CHARACTERS, is_plain
from isocenter.deid.outcome import Change, Finding
from isocenter.deid.plan import Do
from isocenter.deid.regions import Box, Mask
from isocenter.deid.report import written
from isocenter.deid.verify import Examined

MOST_SHOWN, MOST_COUNTED, MOST_ATTRIBUTES = 100, 100_000, 5_000
"""Distinct values of one attribute that are shown and counted, and attributes."""
LONGEST = 200
KEEP = "keep"
_INNER = frozenset({Do.ITEMS, Do.CONTENT})
"""Of a sequence, whose items are told themselves."""
_WORDS = {
    Do.UID: "new UID",
    Do.SHIFT: "shift",
    Do.BIRTH_DATE: "replace",
    Do.TIME: "clean",
    Do.KEEP: "clean",
    Do.AGE: "clean",
    Do.TEXT: "clean",
    Do.CLEAN: "clean",
    Do.COLOURS: "clean",
    Do.GRAPHIC_TEXT: "clean",
    Do.CONTENT_TEXT: "clean",
    Do.CONTENT_NAME: "clean",
    Do.CONTENT_DATE: "clean",
    Do.CONTENT_CODE: "clean",
    Do.CONTENT_MEASURED: "clean",
    Do.CONTENT_NUMBER: "clean",
}
_BYTES = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})
_PLAIN = CHARACTERS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}

Place = tuple[int, ...]
Element = DataElement | RawDataElement


class Pair(NamedTuple):
    """One element before and after; `after` None where it is gone."""

    place: Place
    action: str
    before: str
    after: str | None


class Seen(NamedTuple):
    """What is told of one object, with its values.

    Attributes:
        rows, columns: of its image, in pixels; 0 without one.
        pairs: elements that were changed.
        boxes: what is blacked out.
    """

    rows: int
    columns: int
    pairs: tuple[Pair, ...]
    boxes: tuple[Box, ...] = ()

    def blackened(self, mask: Mask) -> Seen:
        """The same, with what a mask covers."""
        return self._replace(boxes=covering(mask, self.rows, self.columns))


def look(source: Dataset, changes: Iterable[Change]) -> Seen:
    """What was done to an object, with values as text, the longest cut."""
    characters = source.original_character_set
    pairs = (
        Pair(change.path, _action(change), _text(change.before, characters), _after(change, characters))
        for change in changes
        if change.step.do not in _INNER
    )
    return Seen(_number(source, "Rows"), _number(source, "Columns"), tuple(dict.fromkeys(pairs)))


def covering(mask: Mask, rows: int, columns: int) -> tuple[Box, ...]:
    """What a mask blacks out, as boxes: its own, and strips around what it keeps."""
    if mask.keep is None:
        return mask.boxes
    edges = sorted({0, rows, *(y for box in mask.keep for y in (box.top, box.top + box.height))})
    made = list(mask.boxes)
    for top, bottom in pairwise(edges):
        at = 0
        across = [box for box in mask.keep if box.top <= top and bottom <= box.top + box.height]
        for box in sorted(across):
            if box.left > at:
                made.append(Box(at, top, box.left - at, bottom - top))
            at = max(at, box.left + box.width)
        if at < columns:
            made.append(Box(at, top, columns - at, bottom - top))
    return tuple(made)


@dataclass
class _Values:
    """Distinct values: how many objects have each of the first ones, and how many there are."""

    shown: Counter[str] = field(default_factory=Counter)
    known: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        if text in self.shown or len(self.shown) < MOST_SHOWN:
            self.shown[text] += 1
        if len(self.known) < MOST_COUNTED:
            self.known.add(hash(text))

    def to_json(self) -> list[dict[str, Any]]:
        return [{"value": text, "count": times} for text, times in self.shown.most_common()]


@dataclass
class _Attribute:
    actions: Counter[str] = field(default_factory=Counter)
    before: _Values = field(default_factory=_Values)
    after: _Values = field(default_factory=_Values)
    notes: Counter[str] = field(default_factory=Counter)

    def to_json(self, place: Place) -> dict[str, Any]:
        (action, _), *others = self.actions.most_common() or [(KEEP, 0)]
        notes = [f"{words} ({times})" for words, times in self.notes.most_common()]
        notes += [f"{name} in {times}" for name, times in others]
        return {
            "tag": ".".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in place),
            "name": written(place),
            "action": action,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "distinct": len(self.before.known),
            "note": "; ".join(notes),
            "flag": bool(self.notes),
        }


class Review:
    """What was done to many objects, by attribute."""

    def __init__(self) -> None:
        self._attributes: dict[Place, _Attribute] = {}

    def add(self, seen: Seen, findings: Iterable[Finding], examined: Examined | None = None) -> None:
        """Count one object: what was changed, the texts that stayed, and what was found where."""
        changed = set()
        for pair in seen.pairs:
            changed.add(pair.place)
            self._count(pair.place, pair.action, pair.before, pair.after)
        for place, text in dict.fromkeys(examined.values if examined else ()):
            if place not in changed:
                self._count(place, KEEP, text[:LONGEST], text[:LONGEST])
        for kind, place, words in {*findings, *(examined.findings if examined else ())}:
            attribute = self._attribute(place)
            if attribute is not None and place:
                attribute.notes[f"{kind}: {words}"] += 1

    def _count(self, place: Place, action: str, before: str, after: str | None) -> None:
        attribute = self._attribute(place)
        if attribute is not None:
            attribute.actions[action] += 1
            attribute.before.add(before)
            if after is not None:
                attribute.after.add(after)

    def _attribute(self, place: Place) -> _Attribute | None:
        if place not in self._attributes and len(self._attributes) >= MOST_ATTRIBUTES:
            return None
        return self._attributes.setdefault(place, _Attribute())

    def to_json(self) -> list[dict[str, Any]]:
        """The attributes in the order of their tags."""
        return [self._attributes[place].to_json(place) for place in sorted(self._attributes) if place]


def _action(change: Change) -> str:
    if change.after is None:
        return "remove"
    if _is_empty(change.after):
        return "empty"
    return _WORDS.get(change.step.do, "replace")


def _after(change: Change, characters: Any) -> str | None:
    return None if change.after is None else _text(change.after, characters)


def _is_empty(element: Element) -> bool:
    value = element.value
    return value is None or (isinstance(value, str | bytes | list) and not value)


def _text(element: Element | None, characters: Any) -> str:
    """A value for people: binary ones and sequences by their size, what cannot be decoded as Latin 1."""
    if element is None or _is_empty(element):
        return ""
    try:
        if isinstance(element, RawDataElement):
            raw = element.value or b""
            if element.VR in _PLAIN and is_plain(raw):
                return raw.decode("ascii").rstrip(" \0")[:LONGEST]
            element = convert_raw_data_element(element, encoding=characters)
        if element.VR == "SQ":
            return f"{len(element.value)} items"
        if element.VR in _BYTES:
            return f"{len(element.value)} bytes"
        value = element.value
        several = value if isinstance(value, MultiValue | list) else [value]
        return "\\".join(str(one) for one in several)[:LONGEST]
    except Exception:  # noqa: BLE001 (whatever a broken value makes a parser do)
        return bytes(element.value)[:LONGEST].decode("latin-1") if isinstance(element.value, bytes) else "?"


def _number(source: Dataset, keyword: str) -> int:
    try:
        return int(source.get(keyword, 0) or 0)
    except (TypeError, ValueError):
        return 0
