"""The SELECT of each level of the information model over `live`, the rows of `instances` that exist.

Not here: which rows exist and running queries (`query`), conditions (`conditions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from isocenter.catalog.columns import JSON, OWN, PRIVATE, type_named
from isocenter.catalog.conditions import Conditions
from isocenter.dicom.attributes import COMPUTED, INDEX, is_own_column, lookup, nearest, path_of
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Everything, IsNull, Like, OneOf, Predicate, Range, attributes_of
from isocenter.errors import InvalidQuery, InvalidValue, UnknownAttribute

Columns = Mapping[str, pa.DataType]
Order = Sequence[tuple[str, str]]

_KEYS = {
    Level.STUDY: ("_study_key", "StudyInstanceUID"),
    Level.SERIES: ("_study_key", "_series_key", "StudyInstanceUID", "SeriesInstanceUID"),
}

_COMPUTED_LEVEL = {name: level for level, names in COMPUTED.items() for name in names}
_LISTED = {"ModalitiesInStudy": "Modality", "SOPClassesInStudy": "SOPClassUID"}
_COUNTED = {
    "Studies": "count(DISTINCT StudyInstanceUID)",
    "Series": "count(DISTINCT (StudyInstanceUID, SeriesInstanceUID))",
    "Instances": "count(*)",
}
_SUMMARY = {"_size": "CAST(sum(_size) AS BIGINT)", "_seq": "max(_seq)", "_received": "max(_received)"}


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of an answer are wanted, and in which order (pairs of column and `asc` or `desc`)."""

    order: Order = ()
    limit: int | None = None
    offset: int = 0

    def sql(self) -> str:
        """LIMIT and OFFSET."""
        limit = "" if self.limit is None else f" LIMIT {_natural(self.limit, 'limit')}"
        return limit + (f" OFFSET {_natural(self.offset, 'offset')}" if self.offset else "")

    @property
    def whole(self) -> bool:
        """Whether all rows are wanted."""
        return self.limit is None and not self.offset


def rows_sql(
    level: Level, conditions: Conditions, predicate: Predicate, names: Sequence[str] | None, page: Page
) -> str:
    """SELECT of the columns `names` of the level's rows that satisfy the predicate (see `query.Engine`)."""
    wanted = _wanted(level, conditions.columns, names)
    make = _instances if level is Level.INSTANCE else partial(_grouped, level)
    return make(conditions, predicate, wanted, page)


def count_sql(level: Level, conditions: Conditions, predicate: Predicate) -> str:
    """SELECT of how many rows of the level satisfy the predicate."""
    where = conditions.sql(predicate)
    if level is Level.INSTANCE:
        return f"SELECT count(*) FROM live WHERE {where}"
    keys = ", ".join(_keys(level, conditions.columns))
    return f"SELECT count(*) FROM (SELECT 1 FROM live WHERE {where} GROUP BY {keys})"


