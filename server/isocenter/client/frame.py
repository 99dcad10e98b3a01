"""`Frame`: a lazy table of studies, series or instances, and `SqlTable`, the answer to a SQL query.

A frame is a question, not its answer: `where`, `select`, `sort` and `head` give new frames and fetch nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from isocenter.client.columns import name_of
from isocenter.client.conditions import condition
from isocenter.client.contents import Contents
from isocenter.client.display.html import Preview
from isocenter.client.display.masking import masked_in_sql
from isocenter.client.table import Table
from isocenter.dicom.attributes import level_of
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate, attributes_of, to_json
from isocenter.dicom.wording import to_text
from isocenter.errors import InvalidQuery

if TYPE_CHECKING:
    from isocenter.client.transport import Response, Transport

EVERYTHING = Everything()
Order = tuple[str, Literal["asc", "desc"]]

_SHOWN = {
    Level.STUDY: (
        "PatientID",
        "PatientName",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "PatientID",
        "StudyDate",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "BodyPartExamined",
        "NumberOfSeriesRelatedInstances",
    ),
    Level.INSTANCE: (
        "PatientID",
        "StudyDate",
        "Modality",
        "SeriesNumber",
        "InstanceNumber",
        "SOPClassUID",
        "Rows",
        "Columns",
    ),
}
_PLURAL = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


@dataclass(frozen=True, repr=False)
class Frame(Table, Contents):
    """A lazy, immutable table at one level; made by `archive.studies`, `.series` and `.instances`.

    Attributes:
        level: what one row is.
        predicate: which rows.
        selected: their columns; None: those of the index.
        order: columns to sort by, with direction.
        limit: at most so many rows; None: all.
        offset: rows left out before the first.
        cohort: the frozen cohort (`name@version`) whose members are all that there is; None: no limit.
    """

    transport: Transport
    dataset: str
    level: Level
    predicate: Predicate = EVERYTHING
    selected: tuple[str, ...] | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    cohort: str | None = None

    @property
    def dataset_name(self) -> str:  # type: ignore[override]
        """Which dataset its rows are of."""
        return self.dataset

    def where(self, *conditions: object, **equals: object) -> Frame:
        """The rows that satisfy these conditions as well.

        Args:
            conditions: `isocenter.col` comparisons combined with `& | ~`, or query texts.
            equals: keyword to value; a list is any of them, None no value, `*` and `?` wild cards.

        Raises:
            UnknownAttribute: a name that PS3.6 does not know; the nearest is named.
            InvalidValue: a value that does not fit its attribute.
            InvalidQuery: a text that cannot be understood, or a condition on a frame that is already cut.
        """
        if self.limit is not None or self.offset:
            raise InvalidQuery("A frame that is cut cannot be narrowed", hint="call where before head")
        return replace(self, predicate=self.predicate & condition(conditions, equals))

    def select(self, *columns: object) -> Frame:
        """With these columns, named by text or `isocenter.col`; any attribute may be asked for."""
        names = [
            name for given in columns for name in (given if isinstance(given, (list, tuple)) else [given])
        ]
        if not names:
            raise InvalidQuery("select needs a column", hint='select("PatientID", "SliceThickness")')
        return replace(self, selected=tuple(dict.fromkeys(map(name_of, names))))

    def sort(self, *columns: object, descending: bool = False) -> Frame:
        """In this order; `isocenter.col.StudyDate.desc()` or `descending` puts the largest first."""
        return replace(self, order=tuple(_order(column, descending) for column in columns))

    def head(self, rows: int = 5) -> Frame:
        """The first rows."""
        if rows < 0:
            raise InvalidQuery("head takes a number of rows, from 0 up")
        return replace(self, limit=rows if self.limit is None else min(self.limit, rows))

    def skip(self, rows: int) -> Frame:
        """Without the first rows."""
        if rows < 0:
            raise InvalidQuery("skip takes a number of rows, from 0 up")
        left = None if self.limit is None else max(self.limit - rows, 0)
        return replace(self, offset=self.offset + rows, limit=left)

    def count(self) -> int:
        """How many rows there are; asks the server, fetches none of them."""
        told = int(self._count()["count"])
        left = max(told - self.offset, 0)
        return left if self.limit is None else min(left, self.limit)

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        raise TypeError("a frame is neither true nor false: ask frame.count() > 0")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def uids(self) -> list[str]:
        """The unique identifiers of the rows."""
        key = self.level.unique_key
        return [str(row[key]) for row in self.select(key).rows()]

    @property
    def columns(self) -> list[str]:
        """Names of the columns that may be asked for: those of the index and those in the catalog."""
        listed = self.transport.get("/api/tables/columns", dataset=self.dataset, level=self.level.value)
        return [str(column["name"]) for column in listed]

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns

    def __repr__(self) -> str:
        parts = [to_text(self.predicate)] if not isinstance(self.predicate, Everything) else []
        if self.order:
            parts.append("by " + ", ".join(f"{name} {way}" for name, way in self.order))
        if self.limit is not None or self.offset:
            parts.append(
                f"rows {self.offset + 1} to {'' if self.limit is None else self.offset + self.limit}"
            )
        of = f"cohort {self.cohort}" if self.cohort else repr(self.dataset)
        return f"<{_PLURAL[self.level]} of {of}{': ' if parts else ''}{'; '.join(parts)}>"

    # -- what Table needs

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/query` for the rows in a media type."""
        limits = [bound for bound in (self.limit, limit) if bound is not None]
        question = self.question() | {
            "columns": None if self.selected is None else list(self.selected),
            "limit": min(limits) if limits else None,
        }
        return self.transport.post("/api/tables/query", question, accept=accept)

    def question(self) -> dict[str, Any]:
        """Which rows it means, in the words of `/api/tables`."""
        return self._rows_asked() | {
            "order": [list(order) for order in self.order],
            "limit": self.limit,
            "offset": self.offset,
        }

    def _rows_asked(self) -> dict[str, Any]:
        rows = {"dataset": self.dataset, "level": self.level.value, "where": _where(self.predicate)}
        return rows if self.cohort is None else {**rows, "cohort": self.cohort}

    def preview(self, rows: int) -> Preview:
        """The first rows with the columns that tell most, and the counts."""
        shown = self if self.selected is not None else self.select(*self._shown())
        first = list(shown.rows(rows))
        told = self._count()
        left = max(int(told["count"]) - self.offset, 0)
        total = left if self.limit is None else min(left, self.limit)
        title = f"{total:,} {_PLURAL[self.level] if total != 1 else self.level.value}"
        return Preview(title=title, columns=shown.selected or (), rows=first, total=total, facts=told)

    def _shown(self) -> list[str]:
        asked = [
            name for name in sorted(attributes_of(self.predicate)) if level_of(name) is not Level.PATIENT
        ]
        return list(dict.fromkeys([*_SHOWN[self.level], *(n for n in asked if not n.endswith("Sequence"))]))

    def _count(self) -> dict[str, Any]:
        with self.transport.post("/api/tables/count", self._rows_asked()) as response:
            told = response.json()
        return dict(told)


