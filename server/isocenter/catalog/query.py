"""Questions to the catalog: one DuckDB query over files, tail and tombstones.

A `Scope` says exactly which rows exist: the data files of the visible version, the tail that is not flushed
yet, and the tombstones.  An `Engine` keeps one warm DuckDB; it may be asked from several threads.

At the levels above the instance a row appears when some instance of it satisfies the predicate (one
instance, all of it); its values are those of its instance with the lowest sequence, blanks never win;
`_size` is the sum over its instances, `_seq` and `_received` the highest.

Not here: the predicate's meaning (`conditions`), SQL that a user wrote (`sandbox`).
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from isocenter.catalog import folding
from isocenter.catalog.columns import JSON, OWN, PRIVATE
from isocenter.catalog.conditions import Conditions
from isocenter.catalog.levels import Order, Page, computed, count_sql, null, rows_sql
from isocenter.catalog.scan import columns_of, rows_of
from isocenter.catalog.statements import syntax_tree
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate

TOMBSTONES = pa.schema([("sop_key", pa.int64()), ("uid", pa.string()), ("seq", pa.int64())])
"""Rows with this key and SOPInstanceUID and a `_seq` up to `seq` are dead."""

MEMBER = "_member"
"""What the members of a scope are called in SQL."""

BATCH_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Scope:
    """The rows that a question is about.

    Args:
        files: data files of the visible version.
        tail: rows not in the files yet, None when there are none (columns as `rows` makes them).
        tombstones: table of schema `TOMBSTONES`, None when there are none.
        members: the only rows that count: a table of `_sop_key` and SOPInstanceUID; None is all of them.
    """

    files: tuple[str, ...] = ()
    tail: pa.Table | None = None
    tombstones: pa.Table | None = None
    members: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is known of the rows of a scope before a question is planned."""

    columns: dict[str, pa.DataType]
    unconverted: frozenset[str]
    source: Callable[..., str]
    """Of the text that reads them: see `source_sql`."""


@dataclass(frozen=True, slots=True)
class LevelRows:
    """The rows of a level under the name `_rows`, for one question of ours about all of them.

    Attributes:
        schema: their columns.
    """

    schema: pa.Schema
    _cursor: duckdb.DuckDBPyConnection
    _source: str
    _parameters: list[Any]

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """The answer to a SELECT over `_rows`, in batches."""
        return _streamed(self._cursor.sql(self._source + sql, params=self._parameters), self._cursor)

    def all(self, sql: str) -> pa.Table:
        """The answer to a SELECT over `_rows`, whole."""
        with self.stream(sql) as reader:
            return reader.read_all()


