"""What all rows of a level have in common: counts by value, histograms, facets, and a description by column.

One question each, over the same rows as `query.Engine.query` gives. Values of a list count one by one, each
once a row; rows without a value are counted too. No text of a caller enters the SQL (see `conditions`).

Not here: the rows themselves (`query`, `levels`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from isocenter.catalog.binning import Binned, binned, is_binnable
from isocenter.catalog.levels import Order, Page, direction, identifier
from isocenter.catalog.query import Engine, LevelRows, Scope
from isocenter.dicom.attributes import COMPUTED, nearest
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Predicate
from isocenter.errors import InvalidQuery, UnknownAttribute

COUNT = "count"
MOST_VALUES, MOST_BINS = 1000, 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that a summary is about.

    Args:
        scope: which instances exist.
        level: patient, study, series or instance.
        predicate: which of them; None is all.
    """

    scope: Scope
    level: Level = Level.INSTANCE
    predicate: Predicate | None = None


def group(
    engine: Engine,
    rows: Rows,
    columns: Sequence[str],
    *,
    order: Order = (),
    limit: int | None = None,
    offset: int = 0,
) -> pa.RecordBatchReader:
    """How many rows have each combination of values: these columns, and `count`.

    Args:
        engine: to ask with.
        rows: of what.
        columns: as of `query.Engine.query`.
        order: pairs of one of these columns, or `count`, and `asc` or `desc`; the most frequent first by
            default, then by value.
        limit: at most so many combinations.
        offset: leave out so many first.

    Raises:
        UnknownAttribute: naming the nearest.
        InvalidQuery: a column that cannot be counted (all private attributes together).
    """
    names = list(dict.fromkeys(columns))
    if not names:
        raise InvalidQuery("Name at least one column to count by")
    with engine.level_rows(rows.scope, rows.level, rows.predicate, names) as found:
        names = found.schema.names  # `*` is all of them
        listed = ", ".join(map(identifier, names))
        keys = [direction(identifier(_ordered(name, names)), how) for name, how in order]
        by = [*(keys or [f"{COUNT} DESC"]), *(f"{identifier(name)} NULLS LAST" for name in names)]
        page = Page((), limit, offset).sql()
        return found.stream(
            f"SELECT {listed}, count(*) AS {COUNT} FROM ({_by_element(found, names)}) "
            f"GROUP BY {listed} ORDER BY {', '.join(by)}{page}"
        )


def totals(engine: Engine, rows: Rows) -> dict[str, int]:
    """How many rows there are, how many instances they have, and the bytes of these: `count`, `instances`,
    `size`."""
    counted = next((n for n in COMPUTED[rows.level] if n.endswith("RelatedInstances")), None)
    instances = f"sum({counted})" if counted else "count(*)"
    names = [*([counted] if counted else []), "_size"]
    with engine.level_rows(rows.scope, rows.level, rows.predicate, names) as found:
        sums = ", ".join(
            f"coalesce({sql}, 0)::BIGINT AS {name}"
            for name, sql in ((COUNT, "count(*)"), ("instances", instances), ("size", "sum(_size)"))
        )
        told: dict[str, int] = found.all(f"SELECT {sums} FROM _rows").to_pylist()[0]
    return told


def histogram(engine: Engine, rows: Rows, column: str, bins: int) -> pa.Table:
    """How many rows have a value in each of `bins` intervals of equal width: `low`, `high` and `count`.

    An interval holds its lower bound and not its upper one, save the last, which holds both. The widths of
    whole numbers and dates are whole, so there may be fewer intervals. Without a value there is none.

    Raises:
        InvalidQuery: the column holds text.
    """
    return _binned(engine, rows, column, bins).table


