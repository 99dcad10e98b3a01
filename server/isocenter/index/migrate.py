"""Bringing an index to the present schema.

A new one is created whole and stamped.  One that is behind is migrated by alembic, in a writer's turn, after
a copy was made.  One that a newer Isocenter wrote is refused.
"""

from __future__ import annotations

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from isocenter.errors import Damaged
from isocenter.index.database import Session
from isocenter.index.schema import metadata
from isocenter.index.sqlite import Sqlite

HEAD = "0001"
"""The revision that `schema` describes."""


def prepare_sqlite(database: Sqlite) -> None:
    """Create or migrate. Raises Damaged for a file that is newer, or not an index."""
    with database.read() as session:
        revision = _revision(session)
    if revision == HEAD:
        return
    with database.write() as session:
        revision = _revision(session)
        if revision is None:
            create(session, sqlite.dialect())
    if revision not in (None, HEAD):
        raise Damaged("The index was written by a newer Isocenter", hint="update Isocenter")


def _revision(session: Session) -> str | None:
    tables = {row[0] for row in session.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise Damaged("The file is a SQLite database, but not an index of Isocenter")
    return str(session.rows("SELECT version_num FROM alembic_version")[0][0])


def create(session: Session, dialect: Dialect) -> None:
    """Create every table and index of `schema`, stamp the revision, write the first epoch."""
    for table in metadata.sorted_tables:
        session.run(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            session.run(str(CreateIndex(index).compile(dialect=dialect)))
    session.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    session.run("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))
    session.run("INSERT INTO epoch (one, now, last_seq, resets) VALUES (1, 1, 0, 0)")
