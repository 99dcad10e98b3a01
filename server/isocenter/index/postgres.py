"""PostgreSQL behind the index: one schema for each dataset, one server for several machines.

Group commits of a dataset are serialised by an advisory lock, so that sequences become visible in order.  New
rows go in by COPY.  Each commit notifies those who follow the dataset.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy
from psycopg import sql
from sqlalchemy.dialects import postgresql as postgresql_dialect

from isocenter.dicom.uids import key_of
from isocenter.errors import Damaged, IsocenterError, NoSpace, Unavailable
from isocenter.index.database import Dialect, Row, Session, quoted

_PIECE = 1000
_COPY_FROM = 4
_CURSOR = "isocenter_stream"


@lru_cache(maxsize=4096)
def _text(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()


@lru_cache(maxsize=64)
def _copy_text(table: str, columns: tuple[str, ...]) -> bytes:
    return f"COPY {quoted(table)} ({', '.join(map(quoted, columns))}) FROM STDIN".encode()


class PostgresSession:
    """A transaction on one connection."""

    dialect: Dialect = "postgresql"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a SELECT."""
        return self.connection.execute(_text(sql), params).fetchall()

    def stream(self, sql: str, params: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of a SELECT, fetched in pieces."""
        with self.connection.cursor(_CURSOR) as cursor:
            cursor.itersize = _PIECE
            cursor.execute(_text(sql), params)
            yield from cursor

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        return self.connection.execute(_text(sql), params or None).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters, in one round trip."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_text(sql), list(rows))

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows by COPY: what is visible was decided under the lock, so nothing needs staging."""
        if rows:
            with self.connection.cursor() as cursor, cursor.copy(_copy_text(table, columns)) as copy:
                for row in rows:
                    copy.write_row(row)

    def among(self, sql: str, column: str, values: Sequence[Any], *more: Any) -> list[Row]:
        """All rows of `sql` with `{among}` replaced; the values are one parameter."""
        text = sql.replace("{among}", f"{column} = ANY(?)")
        return self.rows(text, (list(values), *more))


class Postgres:
    """The index of one dataset as a schema of a PostgreSQL database.

    Args:
        url: `postgresql://…`.
        dataset: names the schema.
        lock_timeout: seconds a writer waits for its turn.
    """

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, dataset: str, *, lock_timeout: float = 20.0) -> None:
        self.url = url
        self.schema = f"isocenter_{dataset}"
        self.lock_timeout = lock_timeout
        self._lock_key = key_of(self.schema)
        self._writing = threading.Lock()
        self._writer: psycopg.Connection[Row] | None = None
        self._readers: queue.LifoQueue[psycopg.Connection[Row]] = queue.LifoQueue()
        self._watching = threading.Lock()
        self._watcher: psycopg.Connection[Row] | None = None
        self._notified = 0
        self._closed = False
        with failures(), self._connect() as connection:
            self._create_schema(connection)

    def _create_schema(self, connection: psycopg.Connection[Row]) -> None:
        with connection.transaction():
            # IF NOT EXISTS still fails when two create at once.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (self._lock_key,))
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))

    def _connect(self) -> psycopg.Connection[Row]:
        if self._closed:
            raise Unavailable("The index is closed")
        connection = psycopg.connect(self.url, autocommit=True, connect_timeout=10)
        connection.execute("SELECT set_config('search_path', %s, false)", (quoted(self.schema),))
        connection.execute("SELECT set_config('client_encoding', 'UTF8', false)")
        return connection

    @contextmanager
    def write(self) -> Iterator[PostgresSession]:
        """A write transaction under the dataset's advisory lock."""
        if not self._writing.acquire(timeout=self.lock_timeout):
            raise _late(self.lock_timeout)
        try:
            with failures(), self._write_transaction() as connection:
                limit = f"{round(self.lock_timeout * 1000)}ms"
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (limit,))
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (self._lock_key,))
                yield PostgresSession(connection)
                connection.execute("SELECT pg_notify(%s, '')", (self.schema,))
        finally:
            self._writing.release()

    @contextmanager
    def _write_transaction(self) -> Iterator[psycopg.Connection[Row]]:
        """The writing connection, in a transaction."""
        with ExitStack() as stack:
            if self._writer is None or self._closed or not _begins(self._writer, stack):
                self._writer = self._connect()
                stack.enter_context(self._writer.transaction())
            try:
                yield self._writer
            except psycopg.OperationalError:
                # A server that went away leaves a dead connection; a lock timeout costs one needlessly.
                self._writer.close()
                raise

    @contextmanager
    def read(self) -> Iterator[PostgresSession]:
        """A read transaction that sees one moment."""
        with failures(), ExitStack() as stack:
            yield PostgresSession(self._reading(stack))

    def _reading(self, stack: ExitStack) -> psycopg.Connection[Row]:
        """A reading connection in a transaction; `stack` ends it and gives the connection back."""
        with suppress(queue.Empty):
            while True:
                pooled = self._readers.get_nowait()
                stack.callback(self._give_back, pooled)
                if _begins(pooled, stack):
                    return pooled
        connection = self._connect()
        stack.callback(self._give_back, connection)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        stack.enter_context(connection.transaction())
        return connection

    def _give_back(self, connection: psycopg.Connection[Row]) -> None:
        if self._closed or connection.closed or connection.broken:
            connection.close()
        else:
            self._readers.put(connection)

    def tables(self, session: Session) -> set[str]:
        """The names of all tables there are."""
        found = session.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", (self.schema,)
        )
        return {row[0] for row in found}

    def sqlalchemy_dialect(self) -> sqlalchemy.Dialect:
        """SQLAlchemy's word for PostgreSQL."""
        return postgresql_dialect.dialect()  # type: ignore[no-untyped-call]

    @contextmanager
    def migration(self, revision: str) -> Iterator[sqlalchemy.Connection]:
        """Migrate in one transaction under the advisory lock; backups are the server's business."""
        connection = self._connect()
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
        )
        try:
            with failures(), engine.connect() as migrating:
                connection.autocommit = False
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (self._lock_key,))
                yield migrating
                migrating.commit()
        finally:
            engine.dispose()
            connection.close()

    def data_version(self) -> int:
        """Counts the commits that PostgreSQL told of."""
        with failures(), self._watching:
            with suppress(psycopg.OperationalError):  # the server was restarted: watch it anew
                if self._watcher is not None:
                    self._notified += sum(1 for _ in self._watcher.notifies(timeout=0))
                    return self._notified
            self._watcher = self._connect()
            self._watcher.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self.schema)))
            self._notified += 1
            return self._notified

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """An advisory lock of a session of its own: when its holder dies, it ends with the session."""
        with failures():
            connection = self._connect()
            connection.execute("SELECT pg_advisory_lock(%s)", (key_of(f"{self.schema}/{name}"),))
        try:
            yield
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection that is not in use; those close when they come back."""
        self._closed = True
        with self._writing:
            if self._writer is not None:
                self._writer.close()
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
        while not self._readers.empty():
            self._readers.get_nowait().close()


def _begins(connection: psycopg.Connection[Row], stack: ExitStack) -> bool:
    """Begin a transaction that `stack` ends; False when the server went away since the last one."""
    try:
        stack.enter_context(connection.transaction())
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


def exchange(url: str, new: str, here: str, kept: str) -> None:
    """In one transaction, schema `here` becomes `kept`, and `new` becomes `here`; nothing without `new`."""
    with failures(), psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (key_of(here),))
        there = _schemas(connection)
        for before, after in ((here, kept), (new, here)) if new in there else ():
            if before in there:
                names = sql.Identifier(before), sql.Identifier(after)
                connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(*names))


def drop(url: str, schema: str) -> None:
    """Drop a schema of ours, if there is one."""
    with failures(), psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def schemas(url: str) -> set[str]:
    """The schemas of a database that are ours. Raises Unavailable."""
    with failures(), psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        return _schemas(connection)


def _schemas(connection: psycopg.Connection[Row]) -> set[str]:
    found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'isocenter\\_%'")
    return {str(row[0]) for row in found}


def _late(timeout: float) -> Unavailable:
    return Unavailable(
        f"The index is locked by other writers for more than {timeout:g} s", hint="try again later"
    )


@contextmanager
def failures() -> Iterator[None]:
    """PostgreSQL's errors as ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def translated(error: psycopg.Error) -> IsocenterError:
    """The error of ours that an error of PostgreSQL means (its classes are those of appendix A)."""
    state = error.sqlstate or ""
    if state == "53100":
        return NoSpace("No space is left for the index")
    if state.startswith("XX"):
        return Damaged("The database is damaged", hint="see the log of PostgreSQL")
    if state == "55P03":
        return Unavailable("The index is locked by other writers", hint="try again later")
    if isinstance(error, psycopg.OperationalError):
        return Unavailable("PostgreSQL cannot be reached or refused", hint="see `index.url` and its server")
    return IsocenterError("The index refused a statement", detail=type(error).__name__)
