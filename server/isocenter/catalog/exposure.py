"""What a user's SQL sees: `instances`, `series`, `volumes` and `studies`, as of one moment.

Not here: running it (`sandbox`), who may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa

from isocenter.catalog.columns_read import may_read
from isocenter.catalog.conditions import Conditions
from isocenter.catalog.levels import Page, default_columns, rows_sql
from isocenter.catalog.query import Engine, Scope, source_sql
from isocenter.catalog.sandbox import Exposed
from isocenter.catalog.scan import rows_of
from isocenter.catalog.tables import DERIVED, derive, newest_sql
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything

INSTANCES, STUDIES = "instances", "studies"


def expose(engine: Engine, scope: Scope, derived: Mapping[str, Sequence[str]], sql: str) -> Exposed:
    """The tables for one text of SQL.

    Args:
        engine: knows the scope's columns and dead rows.
        scope: the rows of `instances` that exist.
        derived: the data files of the visible version of the derived tables, by table.
        sql: the user's; what it does not mention is not prepared.
    """
    columns = engine.columns(scope)
    dead = engine.dead(scope)
    source = source_sql(scope, columns, dead is not None, ordered=False)
    views = {INSTANCES: f"{source} SELECT * FROM live"}
    studies = default_columns(Level.STUDY, columns)
    views[STUDIES] = source + rows_sql(Level.STUDY, Conditions(columns), Everything(), studies, Page())
    tables = {} if dead is None else {"_dead": dead}
    if scope.tail is not None:
        wide = may_read(engine.syntax_tree(sql), INSTANCES, "json")
        tables["_tail"] = scope.tail if wide else _without_json(scope.tail)
    files = list(scope.files)
    fresh = derive(engine, scope) if any(_mentions(sql, name) for name in DERIVED) else {}
    for name in DERIVED:
        stored = list(derived.get(name, ()))
        files += stored
        if name in fresh:
            tables[f"_{name}"] = fresh[name]
        if stored or name in fresh:
            views[name] = newest_sql(_union(stored, f"_{name}" if name in fresh else None))
    return Exposed(views, files, tables)


def _mentions(sql: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", sql, re.IGNORECASE) is not None


def _without_json(tail: pa.Table) -> pa.Table:
    """Headers are large, and few questions read them: null keeps the column's place."""
    number = tail.schema.get_field_index("json")
    return tail if number < 0 else tail.set_column(number, "json", pa.nulls(tail.num_rows, pa.string()))


def _union(files: Sequence[str], table: str | None) -> str:
    parts = [f"SELECT * FROM {table}"] if table else []
    if files:
        parts.insert(0, rows_of(files, ordered=False))
    return " UNION ALL BY NAME ".join(parts)