def _natural(number: int, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InvalidValue(f"{what} is a whole number from 0")
    return number


# -- columns -------------------------------------------------------------------------------------------


def default_columns(level: Level, columns: Columns) -> list[str]:
    """The attributes of the index at a level and above that occur, and the computed ones of the level."""
    indexed = [
        name
        for each in level.and_above
        for name in INDEX[each]
        if name in columns or (name == each.unique_key and each is not Level.PATIENT)
    ]
    return indexed + list(COMPUTED[level])


def _wanted(level: Level, columns: Columns, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return default_columns(level, columns)
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(_all(level, columns) if name == "*" else [name]))
    if not found:
        raise InvalidQuery("Name at least one column", hint="'*' is all of them")
    return list(found)


def _all(level: Level, columns: Columns) -> list[str]:
    if level is Level.INSTANCE:
        return list(columns)
    return [name for name in columns if name not in (PRIVATE.name, JSON.name)]


def value_sql(name: str, columns: Columns) -> str:
    """The value of a column for one instance, as SQL; null where no row has it.

    Raises:
        UnknownAttribute: naming the nearest name.
    """
    path = path_of(name)
    if len(path) == 1 and name in columns:
        return identifier(name)
    if is_own_column(name):
        return _absent_own(name)
    steps = [lookup(step) for step in path]
    if len(steps) > 1:
        inner = "[*].".join(f'"{step.tag_text}".Value' for step in steps)
        return f"json_extract_string(json, {literal(f'$.{inner}[*]')})"
    if steps[0].creator:
        return f"map_extract(private, {literal(steps[0].name)})[1]"
    named = type_named(steps[0].keyword)
    if named is not None:
        return f"{identifier(steps[0].keyword)}" if steps[0].keyword in columns else null(named)
    return f"json_extract_string(json, '$.\"{steps[0].tag_text}\"')"


def _absent_own(name: str) -> str:
    found = type_named(name)
    if found is None:
        near = nearest(name, (*OWN.names, PRIVATE.name, JSON.name))
        raise UnknownAttribute(
            f"There is no column {name!r}", hint=f"did you mean {near[0]}?" if near else ""
        )
    return null(found)


def null(found: pa.DataType) -> str:
    """A null of this type, in SQL."""
    return f"CAST(NULL AS {_sql_type(found)})"


def _sql_type(found: pa.DataType) -> str:
    if pa.types.is_list(found):
        return f"{_sql_type(found.value_type)}[]"
    if pa.types.is_map(found):
        return "MAP(VARCHAR, VARCHAR)"
    if pa.types.is_timestamp(found):
        return "TIMESTAMPTZ" if found.tz else "TIMESTAMP"
    return {"int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE", "date32[day]": "DATE"}.get(
        str(found), "VARCHAR"
    )


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


# -- rows ------------------------------------------------------------------------------------------------


def _instances(conditions: Conditions, predicate: Predicate, wanted: list[str], page: Page) -> str:
    """Instances in the order of the files; the few of a sorted page are chosen before they are read wide."""
    columns = conditions.columns
    items = ", ".join(f"{_instance_value(name, columns)} AS {identifier(name)}" for name in wanted)
    where = conditions.sql(predicate)
    if not page.order:
        return f"SELECT {items} FROM live WHERE {where}{page.sql()}"
    keys = [direction(_instance_value(name, columns), how) for name, how in page.order]
    by = f"ORDER BY {', '.join([*keys, '_seq'])}"
    if page.whole:
        return f"SELECT {items} FROM live WHERE {where} {by}"
    chosen = f"SELECT _seq FROM live WHERE {where} {by}{page.sql()}"
    return f"SELECT {items} FROM live WHERE _seq IN ({chosen}) {by}"


def _instance_value(name: str, columns: Columns) -> str:
    if name not in _COMPUTED_LEVEL:
        return value_sql(name, columns)
    level = _COMPUTED_LEVEL[name]
    same = " AND ".join(
        f"{inner} = {outer}"
        for inner, outer in zip(_keys(level, columns, "c"), _keys(level, columns, "live"), strict=True)
    )
    return f"(SELECT {_computed_sql(name, columns, 'c')} FROM live c WHERE {same})"


def direction(expression: str, how: str) -> str:
    """One term of ORDER BY, rows without a value last."""
    if how.lower() not in ("asc", "desc"):
        raise InvalidQuery("Order is 'asc' or 'desc'")
    return f"{expression} {how.upper()} NULLS LAST"


def _grouped(
    level: Level, conditions: Conditions, predicate: Predicate, wanted: list[str], page: Page
) -> str:
    """One row a group; the groups are chosen by their instances, the values come from all of them."""
    columns = conditions.columns
    keys = _keys(level, columns)
    listed = ", ".join(keys)
    items = ", ".join(f"{_group_value(name, level, columns)} AS {identifier(name)}" for name in wanted)
    by = ", ".join(direction(_group_value(name, level, columns), how) for name, how in page.order)
    by = f"ORDER BY {by}, {listed}" if by else f"ORDER BY {listed}"
    among = ""
    if not isinstance(predicate, Everything):
        among = f" WHERE ({listed}) IN (SELECT {listed} FROM live WHERE {conditions.sql(predicate)})"
    if not page.whole:
        chosen = f"SELECT {listed} FROM live{among} GROUP BY {listed} {by}{page.sql()}"
        among = f" WHERE ({listed}) IN ({chosen})"
    return f"SELECT {items} FROM live{among} GROUP BY {listed} {by}"


def _group_value(name: str, level: Level, columns: Columns) -> str:
    """The value of a group: that of its instance with the lowest sequence that has one."""
    if name in _COMPUTED_LEVEL:
        if _COMPUTED_LEVEL[name] is not level:
            raise InvalidQuery(f"{name} is computed at the {_COMPUTED_LEVEL[name].value} level")
        return _computed_sql(name, columns)
    if name in _SUMMARY:
        return _SUMMARY[name]
    return f"arg_min({value_sql(name, columns)}, _seq)"


def _keys(level: Level, columns: Columns, table: str = "") -> list[str]:
    """The expressions that tell two rows of a level apart; an empty PatientID never joins two studies."""
    prefix = f"{table}." if table else ""
    if level is not Level.PATIENT:
        return [prefix + name for name in _KEYS[level]]
    issuer, patient = (
        f"{prefix}{name}" if name in columns else "NULL" for name in ("IssuerOfPatientID", "PatientID")
    )
    return [f"coalesce({issuer}, '')", f"coalesce({patient}, chr(1) || {prefix}StudyInstanceUID)"]


# -- computed attributes ---------------------------------------------------------------------------------


def _computed_sql(name: str, columns: Columns, table: str = "") -> str:
    """The aggregate that a computed attribute is, over the rows of its group."""
    prefix = f"{table}." if table else ""
    if name in _LISTED:
        if _LISTED[name] not in columns:
            return "CAST(NULL AS VARCHAR[])"
        return f"list_sort(list_distinct(list({prefix}{_LISTED[name]})))"
    expression = _COUNTED[name.partition("Related")[2]]
    for key in ("StudyInstanceUID", "SeriesInstanceUID"):
        expression = expression.replace(key, prefix + key)
    return expression


def computed(term: Predicate, conditions: Conditions) -> str | None:
    """The condition of a term about a computed attribute (is the row's study one of those?), else None."""
    names = attributes_of(term)
    name = next(iter(names)) if len(names) == 1 else ""
    if name not in _COMPUTED_LEVEL:
        return None
    keys = ", ".join(_keys(_COMPUTED_LEVEL[name], conditions.columns))
    if name in _LISTED:
        if isinstance(term, IsNull):
            return f"({keys}) NOT IN (SELECT {keys} FROM live WHERE {_LISTED[name]} IS NOT NULL)"
        return f"({keys}) IN (SELECT {keys} FROM live WHERE {conditions.sql(_renamed(term, _LISTED[name]))})"
    if isinstance(term, IsNull):
        return "false"
    having = conditions.compare(term, "number", "IS", _computed_sql(name, conditions.columns))
    return f"({keys}) IN (SELECT {keys} FROM live GROUP BY {keys} HAVING {having})"


def _renamed(term: Predicate, name: str) -> Predicate:
    path = (name,)
    match term:
        case Equal(_, value, fold):
            return Equal(path, value, fold)
        case OneOf(_, wanted, fold):
            return OneOf(path, wanted, fold)
        case Like(_, pattern, fold):
            return Like(path, pattern, fold)
        case Range(_, low, high, low_open, high_open):
            return Range(path, low, high, low_open, high_open)
    raise InvalidQuery(f"{type(term).__name__} does not apply to a computed attribute")