class Engine:
    """A warm DuckDB that answers questions about scopes.

    Args:
        threads: DuckDB's worker threads; None is one a core.
        memory_limit: DuckDB's limit, e.g. `2GB`; None is DuckDB's own.
    """

    def __init__(self, threads: int | None = None, memory_limit: str | None = None) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET parquet_metadata_cache=true; SET autoinstall_known_extensions=false")
        self._connection.execute("SET autoload_known_extensions=false; SET TimeZone='UTC'")
        spill = str(Path(tempfile.gettempdir()) / f"isocenter-duckdb-{os.getpid()}")
        self._connection.execute("SET temp_directory=$1", [spill])
        if threads is not None:
            self._connection.execute(f"SET threads={int(threads)}")
        if memory_limit is not None:
            self._connection.execute("SET memory_limit=$1", [memory_limit])
        folding.register(self._connection)
        self._lock = threading.Lock()
        self._dead: tuple[tuple[str, ...], pa.Table, pa.Table] | None = None

    def close(self) -> None:
        """End DuckDB."""
        self._connection.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- questions -------------------------------------------------------------------------------------

    def query(
        self,
        scope: Scope,
        level: Level = Level.INSTANCE,
        predicate: Predicate | None = None,
        *,
        columns: Sequence[str] | None = None,
        order: Order = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> pa.RecordBatchReader:
        """The rows of a level that satisfy the predicate, as a stream of record batches.

        Args:
            scope: which rows exist.
            level: patient, study, series or instance.
            predicate: None is everything.
            columns: keywords, dotted paths into sequences, private names `gggg,CREATOR,ee`, columns of
                ours, or `*`; None gives the attributes of the index at this level and above that occur.
            order: pairs of column and `asc` or `desc`. Otherwise instances come in the order of the files
                (each is sorted by study, series, InstanceNumber), the levels above by their keys.
            limit: at most so many rows.
            offset: leave out so many rows first.

        Raises:
            UnknownAttribute: naming the nearest keyword.
            InvalidValue: a value cannot be compared with its attribute.
        """
        wanted, page = Everything() if predicate is None else predicate, Page(order, limit, offset)
        return self.ask(scope, lambda conditions: rows_sql(level, conditions, wanted, columns, page))

    def ask(
        self,
        scope: Scope,
        make: Callable[[Conditions], str],
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.RecordBatchReader:
        """The rows of a SELECT over `live`, the rows of the scope, and Arrow tables by name.

        Args:
            scope: which rows exist.
            make: makes the SELECT; values go into it as parameters of the conditions it is given.
            tables: beside `live`.
        """
        with self._rows(scope) as (cursor, rows):
            for name, table in (tables or {}).items():
                cursor.register(name, table)
            conditions = Conditions(rows.columns, rows.unconverted, computed)
            sql = make(conditions)
            relation = cursor.sql(rows.source(sql) + sql, params=conditions.parameters)
            return _streamed(relation, cursor)

    def count(self, scope: Scope, level: Level = Level.INSTANCE, predicate: Predicate | None = None) -> int:
        """How many rows `query` would give without limit."""
        with self._rows(scope) as (cursor, rows):
            conditions = Conditions(rows.columns, rows.unconverted, computed)
            sql = count_sql(level, conditions, Everything() if predicate is None else predicate)
            found = cursor.execute(rows.source(sql, ordered=False) + sql, conditions.parameters).fetchall()
            cursor.close()
            return int(found[0][0])

    @contextmanager
    def level_rows(
        self, scope: Scope, level: Level, predicate: Predicate | None, columns: Sequence[str] | None
    ) -> Iterator[LevelRows]:
        """The rows that `query` would give without limit, to be asked about once, within the block."""
        with self._rows(scope) as (cursor, rows):
            conditions = Conditions(rows.columns, rows.unconverted, computed)
            wanted = Everything() if predicate is None else predicate
            sql = rows_sql(level, conditions, wanted, columns, Page())
            source = rows.source(sql, ordered=False)
            empty = cursor.sql(f"{source} SELECT * FROM ({sql}) LIMIT 0", params=conditions.parameters)
            source = f"{source.rstrip()}, _rows AS NOT MATERIALIZED ({sql}) "
            yield LevelRows(empty.to_arrow_table().schema, cursor, source, conditions.parameters)

    def run(self, scope: Scope, sql: str, tables: Mapping[str, pa.Table]) -> pa.RecordBatchReader:
        """A SELECT of ours (never a user's) over `live`, the rows of a scope, and Arrow tables by name."""
        with self._rows(scope) as (cursor, rows):
            for name, table in tables.items():
                cursor.register(name, table)
            return _streamed(cursor.sql(f"{rows.source(sql)} {sql}"), cursor)

    def syntax_tree(self, sql: str) -> dict[str, Any]:
        """What the parser makes of a text of SQL, a user's too: nothing is run."""
        with self._connection.cursor() as cursor:
            return syntax_tree(cursor, sql)

    def dead(self, scope: Scope) -> pa.Table | None:
        """The sequences (`seq`) of the rows that the scope's tombstones hide; None without tombstones."""
        return self._dead_rows(scope)

    def columns(self, scope: Scope) -> dict[str, pa.DataType]:
        """The columns that occur, with their Arrow types."""
        found = columns_of(scope.files)
        if scope.tail is not None:
            found |= {item.name: item.type for item in scope.tail.schema}
        return found

    # -- the rows of a scope ---------------------------------------------------------------------------

    @contextmanager
    def _rows(self, scope: Scope) -> Iterator[tuple[duckdb.DuckDBPyConnection, _Rows]]:
        cursor = self._connection.cursor()
        try:
            columns = self.columns(scope)
            dead = self._dead_rows(scope)
            if scope.tail is not None:
                cursor.register("_tail", scope.tail)
            if dead is not None:
                cursor.register("_dead", dead)
            if scope.members is not None:
                cursor.register(MEMBER, scope.members)
            source = partial(source_sql, scope, columns, dead is not None)
            yield cursor, _Rows(columns, _unconverted(scope), source)
        except BaseException:
            cursor.close()
            raise

    def _dead_rows(self, scope: Scope) -> pa.Table | None:
        """The sequences of dead rows; the UIDs are compared here, once, not in every question."""
        if scope.tombstones is None or not scope.tombstones.num_rows:
            return None
        found = [pa.schema([("seq", pa.int64())]).empty_table()]
        if scope.files:
            found.append(self._dead_in_files(scope.files, scope.tombstones))
        if scope.tail is not None and scope.tail.num_rows:
            found.append(self._find_dead(Scope((), scope.tail), scope.tombstones))
        return pa.concat_tables(found)

    def _dead_in_files(self, files: tuple[str, ...], tombstones: pa.Table) -> pa.Table:
        with self._lock:
            known = self._dead
        if known is None or known[0] != files or known[1] is not tombstones:
            known = (files, tombstones, self._find_dead(Scope(files), tombstones))
            with self._lock:
                self._dead = known
        return known[2]

    def _find_dead(self, scope: Scope, tombstones: pa.Table) -> pa.Table:
        cursor = self._connection.cursor()
        try:
            cursor.register("_tombstone", tombstones)
            if scope.tail is not None:
                cursor.register("_tail", scope.tail)
            sql = (
                "SELECT DISTINCT i._seq AS seq FROM live i JOIN _tombstone t "
                "ON t.sop_key = i._sop_key AND t.uid = i.SOPInstanceUID AND i._seq <= t.seq"
            )
            source = source_sql(scope, self.columns(scope), False, sql, ordered=False)
            return cursor.sql(source + sql).to_arrow_table()
        finally:
            cursor.close()


_ROW = "_seq _sop_key SOPInstanceUID"
"""What `source_sql` itself reads of a row."""

_ALWAYS = {
    **{field.name: field.type for field in OWN},
    **{name: pa.string() for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")},
    PRIVATE.name: PRIVATE.type,
    JSON.name: JSON.type,
}
"""Columns that our SQL names; a scope without rows has them too."""


def source_sql(
    scope: Scope,
    columns: Mapping[str, pa.DataType],
    dead: bool,
    asked: str | None = None,
    *,
    ordered: bool = True,
) -> str:
    """`WITH live AS (...)`: the rows of files and tail, without dead ones.

    Args:
        scope: which rows.
        columns: of the scope.
        dead: whether there is a table of dead ones.
        asked: the SQL that follows, and reads no other columns than it names; None reads all.
        ordered: whether the order of the files is kept.
    """
    parts = []
    if scope.files:
        reading = None if asked is None else f"{asked} {_ROW}"
        parts.append(rows_of(scope.files, reading, ordered=ordered))
    if scope.tail is not None:
        parts.append("SELECT * FROM _tail")
    rows = " UNION ALL BY NAME ".join(parts) or "SELECT NULL::BIGINT AS _seq WHERE false"
    present = columns if parts else {"_seq": pa.int64()}
    lacking = "".join(f", {null(kind)} AS {name}" for name, kind in _ALWAYS.items() if name not in present)
    where = " WHERE _seq NOT IN (SELECT seq FROM _dead)" if dead else ""
    found = f"SELECT *{lacking} FROM ({rows}){where}"
    if scope.members is not None:
        member = f"(SELECT _sop_key, SOPInstanceUID FROM {MEMBER})"
        found = f"SELECT * FROM ({found}) WHERE (_sop_key, SOPInstanceUID) IN {member}"
    return f"WITH live AS NOT MATERIALIZED ({found}) "


@lru_cache(maxsize=4096)
def _unconverted_of(path: str) -> frozenset[str]:
    return _keywords(pq.read_table(path, columns=["_unconverted"]))


def _unconverted(scope: Scope) -> frozenset[str]:
    """Names of attributes of which some row of the scope has a value that does not fit its column."""
    found = [_unconverted_of(path) for path in scope.files]
    if scope.tail is not None:
        found.append(_keywords(scope.tail))
    return frozenset().union(*found)


def _keywords(table: pa.Table) -> frozenset[str]:
    columns = [chunk.keys for chunk in table.column("_unconverted").chunks]
    return frozenset(name for keys in columns for name in keys.unique().to_pylist())


def _streamed(relation: Any, cursor: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """The relation's batches; the cursor closes behind the last."""
    reader = relation.to_arrow_reader(BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        finally:
            cursor.close()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
