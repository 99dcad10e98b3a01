"""A predicate tree as a condition in SQL, for one level of one root.

The meaning is that of `isocenter.dicom.predicate`, with two rules for levels: a patient, study or series
satisfies what is asked about attributes below it when some one series or instance below does; and it answers
to every value its instances told, shown or not.  Whatever a caller wrote is a parameter, never text of a
statement.

Not here: which columns are selected, order and limits (`reader`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from isocenter.dicom.attributes import COMPUTED
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import (
    And,
    DateTimeRange,
    Equal,
    Everything,
    Exists,
    IsNull,
    Like,
    Not,
    OneOf,
    Or,
    Path,
    Predicate,
    Range,
)
from isocenter.errors import InvalidQuery
from isocenter.index.columns import BY_NAME, Column
from isocenter.index.comparisons import Fragment, Unsupported, compare, moments, same_uid
from isocenter.index.database import Dialect, quoted

ALIAS = {Level.PATIENT: "p", Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
JOIN = {
    Level.STUDY: (
        "study s ON s.patient_key = p.patient_key AND s.patient_identity = p.identity AND s.v1 IS NULL"
    ),
    Level.SERIES: "series e ON e.study_key = s.study_key AND e.v1 IS NULL",
    Level.INSTANCE: (
        "instance i ON i.study_key = e.study_key AND i.series_key = e.series_key AND i.v1 IS NULL"
    ),
}
"""How a level hangs below the one above it."""

_COUNTS = {
    "NumberOfPatientRelatedStudies": (Level.PATIENT, "studies"),
    "NumberOfPatientRelatedSeries": (Level.PATIENT, "series"),
    "NumberOfPatientRelatedInstances": (Level.PATIENT, "instances"),
    "NumberOfStudyRelatedSeries": (Level.STUDY, "series"),
    "NumberOfStudyRelatedInstances": (Level.STUDY, "instances"),
    "NumberOfSeriesRelatedInstances": (Level.SERIES, "instances"),
}
_OWN_NUMBERS = {
    "_seq": "seq",
    "_size": "size",
    "_received": "received",
    "_data_set_offset": "data_set_offset",
}
_OWN_TEXTS = {
    "_object": "object",
    "_sha256": "sha256",
    "_file_sha256": "file_sha256",
    "_source_aet": "source_aet",
    "_called_aet": "called_aet",
    "_transfer_syntax": "transfer_syntax",
}
OWN: dict[str, str] = _OWN_NUMBERS | _OWN_TEXTS
"""Columns of ours at the instance level, and what they are called in the table."""

_SOURCES: dict[str, tuple[Column, Level, str]] = {}
for _name, (_level, _sql) in _COUNTS.items():
    _SOURCES[_name] = (Column(_name, _level, "integer", False, _sql, ""), _level, _sql)
for _name in ("ModalitiesInStudy", "SOPClassesInStudy"):
    _SOURCES[_name] = (Column(_name, Level.STUDY, "text", True, _name, ""), Level.STUDY, _name)
for _name, _sql in OWN.items():
    _shape = "integer" if _name in _OWN_NUMBERS else "text"
    _SOURCES[_name] = (Column(_name, Level.INSTANCE, _shape, False, _sql, ""), Level.INSTANCE, _sql)  # type: ignore[arg-type]
COMPUTED_COLUMNS: dict[str, Column] = {name: source[0] for name, source in _SOURCES.items()}
assert {name for names in COMPUTED.values() for name in names} <= COMPUTED_COLUMNS.keys()

_LINKS = {
    Level.PATIENT: ("p.patient_key, p.identity", "s.patient_key, s.patient_identity"),
    Level.STUDY: ("s.study_key", "e.study_key"),
    Level.SERIES: ("e.study_key, e.series_key", "i.study_key, i.series_key"),
}
"""Which columns of a row, and of the rows one level below, say that they belong together."""

_PATIENT_OF_STUDY = "p.patient_key = s.patient_key AND p.identity = s.patient_identity AND p.v1 IS NULL"
_UNIQUE = {"StudyInstanceUID": "study_key", "SeriesInstanceUID": "series_key", "SOPInstanceUID": "sop_key"}


def column_of(path: Path) -> Column:
    """The column that answers for a path. Raises Unsupported when the index holds none."""
    name = ".".join(path)
    column = BY_NAME.get(name) or COMPUTED_COLUMNS.get(name)
    if column is None:
        raise Unsupported(f"The index does not hold {name}")
    return column


def lowest_level(predicate: Predicate) -> Level | None:
    """The lowest level whose attributes a tree asks about; None when it asks about none.

    Raises Unsupported for attributes that the index does not hold.
    """
    levels = [column.level for column in _columns(predicate)]
    return max(levels, key=list(Level).index) if levels else None


def _columns(predicate: Predicate) -> Iterator[Column]:
    match predicate:
        case And(terms) | Or(terms):
            for term in terms:
                yield from _columns(term)
        case Not(term):
            yield from _columns(term)
        case Exists():
            yield from _columns(flattened(predicate))
        case DateTimeRange(date_path, time_path):
            yield from (column_of(date_path), column_of(time_path))
        case Equal(path) | OneOf(path) | Like(path) | Range(path) | IsNull(path):
            yield column_of(path)


def flattened(wanted: Exists) -> Predicate:
    """A condition on one attribute inside items is one on the values of all items.

    Several conditions on one item need the items themselves: Unsupported.
    """
    path, term = wanted.path, wanted.term
    match term:
        case Equal(inner) | OneOf(inner) | Like(inner):
            changed: dict[str, Any] = {name: getattr(term, name) for name in term.__dataclass_fields__}
            return type(term)(**changed | {"path": path + inner})
        case Or(terms):
            return Or(tuple(flattened(Exists(path, one)) for one in terms))
        case Exists(inner, deeper):
            return flattened(Exists(path + inner, deeper))
    raise Unsupported(f"The index cannot ask this about one item of {'.'.join(path)}")


@dataclass(slots=True)
class Conditions:
    """Builds conditions for queries whose rows are objects of `root`.

    `disagrees(level, keyword)` says whether any visible object of a level has values of an attribute that
    it does not show; where none has, the condition need not look for them.
    """

    root: Level
    dialect: Dialect
    disagrees: Callable[[Level, str], bool]
    params: list[Any] = field(default_factory=list)

    def of(self, predicate: Predicate) -> str:
        """The condition on rows of the root; its parameters are appended to `params`."""
        terms = predicate.terms if isinstance(predicate, And) else (predicate,)
        below = [term for term in terms if self._is_below(lowest_level(term) or self.root)]
        here = [term for term in terms if term not in below]
        parts = [self._term(term) for term in here]
        if below:
            narrowed = any(not isinstance(term, Everything) for term in here)
            parts.append(self._below(And(tuple(below)), narrowed))
        return " AND ".join(parts) or "1 = 1"

    def _is_below(self, level: Level) -> bool:
        order = list(Level)
        return order.index(level) > order.index(self.root)

    def _below(self, predicate: And, narrowed: bool) -> str:
        """Some one object at the deepest level asked about satisfies all of it.

        Either the few rows below are found first and lead to the rows above, or each row above (few already,
        when other conditions have `narrowed` them) looks below itself.
        """
        deepest = lowest_level(predicate)
        assert deepest is not None
        order = list(Level)
        levels = order[order.index(self.root) + 1 : order.index(deepest) + 1]
        first = JOIN[levels[0]].partition(" ON ")
        alone = all(self._is_below(column.level) for column in _columns(predicate))
        from_below = deepest is not Level.INSTANCE and not narrowed
        if alone and (from_below or _names_one(predicate)):
            joins = "".join(f" JOIN {JOIN[level]}" for level in levels[1:])
            outer, inner = _LINKS[self.root]
            return (
                f"({outer}) IN (SELECT {inner} FROM {first[0]}{joins}"
                f" WHERE {ALIAS[levels[0]]}.v1 IS NULL AND {self._term(predicate)})"
            )
        # SQLite takes CROSS JOIN as the order of loops: from the row above downwards, by the keys.
        join = "CROSS JOIN" if self.dialect == "sqlite" else "JOIN"
        joins = "".join(f" {join} {JOIN[level]}" for level in levels[1:])
        return f"EXISTS (SELECT 1 FROM {first[0]}{joins} WHERE {first[2]} AND {self._term(predicate)})"

    # -- terms -----------------------------------------------------------------------------------------

    def _term(self, predicate: Predicate) -> str:
        match predicate:
            case Everything():
                return "1 = 1"
            case And(terms):
                return _balanced("AND", [self._term(term) for term in terms]) if terms else "1 = 1"
            case Or(terms):
                return _balanced("OR", [self._term(term) for term in terms]) if terms else "1 = 0"
            case Not(term):
                # Null counts as false in AND and OR anyway; only a complement has to be told so.
                return f"NOT COALESCE({self._term(term)}, 1 = 0)"
            case Exists():
                return self._term(flattened(predicate))
            case DateTimeRange():
                return self._moments(predicate)
            case Equal(path) | OneOf(path) | Like(path) | Range(path) | IsNull(path):
                return self._leaf(predicate, column_of(path))
        raise InvalidQuery(f"{type(predicate).__name__} is no predicate")

    def _alias(self, level: Level) -> str:
        if level is Level.PATIENT and self.root is not Level.PATIENT:
            return ALIAS[Level.STUDY]
        return ALIAS[level]

    def _take(self, fragment: Fragment) -> str:
        self.params += fragment.params
        return fragment.sql

    def _leaf(self, term: Predicate, column: Column) -> str:
        alias = self._alias(column.level)
        if column.name in _UNIQUE and isinstance(term, (Equal, OneOf)):
            values = (term.value,) if isinstance(term, Equal) else term.values
            key = f"{alias}.{_UNIQUE[column.name]}"
            return self._take(same_uid(self.dialect, key, f"{alias}.{quoted(column.sql)}", values))
        if column.name.startswith("NumberOfPatientRelated") and self.root is not Level.PATIENT:
            counted = self._take(compare(self.dialect, term, column, _Place("p", column)))
            return f"EXISTS (SELECT 1 FROM patient p WHERE {_PATIENT_OF_STUDY} AND {counted})"
        shown = self._take(compare(self.dialect, term, column, _Place(alias, column)))
        if isinstance(term, IsNull) or column.name not in BY_NAME or column.level is Level.INSTANCE:
            return shown
        level = Level.STUDY if alias == "s" else column.level
        if not self.disagrees(level, column.name):
            return shown
        return f"({shown} OR {self._untold(term, column, level, alias)})"

    def _untold(self, term: Predicate, column: Column, level: Level, alias: str) -> str:
        """It told this value too, though it shows another one."""
        owner = {
            Level.PATIENT: f"{alias}.patient_key",
            Level.STUDY: f"{alias}.study_key",
            Level.SERIES: f"({alias}.series_key, {alias}.study_key)",
        }[level]
        selected = "c.owner, c.owner_above" if level is Level.SERIES else "c.owner"
        self.params += [level.value, column.name]
        where = self._take(compare(self.dialect, term, column, _OtherPlace(column)))
        return (
            f"{owner} IN (SELECT {selected} FROM level_conflict c"
            f" WHERE c.level = ? AND c.keyword = ? AND c.v1 IS NULL AND {where})"
        )

    def _moments(self, term: DateTimeRange) -> str:
        date, time = column_of(term.date_path), column_of(term.time_path)
        if date.level is not time.level or date.shape != "date" or time.shape != "time":
            raise Unsupported(f"{date.name} and {time.name} are no date and time of one level")
        alias = self._alias(date.level)
        day, clock = (f"{alias}.{quoted(column.compared)}" for column in (date, time))
        return self._take(moments(day, clock, term.low, term.high))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the value that a row shows is."""

    alias: str
    column: Column

    @property
    def sent(self) -> str:
        return f"{self.alias}.{quoted(self.column.sql)}"

    @property
    def compared(self) -> str:
        return f"{self.alias}.{quoted(self.column.compared)}"


@dataclass(frozen=True, slots=True)
class _OtherPlace:
    """Where a value that a row does not show is."""

    column: Column

    @property
    def sent(self) -> str:
        return {"integer": "c.number", "text": "c.compared", "uid": "c.compared"}.get(
            self.column.shape, "c.value"
        )

    @property
    def compared(self) -> str:
        return "c.number" if self.column.shape in ("integer", "decimal", "age") else "c.compared"


def _balanced(operator: str, parts: Sequence[str]) -> str:
    """A chain as a tree of low depth: SQL parsers limit depth, not length."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_balanced(operator, parts[:half])} {operator} {_balanced(operator, parts[half:])})"


def _names_one(predicate: And) -> bool:
    """Whether some term names single series or instances by UID."""
    return any(
        isinstance(term, (Equal, OneOf)) and ".".join(term.path) in _UNIQUE for term in predicate.terms
    )
