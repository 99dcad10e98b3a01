"""What writer and reader ask of a database, whichever it is: sessions in a write or a read transaction.

Statements are plain SQL with `?` for parameters, made from the names in `schema` only; nothing that came from
outside is ever part of a statement.  `sqlite` and `postgres` implement the protocols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Literal, Protocol

import sqlalchemy

Row = tuple[Any, ...]
Dialect = Literal["sqlite", "postgresql"]


class Session(Protocol):
    """One open transaction."""

    dialect: Dialect

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a SELECT."""
        ...

    def stream(self, sql: str, params: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of a SELECT, fetched in pieces."""
        ...

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters."""
        ...

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, the fastest way there is."""
        ...

    def among(self, sql: str, column: str, values: Sequence[Any], *more: Any) -> list[Row]:
        """All rows of `sql` with `{among}` meaning that `column` is one of `values`.

        `more` are the parameters that follow it in the statement.
        """
        ...


class Database(Protocol):
    """One open index."""

    dialect: Dialect

    def write(self) -> AbstractContextManager[Session]:
        """A write transaction: queued behind other writers, committed at the end, durable after it.

        Raises Unavailable, NoSpace or Damaged; what an error leaves is what was there before.
        """
        ...

    def read(self) -> AbstractContextManager[Session]:
        """A read transaction: everything read in it is of one moment."""
        ...

    def tables(self, session: Session) -> set[str]:
        """The names of all tables there are."""
        ...

    def sqlalchemy_dialect(self) -> sqlalchemy.Dialect:
        """SQLAlchemy's word for the database, to compile the schema with."""
        ...

    def migration(self, revision: str) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection to migrate on, in a writer's turn, after a copy was made where there is a file.

        What an error leaves is what was there before.
        """
        ...

    def data_version(self) -> int:
        """A number that differs after another connection committed; cheap."""
        ...

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Whatever `name` is, done by one machine at a time, while others wait.

        Nothing for SQLite: its file belongs to one machine, whose processes lock among themselves.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def quoted(name: str) -> str:
    """An identifier of ours, quoted (keywords keep their capital letters in PostgreSQL)."""
    return f'"{name}"'


@lru_cache(maxsize=4096)
def insert_text(table: str, columns: tuple[str, ...]) -> str:
    """INSERT of one row."""
    names = ", ".join(quoted(name) for name in columns)
    return f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join('?' * len(columns))})"


@lru_cache(maxsize=4096)
def update_text(table: str, columns: tuple[str, ...]) -> str:
    """UPDATE of these columns of the row with an id, the last parameter."""
    settings = ", ".join(f"{quoted(name)} = ?" for name in columns)
    return f"UPDATE {quoted(table)} SET {settings} WHERE id = ?"


@lru_cache(maxsize=1024)
def select_text(table: str, columns: tuple[str, ...], where: str) -> str:
    """SELECT of these columns."""
    return f"SELECT {', '.join(quoted(name) for name in columns)} FROM {quoted(table)} WHERE {where}"