def _where(predicate: Predicate) -> dict[str, Any] | None:
    return None if isinstance(predicate, Everything) else to_json(predicate)


def _order(column: object, descending: bool) -> Order:
    if isinstance(column, tuple):
        name, way = column
        if way not in ("asc", "desc"):
            raise InvalidQuery(f"A direction is 'asc' or 'desc', not {way!r}")
        return name_of(name), way
    return name_of(column), "desc" if descending else "asc"


@dataclass(frozen=True, repr=False)
class SqlTable(Table):
    """The answer to a SQL query over the catalog; made by `archive.sql`. Runs each time it is fetched."""

    transport: Transport
    dataset: str
    text: str

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/sql`; the whole answer, since SQL has its own LIMIT."""
        question = {"dataset": self.dataset, "sql": self.text}
        return self.transport.post("/api/tables/sql", question, accept=accept)

    def rows(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries; the stream is dropped after `limit` of them."""
        return islice(super().rows(), limit)

    def preview(self, rows: int) -> Preview:
        """The first rows; the rest is not fetched, so their number stays unknown."""
        lines = super().rows()
        first = list(islice(lines, rows + 1))
        close = getattr(lines, "close", None)
        if close is not None:
            close()
        columns = tuple(first[0]) if first else ()
        more = len(first) > rows
        title = f"first {rows} rows" if more else f"{len(first)} row{'s' if len(first) != 1 else ''}"
        masked = masked_in_sql(self.text, columns)
        return Preview(title=title, columns=columns, rows=first[:rows], masked=masked)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def __repr__(self) -> str:
        text = " ".join(self.text.split())
        return f"<SQL on {self.dataset!r}: {text if len(text) <= 80 else text[:79] + '…'}>"
