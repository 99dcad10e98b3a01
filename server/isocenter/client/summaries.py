"""Summaries of a frame, made where the data is: counts by value, histograms, and a description by column.

Lazy tables like the frame itself. Not here: the frame (`frame`), what a summary means (the server's
`/api/tables/group`, `histogram`, `describe`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from isocenter.client.columns import Column, name_of
from isocenter.client.display.cells import NOTHING, Preview, cell_text, time_text
from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.client.suggesting import did_you_mean
from isocenter.client.table import Table
from isocenter.dicom.attributes import find
from isocenter.errors import InvalidQuery, UnknownAttribute

if TYPE_CHECKING:
    import pandas

    from isocenter.client.frame import Frame
    from isocenter.client.transport import Response

Order = tuple[str, Literal["asc", "desc"]]
COUNT = "count"


@dataclass(frozen=True, repr=False)
class Counts(Table):
    """How many rows of a frame have each value of some columns: these, and `count`; made by `Frame.group_by`.

    Values of a list count one by one; rows without a value are counted as null. The most frequent come first.
    """

    frame: Frame[Any]
    by: tuple[str, ...]
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    def sort(self, *columns: object, descending: bool = False) -> Counts:
        """In this order: by `count`, or by one of the columns."""
        return replace(self, order=tuple(self._direction(column, descending) for column in columns))

    def head(self, rows: int = 5) -> Counts:
        """The first rows."""
        if rows < 0:
            raise InvalidQuery("head takes a number of rows, from 0 up")
        return replace(self, limit=rows if self.limit is None else min(self.limit, rows))

    def skip(self, rows: int) -> Counts:
        """Without the first rows."""
        if rows < 0:
            raise InvalidQuery("skip takes a number of rows, from 0 up")
        left = None if self.limit is None else max(self.limit - rows, 0)
        return replace(self, offset=self.offset + rows, limit=left)

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/group`."""
        limits = [bound for bound in (self.limit, limit) if bound is not None]
        asked = {
            "columns": list(self.by),
            "order": [list(one) for one in self.order],
            "limit": min(limits) if limits else None,
            "offset": self.offset,
        }
        return self.frame.summarise("group", asked, accept)

    def preview(self, rows: int) -> Preview:
        """The first of them; how many there are is told when they are few."""
        first = list(self.rows(rows + 1))
        more = len(first) > rows
        one = len(first) == 1
        noun = "value" if len(self.by) == 1 else "combination"
        noun = f"{noun}{'' if one else 's'}{f' of {self.by[0]}' if len(self.by) == 1 else ''}"
        title = f"first {rows} {noun}" if more else f"{len(first)} {noun}"
        shown = [self._with_nothing(row) for row in first[:rows]]
        return Preview(title, (*self.by, COUNT), shown, question=self._of(), bars=COUNT)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.by, COUNT]

    def __repr__(self) -> str:
        return f"<counts by {', '.join(self.by)} of {self._of()}>"

    def _with_nothing(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: NOTHING if value is None and not is_identifier(name) else value
            for name, value in row.items()
        }

    def _of(self) -> str:
        return repr(self.frame).strip("<>")

    def _direction(self, column: object, descending: bool) -> Order:
        name, way = column if isinstance(column, tuple) else (column, "desc" if descending else "asc")
        name = name.name if isinstance(name, Column) else str(name)
        if way not in ("asc", "desc"):
            raise InvalidQuery(f"A direction is 'asc' or 'desc', not {way!r}")
        if name not in (*self.by, COUNT):
            hint = did_you_mean(name, (*self.by, COUNT)) or f"one of {', '.join((*self.by, COUNT))}"
            raise UnknownAttribute(f"Counts cannot be sorted by {name!r}", hint=hint)
        return name, way


@dataclass(frozen=True, repr=False)
class Histogram(Table):
    """How many rows of a frame have a value in each interval: `low`, `high`, `count`; by `Frame.histogram`.

    An interval holds its lower bound and not its upper one, the last both. Whole numbers and dates have
    intervals of whole width, so there may be fewer than were asked for.
    """

    frame: Frame[Any]
    column: str
    bins: int = 20

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/histogram`; all of it, since it is short."""
        return self.frame.summarise("histogram", {"column": self.column, "bins": self.bins}, accept)

    def is_time(self, name: str) -> bool:
        """Whether the bounds are times of day."""
        return name in ("low", "high") and super().is_time(self.column)

    def preview(self, rows: int) -> Preview:
        """All of it."""
        bounds = ("low", "high")
        found = list(self.rows())
        if self.is_time("low"):
            found = [row | {name: time_text(row[name]) for name in bounds} for row in found]
        masked = frozenset(bounds) if is_identifier(self.column) else frozenset[str]()
        total = sum(row[COUNT] for row in found)
        title = f"{self.column}: {total:,} values in {len(found)} interval{'s' if len(found) != 1 else ''}"
        question = repr(self.frame).strip("<>")
        return Preview(title, (*bounds, COUNT), found, masked=masked, question=question, bars=COUNT)

    def __repr__(self) -> str:
        return f"<histogram of {self.column} of {repr(self.frame).strip('<>')}>"


_SHOWN = ("column", COUNT, "missing", "distinct", "common", "min", "q25", "median", "q75", "max", "mean")


@dataclass(frozen=True, repr=False)
class Description(Table):
    """What each column of a frame holds, a column a row; made by `Frame.describe`.

    `count` and `missing` are rows, `distinct` different values. Numbers have `mean`, `std`, `min`, `q25`,
    `median`, `q75` and `max`; dates, times and text `first` and `last` in order (ISO 8601); text also the
    most `common` value.
    """

    frame: Frame[Any]
    columns: tuple[str, ...] | None = None

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/describe`; all of it, since it is short."""
        asked = {"columns": None if self.columns is None else list(self.columns)}
        return self.frame.summarise("describe", asked, accept)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas data frame, indexed by the column's name."""
        return super().to_pandas().set_index("column")

    def preview(self, rows: int) -> Preview:
        """All columns that have a value; `min` and `max` are the first and last of what is no number."""
        found = list(self.rows())
        shown = [_shown(row) for row in found if row[COUNT]]
        empty = len(found) - len(shown)
        title = f"{len(shown)} column{'s' if len(shown) != 1 else ''}"
        title += f", {empty} more without a value" if empty else ""
        columns = [name for name in _SHOWN if any(row.get(name) not in (None, "") for row in shown)]
        question = repr(self.frame).strip("<>")
        return Preview(title, columns, shown, right=frozenset(_SHOWN[5:]), question=question)

    def __repr__(self) -> str:
        return f"<description of {repr(self.frame).strip('<>')}>"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    name = row["column"]
    shown = {key: row[key] for key in _SHOWN if key in row}
    attribute = find(name.rpartition(".")[2])
    if attribute is not None and attribute.vr == "UI":
        return shown  # the first and the last of them say nothing
    if shown["min"] is None:
        shown["min"], shown["max"] = (cell_text(name, row[key]) for key in ("first", "last"))
    elif name in ("_size", "size"):
        shown |= {key: cell_text(name, shown[key]) for key in _SHOWN[5:]}
    if is_identifier(name) and not options.show_identifiers:
        shown |= {key: MASK for key in _SHOWN[4:] if shown[key] not in (None, "")}
    return shown


def named(columns: tuple[object, ...]) -> tuple[str, ...]:
    """The checked names of columns given as text, `isocenter.col` or lists of these, each once."""
    given = [one for column in columns for one in (column if isinstance(column, (list, tuple)) else [column])]
    return tuple(dict.fromkeys(map(name_of, given)))