def facets(engine: Engine, rows: Rows, asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a person narrows a table by: of each column its most frequent values, or a histogram.

    Args:
        engine: to ask with.
        rows: of what.
        asked: `{"column", "limit"}` or `{"column", "bins"}`, and `predicate` where a facet is about other
            rows than the rest (without the condition on itself, say).
    """
    return [_facet(engine, _of(rows, facet), facet) for facet in asked]


def _of(rows: Rows, facet: Mapping[str, Any]) -> Rows:
    return Rows(rows.scope, rows.level, facet["predicate"]) if "predicate" in facet else rows


def _facet(engine: Engine, rows: Rows, facet: Mapping[str, Any]) -> dict[str, Any]:
    column = str(facet["column"])
    if facet.get("bins"):
        found = _binned(engine, rows, column, int(facet["bins"]))
        shown = [{name: plain(value) for name, value in row.items()} for row in found.table.to_pylist()]
        told = {"type": found.type, "missing": found.missing, "distinct": found.distinct}
        return {"column": column, **told, "bins": shown}
    return _values(engine, rows, column, int(facet.get("limit") or 20))


def _values(engine: Engine, rows: Rows, column: str, limit: int) -> dict[str, Any]:
    with engine.level_rows(rows.scope, rows.level, rows.predicate, [column]) as found:
        (field,) = found.schema
        v = identifier(field.name)
        grouped = f"SELECT {v} AS v, count(*) AS n FROM ({_by_element(found, [field.name])}) GROUP BY 1"
        table = found.all(
            "SELECT v, n, count(v) OVER () AS different, "
            "coalesce(sum(n) FILTER (v IS NOT NULL) OVER (), 0)::BIGINT AS filled, "
            "coalesce(sum(n) FILTER (v IS NULL) OVER (), 0)::BIGINT AS missing "
            f"FROM ({grouped}) ORDER BY v IS NULL, n DESC, v LIMIT {int(limit)}"
        ).to_pylist()
    first = table[0] if table else {"different": 0, "filled": 0, "missing": 0}
    values = [{"value": plain(row["v"]), COUNT: row["n"]} for row in table if row["v"] is not None]
    return {
        "column": column,
        "type": str(_element(field.type)),
        "missing": first["missing"],
        "distinct": first["different"],
        "other": first["filled"] - sum(one[COUNT] for one in values),
        "values": values,
    }


def _binned(engine: Engine, rows: Rows, column: str, bins: int) -> Binned:
    with engine.level_rows(rows.scope, rows.level, rows.predicate, [column]) as found:
        (field,) = found.schema
        kind = _element(field.type)
        if not is_binnable(kind):
            hint = "count its values: group_by"
            raise InvalidQuery(f"{column} holds no numbers, dates or times to make a histogram of", hint=hint)
        v = identifier(field.name)
        grouped = f"SELECT {v} AS v, count(*) AS n FROM ({_by_element(found, [field.name])}) GROUP BY 1"
        return binned(found.all(grouped).cast(pa.schema([("v", kind), ("n", pa.int64())])), bins)


def _by_element(found: LevelRows, names: Sequence[str]) -> str:
    """SELECT of the rows with one row an element of each list column."""
    sql = "SELECT * FROM _rows"
    for name in names:
        kind = found.schema.field(name).type
        if pa.types.is_map(kind) or pa.types.is_struct(kind):
            raise InvalidQuery(f"The values of {name} cannot be counted", hint="name one private attribute")
        if pa.types.is_list(kind):
            values = f"list_distinct({identifier(name)})"
            either = f"CASE WHEN len({values}) > 0 THEN {values} ELSE [NULL] END"
            sql = f"SELECT * REPLACE (unnest({either}) AS {identifier(name)}) FROM ({sql})"
    return sql


def _element(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_list(kind) else kind


def _ordered(name: str, names: Sequence[str]) -> str:
    if name != COUNT and name not in names:
        near = nearest(name, (*names, COUNT))
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join((*names, COUNT))}"
        raise UnknownAttribute(f"Counts cannot be sorted by {name!r}", hint=hint)
    return name


def plain(value: Any) -> Any:
    """A value as JSON has it; dates and times as ISO 8601."""
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return value
    if isinstance(value, datetime.date | datetime.time | datetime.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)
