"""Which SQL columns hold which attribute, and how the text of a value becomes the values of its columns.

Every attribute of `isocenter.dicom.attributes.INDEX` has one column named like it (dots become `__`); what
cannot be compared as it was sent has a second one: folded names, normalised times, numbers of decimals.
Blank values are null.  Not here: the tables themselves (see `schema`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from isocenter.dicom import values
from isocenter.dicom.attributes import INDEX, lookup, path_of
from isocenter.dicom.levels import Level

Shape = Literal["text", "uid", "name", "integer", "decimal", "date", "time", "datetime", "age"]
Cell = str | int | float | None

_SUFFIX: dict[Shape, str] = {
    "name": "_folded",
    "date": "_sort",
    "time": "_sort",
    "datetime": "_sort",
    "decimal": "_number",
    "age": "_days",
}
_BIGGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Column:
    """The column (and its companion) of one attribute.

    `name` is the keyword or dotted path, `sql` its column, `companion` the column to compare by where that
    is another one, else empty; `multiple`: values joined by a backslash in one text.
    """

    name: str
    level: Level
    shape: Shape
    multiple: bool
    sql: str
    companion: str

    @property
    def sql_names(self) -> tuple[str, ...]:
        """Its columns in the table."""
        return (self.sql, self.companion) if self.companion else (self.sql,)

    @property
    def compared(self) -> str:
        """The column that ranges and order use."""
        return self.companion or self.sql


def _column(level: Level, name: str) -> Column:
    path = path_of(name)
    attribute = lookup(path[-1])
    kind = values.kind(attribute.vr)
    multiple = attribute.multiple or len(path) > 1
    shape: Shape = "text"
    if kind in ("uid", "name") or (not multiple and kind in ("date", "time", "datetime", "age")):
        shape = kind
    elif not multiple and kind == "number":
        shape = "integer" if attribute.vr not in ("DS", "FL", "FD") else "decimal"
    sql = name.replace(".", "__")
    return Column(name, level, shape, multiple, sql, sql + _SUFFIX[shape] if shape in _SUFFIX else "")


COLUMNS: dict[Level, tuple[Column, ...]] = {
    level: tuple(_column(level, name) for name in names) for level, names in INDEX.items()
}
BY_NAME: dict[str, Column] = {column.name: column for level in Level for column in COLUMNS[level]}

UPPER: tuple[Column, ...] = (*COLUMNS[Level.PATIENT], *COLUMNS[Level.STUDY], *COLUMNS[Level.SERIES])
"""The attributes above the instance, which instances of one series should agree on."""


def plain(text: str) -> str:
    """A text without padding and without what a database cannot hold: NUL, lone surrogates."""
    if "\0" in text or not text.isascii():
        text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return text.strip(" ")


def _text(text: str) -> Cell:
    if text.isascii() and "\0" not in text:
        return text.strip(" ") or None
    return plain(text) or None


@lru_cache(maxsize=65536)
def _texts(text: str) -> Cell:
    """Several values, each without the spaces around it."""
    return "\\".join(plain(one) for one in text.split("\\")).strip("\\") or None


@lru_cache(maxsize=65536)
def _integer(text: str) -> Cell:
    try:
        number = values.parse_integer(text)
    except (ValueError, OverflowError):
        return None
    return number if -_BIGGEST <= number <= _BIGGEST else None


@lru_cache(maxsize=65536)
def sortable_date(text: str) -> str | None:
    """A DA value as `YYYYMMDD`; None when it is no date."""
    try:
        return values.format_date(values.parse_date(text))
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def sortable_time(text: str) -> str | None:
    """A TM value as `HHMMSS.ffffff`, the first moment it covers; None when it is no time."""
    try:
        return clock(values.parse_time(text))
    except ValueError:
        return None


def clock(microseconds: int) -> str:
    """Microseconds since midnight as `HHMMSS.ffffff`."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{fraction:06d}"


@lru_cache(maxsize=65536)
def sortable_datetime(text: str) -> str | None:
    """A DT value as `YYYYMMDDHHMMSS.ffffff` of the wall clock as sent; None when it is no date-time."""
    try:
        return wall_clock(values.parse_datetime(text).low)
    except (ValueError, OverflowError):
        return None


def wall_clock(moment: datetime) -> str:
    """A moment as `YYYYMMDDHHMMSS.ffffff`; `strftime` does not pad years."""
    return f"{moment.year:04d}{moment:%m%d%H%M%S.%f}"


def _decimal(text: str) -> float | None:
    try:
        return values.parse_decimal(text)
    except ValueError:
        return None


def _age(text: str) -> float | None:
    try:
        return values.parse_age(text)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def folded_names(text: str) -> str:
    """All values of a PN attribute folded for search (see `values.fold_name`), joined by a backslash."""
    return "\\".join(values.fold_name(name) for name in text.split("\\"))


def _first(column: Column) -> Callable[[str], Cell]:
    if column.multiple:
        return _texts
    return _integer if column.shape == "integer" else _text


_SECOND: dict[Shape, Callable[[str], Cell]] = {
    "name": folded_names,
    "date": sortable_date,
    "time": sortable_time,
    "datetime": sortable_datetime,
    "decimal": _decimal,
    "age": _age,
}


def encode(column: Column, text: str | None) -> tuple[Cell, ...]:
    """The values of `column.sql_names` for the text of an attribute (None: missing)."""
    first = _first(column)(text) if text else None
    if not column.companion:
        return (first,)
    return (first, None if first is None else _SECOND[column.shape](str(first)))


INSTANCE_SQL = tuple(name for column in COLUMNS[Level.INSTANCE] for name in column.sql_names)


_BLANK_INSTANCE: tuple[Cell, ...] = (None,) * len(INSTANCE_SQL)
_INSTANCE_PLACES: tuple[tuple[str, int, Callable[[str], Cell], Callable[[Any], Cell] | None], ...] = tuple(
    (column.name, INSTANCE_SQL.index(column.sql), _first(column), _SECOND.get(column.shape))
    for column in COLUMNS[Level.INSTANCE]
)


def encode_instance(keys: Mapping[str, str]) -> list[Cell]:
    """The values of `INSTANCE_SQL` for one instance; the hot path, so without `encode`'s calls."""
    row: list[Cell] = list(_BLANK_INSTANCE)
    for name, at, first, second in _INSTANCE_PLACES:
        text = keys.get(name)
        if not text:
            continue
        value = row[at] = first(text)
        if second is not None and value is not None:
            row[at + 1] = second(value)
    return row


def encode_level(columns: tuple[Column, ...], keys: Mapping[str, str]) -> dict[str, Cell]:
    """SQL column to value for the attributes of a level."""
    row: dict[str, Cell] = {}
    for column in columns:
        row.update(zip(column.sql_names, encode(column, keys.get(column.name)), strict=True))
    return row
