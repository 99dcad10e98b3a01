"""A description of the rows of a level, a column a row: how many values, which, and how they spread.

One statement over the rows. Numbers get mean, deviation and quartiles; dates, times and text the first and
the last in order; text that is no UID the most frequent. Values of a list count one by one.

Not here: counts by value (`summaries`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from isocenter.catalog.levels import default_columns, identifier
from isocenter.catalog.query import Engine, LevelRows
from isocenter.catalog.summaries import Rows, plain
from isocenter.dicom.attributes import find
from isocenter.dicom.predicate import attributes_of

_NUMBERS = ("mean", "std", "min", "q25", "median", "q75", "max")
SCHEMA = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        *((name, pa.int64()) for name in ("count", "missing", "distinct")),
        *((name, pa.float64()) for name in _NUMBERS),
        *((name, pa.string()) for name in ("first", "last", "common")),
    ]
)
"""`count` and `missing` are rows, `distinct` different values; `first`, `last` and `common` are text."""


def describe(engine: Engine, rows: Rows, columns: Sequence[str] | None = None) -> pa.Table:
    """What the rows hold, a column a row, as `SCHEMA`.

    Args:
        engine: to ask with.
        rows: of what.
        columns: as of `query.Engine.query`; None is the attributes of the index that occur, and those that
            the predicate is about.
    """
    names = _default(engine, rows) if columns is None else list(columns)
    with engine.level_rows(rows.scope, rows.level, rows.predicate, names) as found:
        fields = [field for field in found.schema if not pa.types.is_map(field.type)]
        items = ", ".join(_facts(found, field) for field in fields)
        answer = found.all(f"SELECT count(*) AS rows, [{items}] AS facts FROM _rows").to_pylist()[0]
    told = [_row(field, facts, answer["rows"]) for field, facts in zip(fields, answer["facts"], strict=True)]
    return pa.Table.from_pylist(told, SCHEMA)


def _default(engine: Engine, rows: Rows) -> list[str]:
    names = default_columns(rows.level, engine.columns(rows.scope))
    asked = attributes_of(rows.predicate) if rows.predicate is not None else ()
    return list(dict.fromkeys([*names, *(name for name in sorted(asked) if "." not in name)]))


def _facts(found: LevelRows, field: pa.Field) -> str:
    """A struct of aggregates of one column, the same for every type."""
    column = identifier(field.name)
    if not pa.types.is_list(field.type):
        return _struct(f"count({column})", column, field, field.type)
    filled = f"count(*) FILTER (len({column}) > 0)"
    values = f"SELECT unnest(list_distinct({column})) AS v FROM _rows"
    spread = _struct("0", "v", field, field.type.value_type)
    return f"struct_update((SELECT {spread} FROM ({values})), filled := {filled})"


def _struct(filled: str, column: str, field: pa.Field, kind: pa.DataType) -> str:
    numeric = _is_number(kind) and not _is_time(field.name)
    finite = f" FILTER (isfinite(CAST({column} AS DOUBLE)))"
    numbers = [f"{function}(CAST({column} AS DOUBLE)){finite}" for function in ("avg", "stddev_samp")]
    spread = f"quantile_cont(CAST({column} AS DOUBLE), [0.0, 0.25, 0.5, 0.75, 1.0]){finite}"
    text = f"CAST(CASE WHEN {'false' if numeric else 'true'} THEN {{}} END AS VARCHAR)"
    common = f"mode({column})" if _is_label(field, kind) else "NULL"
    nothing = "CAST(NULL AS DOUBLE)"
    mean, deviation = numbers if numeric else (nothing, nothing)
    return (
        f"struct_pack(filled := {filled}, different := count(DISTINCT {column}), mean := {mean}, "
        f"std := {deviation}, spread := {spread if numeric else 'CAST(NULL AS DOUBLE[])'}, "
        f"first := {text.format(f'min({column})')}, last := {text.format(f'max({column})')}, "
        f"common := CAST({common} AS VARCHAR))"
    )


def _row(field: pa.Field, facts: dict[str, Any], rows: int) -> dict[str, Any]:
    spread = facts["spread"] or [None] * 5
    told = {"mean": facts["mean"], "std": facts["std"]}
    told |= dict(zip(("min", "q25", "median", "q75", "max"), spread, strict=True))
    filled = facts["filled"]
    told |= {"column": field.name, "type": str(field.type), "count": filled, "missing": rows - filled}
    told |= {"distinct": facts["different"], "common": facts["common"]}
    show = _clock if _is_time(field.name) else _moment if pa.types.is_timestamp(field.type) else plain
    return told | {"first": show(facts["first"]), "last": show(facts["last"])}


def _moment(text: str | None) -> str | None:
    """A moment in ISO 8601."""
    return text and text.replace(" ", "T").replace("+00", "Z")


def _clock(microseconds: str | None) -> str | None:
    """A time of day in ISO 8601."""
    if microseconds is None:
        return None
    seconds, rest = divmod(int(microseconds), 1_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{rest:06d}" if rest else clock


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_time(name: str) -> bool:
    attribute = find(name.rpartition(".")[2])
    return attribute is not None and attribute.vr == "TM"


def _is_label(field: pa.Field, kind: pa.DataType) -> bool:
    """Whether the most frequent value says something: of text, save UIDs, which are all different."""
    attribute = find(field.name.rpartition(".")[2])
    return bool(pa.types.is_string(kind)) and not (attribute is not None and attribute.vr == "UI")
