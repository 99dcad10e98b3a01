"""`Frame`: a lazy table of patients, studies, series or instances.

A frame is a question, not its answer: `where`, `select`, `sort` and `head` give new frames and fetch nothing.
Not here: its summaries (`summaries`), SQL (`sql`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, cast, overload

from isocenter.client.columns import Column, name_of
from isocenter.client.conditions import condition
from isocenter.client.contents import Contents
from isocenter.client.display.asked import asked_text
from isocenter.client.display.cells import Preview
from isocenter.client.display.frames import PLURAL, SHOWN
from isocenter.client.suggesting import did_you_mean, no_attribute
from isocenter.client.summaries import Counts, Description, Histogram, named
from isocenter.client.table import Table
from isocenter.client.values import Values
from isocenter.dicom.attributes import COMPUTED, INDEX, find, is_own_column, level_of, nearest
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Everything, Predicate, attributes_of, to_json
from isocenter.errors import InvalidQuery, NotFound

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from isocenter.client.transport import Response, Transport

    Row = TypeVar("Row", default=Any, covariant=True)
else:
    from typing import TypeVar

    Row = TypeVar("Row", covariant=True)

EVERYTHING = Everything()
Order = tuple[str, Literal["asc", "desc"]]

_UID = re.compile(r"[0-9]+(\.[0-9]+)+").fullmatch
_HIDDEN = frozenset(
    {"cohort", "dataset", "dataset_name", "limit", "offset", "order", "predicate", "question", "selected"}
    | {"summarise"}
)


@dataclass(frozen=True, repr=False)
class Frame(Table, Contents, Generic[Row]):
    """A lazy, immutable table at one level; made by `archive.patients`, `.studies`, `.series`, `.instances`.

    `frame[0]` is its first patient, study, series or instance, as is each when a frame is iterated over;
    `frame[2:5]` is a frame; `frame["PatientID"]` a list of values, `frame["1.2.840…"]` the one of this UID.

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

    # -- building the question

    def where(self, *conditions: object, **equals: object) -> Self:
        """The rows that satisfy these conditions as well.

        Args:
            conditions: `isocenter.col` comparisons combined with `& | ~`, or query texts.
            equals: keyword to value; a list is any of them, None no value, `*` and `?` wild cards.

        Raises:
            UnknownAttribute: a name that PS3.6 does not know; the nearest is named.
            InvalidValue: a value that does not fit its attribute.
            InvalidQuery: a text that cannot be understood, or a condition on a frame that is already cut.
        """
        self._not_cut("narrowed", "where")
        return replace(self, predicate=self.predicate & condition(conditions, equals))

    def select(self, *columns: object) -> Self:
        """With these columns, named by text or `isocenter.col`; any attribute may be asked for."""
        names = named(columns)
        if not names:
            raise InvalidQuery("select needs a column", hint='select("PatientID", "SliceThickness")')
        return replace(self, selected=names)

    def sort(self, *columns: object, descending: bool = False) -> Self:
        """In this order; `isocenter.col.StudyDate.desc()` or `descending` puts the largest first."""
        return replace(self, order=tuple(_order(column, descending) for column in columns))

    def head(self, rows: int = 5) -> Self:
        """The first rows."""
        if rows < 0:
            raise InvalidQuery("head takes a number of rows, from 0 up")
        return replace(self, limit=rows if self.limit is None else min(self.limit, rows))

    def browse(self, **how: Any) -> Any:
        """Look through it: the cohort table of isocenter-jupyter when that is installed, else the frame.

        Args:
            how: for the table: `columns`, `facets`, `expression`, `height`.
        """
        from isocenter.client.display.shows import show_frame

        return show_frame(self, **how)

    def skip(self, rows: int) -> Self:
        """Without the first rows."""
        if rows < 0:
            raise InvalidQuery("skip takes a number of rows, from 0 up")
        left = None if self.limit is None else max(self.limit - rows, 0)
        return replace(self, offset=self.offset + rows, limit=left)

    # -- summaries, made by the server

    def count(self) -> int:
        """How many rows there are; asks the server, fetches none of them."""
        return self._left(int(self._totals(sizes=False)["count"]))

    def group_by(self, *columns: object) -> Counts:
        """How many rows have each value of a column, or each combination of several, as a lazy table.

        The most frequent come first; `.sort("Modality")` and `.head(10)` work on it, and `.to_pandas()`.
        Values of a list (`ImageType`) count one by one; rows without a value are counted too.
        """
        self._not_cut("counted by value", "group_by")
        names = named(columns)
        if not names:
            raise InvalidQuery("group_by needs a column", hint='group_by("Modality")')
        return Counts(self, names)

    def histogram(self, column: object, bins: int = 20) -> Histogram:
        """How many rows have a number, date or time in each of `bins` intervals, as a lazy table."""
        self._not_cut("counted in intervals", "histogram")
        if not 1 <= bins <= 1000:
            raise InvalidQuery("A histogram has 1 to 1000 bins")
        return Histogram(self, name_of(column), bins)

    def describe(self, *columns: object) -> Description:
        """What each column holds: how many values, how many different ones, and how they spread.

        Args:
            columns: which; those selected, or those of the index and of the conditions, when none is named.
        """
        self._not_cut("described", "describe")
        return Description(self, named(columns) or self.selected)

    # -- its rows

    def uids(self) -> list[str]:
        """The unique identifiers of the rows; of patients the PatientID."""
        key = self.level.unique_key
        return [str(row[key]) for row in self.select(key).rows()]

    @property
    def columns(self) -> list[str]:
        """Names of the columns that may be asked for: those of the index and those in the catalog."""
        listed = self.transport.get("/api/tables/columns", dataset=self.dataset, level=self.level.value)
        return [str(column["name"]) for column in listed]

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        raise TypeError("a frame is neither true nor false: ask frame.count() > 0")

    def __iter__(self) -> Iterator[Row]:
        return (self._resource(row) for row in self._whole().rows())

    def __contains__(self, thing: object) -> bool:
        uid = getattr(thing, "uid", thing)
        return isinstance(uid, str) and self._of_uid(uid).count() > 0

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice | list[str] | Predicate) -> Self: ...
    @overload
    def __getitem__(self, key: str | Column) -> Any: ...
    def __getitem__(self, key: object) -> Any:
        if isinstance(key, (str, Column)):
            return self._named(key)
        if isinstance(key, slice):
            return self._slice(key)
        if isinstance(key, list):
            return self.select(*key)
        if isinstance(key, Predicate):
            return self.where(key)
        return self._at(key)

    def _named(self, key: str | Column) -> Any:
        """The values of a column, or the resource of a UID (of a patient: the PatientID)."""
        is_uid = isinstance(key, str) and _UID(key) is not None
        if isinstance(key, str) and (is_uid or (self.level is Level.PATIENT and not _is_column(key))):
            found = next(iter(self._of_uid(key).head(1)), None)
            if found is None:
                raise NotFound(f"There is no {self.level} {key if is_uid else repr(key)} in {self!r}")
            return found
        name = name_of(key)
        return Values(name, (row[name] for row in self.select(name).rows()))

    def _at(self, key: object) -> Row:
        if not hasattr(key, "__index__"):
            hint = 'frame[0], frame[2:5], frame["PatientID"]'
            raise InvalidQuery(f"A frame has no {type(key).__name__} index", hint=hint)
        at = key.__index__()
        if at < 0:
            at += self.count()
        found = list(self._whole().skip(at).rows(1)) if at >= 0 else []
        if not found:
            raise IndexError(f"{self!r} has no row {key}: it has {self.count():,}")
        return self._resource(found[0])

    def _slice(self, key: slice) -> Self:
        if key.step not in (None, 1):
            raise InvalidQuery("A frame is sliced without step", hint="frame[2:5]")
        negative = any(bound is not None and bound < 0 for bound in (key.start, key.stop))
        start, stop = key.start or 0, key.stop
        if negative:
            start, stop, _ = key.indices(self.count())
        return self.skip(start) if stop is None else self.skip(start).head(max(stop - start, 0))

    def _of_uid(self, uid: str) -> Self:
        """The row with this identifier, if it is among those of this frame's conditions."""
        same = Equal((self.level.unique_key,), uid)
        return replace(self, predicate=self.predicate & same, limit=None, offset=0)

    def _whole(self) -> Self:
        """With the columns that a resource needs."""
        keys = [level.unique_key for level in self.level.and_above if level is not Level.PATIENT]
        if self.selected is not None:
            return self.select(list(self.selected), *keys, *_PATIENT_KEYS)
        if self.level is Level.PATIENT:  # the study tells apart those without PatientID
            names = [name for name in INDEX[Level.PATIENT] if "." not in name]
            return self.select(names, list(COMPUTED[Level.PATIENT]), "StudyInstanceUID")
        return self

    def _resource(self, row: dict[str, Any]) -> Row:
        from isocenter.client.resources import resource_of

        return cast("Row", resource_of(self.transport, self.level, row, self.dataset))

    def _not_cut(self, done: str, method: str) -> None:
        if self.limit is not None or self.offset:
            raise InvalidQuery(f"A frame that is cut cannot be {done}", hint=f"call {method} before head")

    # -- help while typing

    def _ipython_key_completions_(self) -> list[str]:
        from isocenter.client.known import known

        return known.columns(self) + known.uids(self, "")

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _HIDDEN]

    if not TYPE_CHECKING:  # a type checker says it better

        def __getattr__(self, name: str) -> Any:
            column = name if name[:1] != "_" and find(name) else next(iter(nearest(name)), "")
            own = did_you_mean(name, dir(self)) if name[:1] != "_" else ""
            raise no_attribute(self, name, "" if own or not column else f'a column is frame["{column}"]')

    def __repr__(self) -> str:
        parts = [asked_text(self.predicate)] if not isinstance(self.predicate, Everything) else []
        if self.order:
            parts.append("by " + ", ".join(f"{name} {way}" for name, way in self.order))
        if self.limit is not None or self.offset:
            parts.append(
                f"rows {self.offset + 1} to {'' if self.limit is None else self.offset + self.limit}"
            )
        of = f"cohort {self.cohort}" if self.cohort else repr(self.dataset)
        return f"<{PLURAL[self.level]} of {of}{': ' if parts else ''}{'; '.join(parts)}>"

    # -- what Table needs

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/query` for the rows in a media type."""
        limits = [bound for bound in (self.limit, limit) if bound is not None]
        asked = {
            "columns": None if self.selected is None else list(self.selected),
            "order": [list(order) for order in self.order],
            "limit": min(limits) if limits else None,
            "offset": self.offset,
        }
        return self.summarise("query", asked, accept)

    def summarise(self, what: str, asked: dict[str, Any], accept: str = "application/json") -> Response:
        """Ask a route of `/api/tables` about these rows."""
        return self.transport.post(f"/api/tables/{what}", self._rows_asked() | asked, accept=accept)

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
        """The first rows with the columns that tell most, the count, and their instances and size."""
        shown = self if self.selected is not None else self.select(*self._shown())
        first = list(shown.rows(rows))
        cut = self.limit is not None or self.offset > 0
        told = self._totals(sizes=not cut)
        total = self._left(int(told["count"]))
        if self.level is Level.INSTANCE:
            told.pop("instances", None)
        title = f"{total:,} {PLURAL[self.level] if total != 1 else self.level.value}"
        question = "" if isinstance(self.predicate, Everything) else asked_text(self.predicate)
        return Preview(title, shown.selected or (), first, total, told, question=question)

    def _shown(self) -> list[str]:
        asked = [
            name for name in sorted(attributes_of(self.predicate)) if level_of(name) is not Level.PATIENT
        ]
        return list(dict.fromkeys([*SHOWN[self.level], *(n for n in asked if not n.endswith("Sequence"))]))

    def _totals(self, *, sizes: bool) -> dict[str, Any]:
        with self.summarise("count", {"sizes": True} if sizes else {}) as response:
            return dict(response.json())

    def _left(self, count: int) -> int:
        left = max(count - self.offset, 0)
        return left if self.limit is None else min(left, self.limit)


_PATIENT_KEYS = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")


def _is_column(name: str) -> bool:
    return is_own_column(name) or "," in name or find(name.partition(".")[0]) is not None


def _where(predicate: Predicate) -> dict[str, Any] | None:
    return None if isinstance(predicate, Everything) else to_json(predicate)


def _order(column: object, descending: bool) -> Order:
    if isinstance(column, tuple):
        name, way = column
        if way not in ("asc", "desc"):
            raise InvalidQuery(f"A direction is 'asc' or 'desc', not {way!r}")
        return name_of(name), way
    return name_of(column), "desc" if descending else "asc"
