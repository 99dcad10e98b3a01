"""SQLite behind the index: connections, pragmas, the writers' queue, and what its errors mean.

WAL with `synchronous=FULL`: a commit is on the disk when it returns.  Checkpoints run beside the writers, in
a thread of their own, so that no commit waits for one.  The file must lie on a local file system.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.dialects import sqlite as sqlite_dialect

from isocenter.dicom.values import fold
from isocenter.errors import Damaged, IsocenterError, NoSpace, Unavailable
from isocenter.index.database import Dialect, Row, Session, insert_text
from isocenter.index.locking import WriterQueue

_log = logging.getLogger(__name__)

_STATEMENTS = 512
_PAGE = 4096
_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 16 * 1024
_PIECE = 1000
_CHECKPOINT_SECONDS = 0.5
_CHECKPOINT_ROUNDS = 4
_CHECKPOINT_REST = 500
_WAL_LIMIT_FRAMES = 4_000
_WAL_ROOM = 24 * 1024 * 1024
_DISK_ROOM = 20 * _WAL_ROOM
_OTHERS_WORK = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteSession:
    """A transaction on one connection."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a SELECT."""
        return self.connection.execute(sql, params).fetchall()

    def stream(self, sql: str, params: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of a SELECT, fetched in pieces."""
        cursor = self.connection.execute(sql, params)
        while piece := cursor.fetchmany(_PIECE):
            yield from piece

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        return self.connection.execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters."""
        self.connection.executemany(sql, rows)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""
        if rows:
            self.connection.executemany(insert_text(table, columns), rows)

    def among(self, sql: str, column: str, values: Sequence[Any], *more: Any) -> list[Row]:
        """Rows of `sql` with `{among}` replaced; few texts, so that statements stay prepared."""
        found: list[Row] = []
        for start in range(0, len(values), 64):
            part = list(values[start : start + 64])
            size = 1 if len(part) == 1 else 8 if len(part) <= 8 else 64
            part += [part[-1]] * (size - len(part))
            text = sql.replace("{among}", f"{column} IN ({', '.join('?' * size)})")
            found += self.connection.execute(text, (*part, *more)).fetchall()
        return found


class Sqlite:
    """The index in one SQLite file.

    Args:
        path: the file; created when missing.
        lock_timeout: seconds a writer waits for its turn.
    """

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, *, lock_timeout: float = 20.0) -> None:
        self.path = path
        self.queue = WriterQueue(path, lock_timeout)
        self._writer: sqlite3.Connection | None = None
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._watcher: sqlite3.Connection | None = None
        self._watching = threading.Lock()
        self._checkpoints = _Checkpoints(self)
        self._closed = False
        with failures():
            connect(path).close()

    @contextmanager
    def write(self) -> Iterator[SqliteSession]:
        """A queued write transaction."""
        with failures(), self.queue.turn():
            connection = self._writing()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield SqliteSession(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._abandon(connection)
                raise
        self._checkpoints.wake()

    def _writing(self) -> sqlite3.Connection:
        if self._closed:
            raise Unavailable("The index is closed")
        if self._writer is None:
            self._writer = connect(self.path)
            make_room(self._writer, self.path)
        return self._writer

    def _abandon(self, connection: sqlite3.Connection) -> None:
        """Roll back; a connection that cannot even do that is not used again."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer = None
            connection.close()

    @contextmanager
    def read(self) -> Iterator[SqliteSession]:
        """A read transaction, on a connection that waits in a pool between uses."""
        with failures():
            if self._closed:
                raise Unavailable("The index is closed")
            try:
                connection = self._readers.get_nowait()
            except queue.Empty:
                connection = connect(self.path, readonly=True)
            try:
                connection.execute("BEGIN")
                yield SqliteSession(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._readers.put(connection)

    def tables(self, session: Session) -> set[str]:
        """The names of all tables there are."""
        return {row[0] for row in session.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def sqlalchemy_dialect(self) -> sqlalchemy.Dialect:
        """SQLAlchemy's word for SQLite."""
        return sqlite_dialect.dialect()

    @contextmanager
    def migration(self, revision: str) -> Iterator[sqlalchemy.Connection]:
        """Copy the file to `<name>.<revision>`, then migrate in one transaction."""
        with failures(), self.queue.turn():
            connection = connect(self.path)
            engine = sqlalchemy.create_engine(
                "sqlite://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
            )
            try:
                copy = sqlite3.connect(self.path.with_name(f"{self.path.name}.{revision}"))
                with closing(copy):
                    connection.backup(copy)
                with engine.connect() as migrating:
                    connection.execute("BEGIN IMMEDIATE")
                    yield migrating
                    migrating.commit()
            finally:
                engine.dispose()
                connection.close()

    def data_version(self) -> int:
        """SQLite's own counter of other connections' commits."""
        with failures(), self._watching:
            if self._watcher is None:
                self._watcher = connect(self.path, readonly=True)
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Nothing: no other machine has this file."""
        return nullcontext()

    def close(self) -> None:
        """Close every connection that is not in use; those close when they come back."""
        self._closed = True
        self._checkpoints.stop()
        with self.queue.turn():
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        while not self._readers.empty():
            self._readers.get_nowait().close()


class _Checkpoints:
    """Moves the write-ahead log into the file while writers go on; when it grew too long, the rest in a turn.

    Only then can the log begin anew from its start, if writers never pause.  The rest is what was committed
    during the round before, and each round is shorter, so that the turn is short.  Nothing waits for readers:
    a slow one would hold up every writer.
    """

    def __init__(self, database: Sqlite) -> None:
        self.database = database
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There was a commit."""
        if self._wanted.is_set() or self._stopping.is_set():
            return
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="isocenter-index-checkpoint", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        """Until told to stop. What fails loses nothing: the log stays, and the round after the next commit
        tries again, with a new connection, since one that failed may fail for ever."""
        connection: sqlite3.Connection | None = None
        while not self._stopping.is_set():
            self._wanted.wait()
            if self._stopping.wait(_CHECKPOINT_SECONDS):
                break
            self._wanted.clear()
            try:
                connection = connection or self._connect()
                self._checkpoint(connection)
            except (sqlite3.Error, IsocenterError, OSError) as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OTHERS_WORK:
                    _log.warning("A checkpoint of the index failed: %s", error)
                connection = _without(connection)
        _without(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.database.path)
        connection.execute("PRAGMA busy_timeout=0")
        return connection

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        for _ in range(_CHECKPOINT_ROUNDS):
            _, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames < _WAL_LIMIT_FRAMES:
                return
            if frames - moved < _CHECKPOINT_REST:
                break
        with suppress(Unavailable), self.database.queue.turn():
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


def _without(connection: sqlite3.Connection | None) -> sqlite3.Connection | None:
    """Close it, in whatever state it is; None."""
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()
    return None


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection as the index needs it. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path,
        timeout=10.0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    try:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(f"PRAGMA cache_size=-{_READER_CACHE_KIB if readonly else _CACHE_KIB}")
        connection.execute("PRAGMA temp_store=MEMORY")
        if readonly:
            connection.execute("PRAGMA query_only=1")
        connection.create_function("fold", 1, _fold, deterministic=True)
        connection.create_function("regexp", 2, _regexp, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def make_room(connection: sqlite3.Connection, path: Path) -> None:
    """Let the log have its usual size from the start; the caller has the writers' turn.

    A commit that lengthens the log waits for the file system's journal as well: 2.8 ms against 0.5 on ext4
    (medians beside writes of 0.5 MB). A transaction too large for the cache spills into the log, and rolled
    back leaves its room there and nothing in the database. On a disk that is nearly full the room is better
    left to others.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size >= _WAL_ROOM:
        return
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < _DISK_ROOM:
        return
    connection.execute("PRAGMA cache_size=-1024")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE room (content)")
        connection.execute("INSERT INTO room VALUES (zeroblob(?))", (_WAL_ROOM,))
    finally:
        if connection.in_transaction:  # a full disk ended it already
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _fold(text: object) -> str | None:
    return None if text is None else fold(str(text))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _regexp(pattern: str, text: object) -> bool:
    return text is not None and _compiled(pattern).search(str(text)) is not None


@contextmanager
def failures() -> Iterator[None]:
    """SQLite's errors as ours, so that a sender gets the status that fits."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: sqlite3.Error) -> IsocenterError:
    """The error of ours that an error of SQLite means."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return NoSpace("No space is left for the index")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("The index is locked by another process", hint="try again later")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return Unavailable("The index cannot be opened for writing", hint="check the rights of its folder")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Damaged("The index file is damaged", hint="run `isocenter reindex`")
    if code == sqlite3.SQLITE_IOERR:
        return Unavailable("The index cannot be read or written: input or output failed")
    return IsocenterError("The index refused a statement", detail=type(error).__name__)
