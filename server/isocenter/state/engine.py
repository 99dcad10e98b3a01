"""Opening `state.db`: one SQLite file in WAL mode, shared by every process of a server.

Small and rarely written: users, tokens, peers, jobs. The index of a dataset is another file with another
engine.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from isocenter.errors import Conflict, Unavailable
from isocenter.state.schema import VERSION, metadata


class State:
    """The open `state.db`. Safe to share between threads; every process opens its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        # `PRAGMA data_version` compares with what this very connection saw last: it needs one that stays.
        self._watch = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        self._watch_lock = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends and is durable then."""
        with self._engine.connect().execution_options(immediate=True) as connection, connection.begin():
            yield connection

    def version(self) -> int:
        """A number that changes whenever any process commits a change; a few microseconds."""
        with self._watch_lock:
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close every connection."""
        with self._watch_lock:
            self._watch.close()
        self._engine.dispose()


def open_state(data: Path) -> State:
    """Open `<data>/state.db`, creating it (mode 0600: it holds digests of credentials).

    Raises:
        Conflict: the file was written by a newer version of Isocenter.
        Unavailable: it cannot be opened or written.
    """
    path = data / "state.db"
    try:
        data.mkdir(parents=True, exist_ok=True)
        # Never opened by us when it is there: closing it would end every lock that this process has on it
        # (POSIX), and another process could take the log away from below an open connection.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _prepare(path)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(
            f"The server's state {path.name} cannot be opened: {error}",
            hint="is the data folder writable, and on a local disk?",
        ) from error
    return State(path)


def _prepare(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        found = int(raw.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise Conflict(
            f"{path.name} has version {found}; this Isocenter knows {VERSION}",
            hint="install the newer Isocenter that wrote it",
        )
    if found < VERSION:
        engine = _engine(path)
        with engine.connect().execution_options(immediate=True) as connection, connection.begin():
            metadata.create_all(connection)  # two processes may start at once: the second finds it made
            connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": 20})

    # Python's driver opens deferred transactions: one that reads and then writes fails at once, instead of
    # waiting, when another process wrote in between. So the driver is left in autocommit, and a writer begins
    # as one.
    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
