"""What instances say of their patient, study and series, and which of it is shown.

A level shows of each attribute the value told by its instance with the lowest sequence; blanks never win;
other values are kept.  Two texts of one value (`01` and `1` as IS) are no disagreement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.index.columns import COLUMNS, UPPER, Column, encode, plain

Told = tuple[str, ...]
"""The values of `UPPER` that an instance sent, in that order; empty where missing or blank."""

Other = tuple[str, str]
"""Keyword and text of a value that is not shown."""

SHOWN: dict[Level, tuple[Column, ...]] = {
    Level.PATIENT: COLUMNS[Level.PATIENT],
    Level.STUDY: (*COLUMNS[Level.PATIENT], *COLUMNS[Level.STUDY]),
    Level.SERIES: COLUMNS[Level.SERIES],
}
"""The attributes that a level shows a value of: a study has its own copy of its patient's, so that two
studies of one patient that disagree each show what was sent."""

PLACES: dict[str, int] = {column.name: place for place, column in enumerate(UPPER)}
OF_LEVEL: dict[Level, tuple[tuple[int, Column], ...]] = {
    level: tuple((PLACES[column.name], column) for column in columns) for level, columns in SHOWN.items()
}
_NAMES = tuple(PLACES)


def told_by(keys: Mapping[str, str]) -> Told:
    """What an instance says of its patient, study and series, without padding."""
    return _trimmed(tuple(map(keys.get, _NAMES)))


@lru_cache(maxsize=1024)
def _trimmed(raw: tuple[str | None, ...]) -> Told:
    """Instances of one series mostly say the same: the same tuple then stands for all of them."""
    return tuple([plain(text or "") for text in raw])


@lru_cache(maxsize=1024)
def to_text(told: Told) -> str:
    """What `upper_values.told` holds."""
    return json.dumps({n: t for n, t in zip(_NAMES, told, strict=True) if t}, ensure_ascii=False)


def from_text(text: str) -> Told:
    """The inverse of `to_text`; names this version does not know are left out."""
    said = json.loads(text)
    return tuple(said.get(name, "") for name in _NAMES)


def differs(column: Column, shown: Any, text: str) -> bool:
    """Whether a text says another value than the one shown in `column.sql`."""
    value = _value(column, text)
    return value is not None and value != _value(column, str(shown))


def _value(column: Column, text: str) -> Any:
    """What a text says, so that `2020.01.02` is `20200102`, and `01` is 1; names differ by case too."""
    sent, *compared = encode(column, text)
    return sent if column.shape == "name" or not compared or compared[0] is None else compared[0]


def winners(told: Iterable[Told], level: Level) -> tuple[dict[str, str], dict[Other, Column]]:
    """Which values a level shows and which it only keeps, of what was told in order of lowest sequence."""
    shown: dict[str, str] = {}
    values: dict[str, Any] = {}
    others: dict[Other, Column] = {}
    for one in told:
        for place, column in OF_LEVEL[level]:
            value = _value(column, one[place]) if one[place] else None
            if value is None:
                continue
            if column.name not in shown:
                shown[column.name], values[column.name] = one[place], value
            elif value != values[column.name]:
                others[column.name, one[place]] = column
    return shown, others
