"""The SELECT statements of the reader: columns, joins, order and limits around a condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Predicate
from isocenter.errors import InvalidQuery, UnknownAttribute
from isocenter.index.columns import BY_NAME, COLUMNS
from isocenter.index.conditions import ALIAS, COMPUTED_COLUMNS, OWN, Conditions
from isocenter.index.database import Dialect, quoted

Order = tuple[str, Literal["asc", "desc"]]


class Query(NamedTuple):
    """A statement, its parameters, and the names of its columns."""

    sql: str
    params: list[Any]
    names: tuple[str, ...] = ()


_TABLE = {
    Level.PATIENT: "patient p",
    Level.STUDY: "study s",
    Level.SERIES: "series e",
    Level.INSTANCE: "instance i",
}
_OF_UPPER = {
    "_changed_seq": "changed_seq",
    "_received": "received",
    "_size": "size",
    "_first_seq": "first_seq",
}
_PATIENT_COUNTS = (
    "NumberOfPatientRelatedStudies",
    "NumberOfPatientRelatedSeries",
    "NumberOfPatientRelatedInstances",
)


@lru_cache(maxsize=16)
def selectable(level: Level) -> dict[str, str]:
    """Name to column for everything a query at a level can return."""
    found: dict[str, str] = {}
    for at in level.and_above:
        alias = "s" if at is Level.PATIENT and level is not Level.PATIENT else ALIAS[at]
        found |= {column.name: f"{alias}.{quoted(column.sql)}" for column in COLUMNS[at]}
    for name, column in COMPUTED_COLUMNS.items():
        if name in OWN:
            continue
        if column.level in level.and_above:
            found[name] = f"{ALIAS[column.level]}.{quoted(column.sql)}"
    if level is Level.INSTANCE:
        found |= {name: f"i.{quoted(sql)}" for name, sql in OWN.items()}
        found |= {"_study_key": "i.study_key", "_series_key": "i.series_key", "_sop_key": "i.sop_key"}
    else:
        found |= {name: f"{ALIAS[level]}.{quoted(sql)}" for name, sql in _OF_UPPER.items()}
    return found


@lru_cache(maxsize=256)
def _chosen(level: Level, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    known = selectable(level)
    if columns is None:
        # Counts of the patient cost a join; below the patient only who asks for them gets them.
        return tuple(name for name in known if level is Level.PATIENT or name not in _PATIENT_COUNTS)
    for name in columns:
        if name not in known:
            raise UnknownAttribute(f"The index has no {name} at the {level.value} level")
    return tuple(dict.fromkeys(columns))


def _source(level: Level, names: Sequence[str]) -> str:
    """FROM with the levels above, which the columns and conditions may need."""
    source = _TABLE[level]
    if level is Level.INSTANCE:
        source += (
            " JOIN series e ON e.series_key = i.series_key AND e.study_key = i.study_key AND e.v1 IS NULL"
            " JOIN study s ON s.study_key = i.study_key AND s.v1 IS NULL"
        )
    if level is Level.SERIES:
        source += " JOIN study s ON s.study_key = e.study_key AND s.v1 IS NULL"
    if level is not Level.PATIENT and any(name in _PATIENT_COUNTS for name in names):
        source += (
            " JOIN patient p ON p.patient_key = s.patient_key AND p.identity = s.patient_identity"
            " AND p.v1 IS NULL"
        )
    return source


def find_query(
    conditions: Conditions,
    predicate: Predicate,
    limit: int | None,
    offset: int,
    order: tuple[Order, ...],
    columns: tuple[str, ...] | None,
) -> Query:
    """The statement of `Reader.find`."""
    level = conditions.root
    names = _chosen(level, columns)
    known = selectable(level)
    where = conditions.of(predicate)
    asked = (*names, *(name for name, _ in order))
    sql = (
        f"SELECT {', '.join(known[name] for name in names)} FROM {_source(level, asked)}"
        f" WHERE {ALIAS[level]}.v1 IS NULL AND {where} ORDER BY {_order(conditions.dialect, level, order)}"
    )
    params = list(conditions.params)
    if limit is not None or offset:
        sql += " LIMIT ? OFFSET ?"
        params += [2**62 if limit is None else limit, offset]
    return Query(sql, params, names)


def _order(dialect: Dialect, level: Level, order: tuple[Order, ...]) -> str:
    """Blank values come first in rising order, last in falling, in both databases."""
    known = selectable(level)
    parts = []
    for name, direction in order:
        if direction not in ("asc", "desc"):
            raise InvalidQuery(f"Order is 'asc' or 'desc', not {direction!r}")
        if name not in known:
            raise UnknownAttribute(f"The index cannot order the {level.value} level by {name}")
        column = BY_NAME.get(name)
        where = known[name]
        if column is not None and column.companion:
            where = where.replace(quoted(column.sql), quoted(column.companion))
        nulls = "" if dialect == "sqlite" else " NULLS FIRST" if direction == "asc" else " NULLS LAST"
        parts.append(f"{where} {direction}{nulls}")
    alias = ALIAS[level]
    return ", ".join([*parts, f"{alias}.{'id' if level is Level.INSTANCE else 'first_seq'}"])


# -- counts --------------------------------------------------------------------------------------------

_TOTAL = {
    (Level.PATIENT, Level.STUDY): "studies",
    (Level.PATIENT, Level.SERIES): "series",
    (Level.PATIENT, Level.INSTANCE): "instances",
    (Level.STUDY, Level.SERIES): "series",
    (Level.STUDY, Level.INSTANCE): "instances",
    (Level.SERIES, Level.INSTANCE): "instances",
}


def count_query(
    conditions: Callable[[Level], Conditions], level: Level, lowest: Level | None, predicate: Predicate
) -> Query:
    """The statement of `Reader.count`: rows of the level, or totals of the lowest level asked about."""
    order = list(Level)
    at: Level = Level.STUDY if lowest is None or lowest is Level.PATIENT else lowest
    at = level if order.index(at) >= order.index(level) else at
    made = conditions(at)
    where = made.of(predicate)
    what = "COUNT(*)" if at is level else f"SUM({ALIAS[at]}.{_TOTAL[at, level]})"
    return Query(
        f"SELECT {what} FROM {_source(at, ())} WHERE {ALIAS[at]}.v1 IS NULL AND {where}", made.params
    )


# -- instances -----------------------------------------------------------------------------------------

_INSTANCE = ", ".join(
    (
        's."StudyInstanceUID"',
        'e."SeriesInstanceUID"',
        'i."SOPInstanceUID"',
        "COALESCE(i.\"SOPClassUID\", '')",
        'i."InstanceNumber"',
        "i.transfer_syntax",
        "i.data_set_offset",
        "i.object",
        "i.size",
        "i.sha256",
        "i.file_sha256",
        "i.seq",
        "i.received",
        "i.source_aet",
        "i.study_key",
        "i.series_key",
        "i.sop_key",
        "i.called_aet",
    )
)


def instances_query(conditions: Conditions, predicate: Predicate) -> Query:
    """The statement of `Reader.instances`."""
    where = conditions.of(predicate)
    return Query(_instances(conditions.dialect, where, "s.first_seq, e.first_seq"), conditions.params)


def instances_between_query(dialect: Dialect, low: int, high: int) -> Query:
    """The statement of `Reader.instances_between`."""
    where = "i.study_key BETWEEN ? AND ?"
    return Query(_instances(dialect, where, "i.study_key, e.first_seq"), [low, high])


def _instances(dialect: Dialect, where: str, first: str) -> str:
    number = 'i."InstanceNumber"' + ("" if dialect == "sqlite" else " NULLS FIRST")
    return (
        f"SELECT {_INSTANCE} FROM {_source(Level.INSTANCE, ())} WHERE i.v1 IS NULL AND {where}"
        f" ORDER BY {first}, {number}, i.seq"
    )
