"""Bringing an index to the present schema.

A new one is created whole and stamped.  One that is behind is migrated by alembic, in a writer's turn, after
a copy was made.  One that a newer Isocenter wrote is refused.
"""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from isocenter.errors import Damaged
from isocenter.index.database import Database, Session
from isocenter.index.schema import metadata

SCRIPTS = Path(__file__).parent / "migrations"
HEAD = "0006"
"""The revision that `schema` describes."""


def prepare(database: Database, *, scripts: Path = SCRIPTS, head: str = HEAD) -> None:
    """Create or migrate what needs it.

    Args:
        database: the open database.
        scripts: folder of alembic's revisions.
        head: the revision wanted.

    Raises:
        Damaged: a newer Isocenter wrote it, or it is no index.
    """
    with database.read() as session:
        found = _revision(database, session)
    if found == head:
        return
    if found is None:
        with database.write() as session:
            if _revision(database, session) is None:
                create(database, session, head)
        return
    known = {script.revision for script in _directory(scripts).walk_revisions()}
    if found not in known:
        raise Damaged("The index was written by a newer Isocenter", hint="update Isocenter")
    with database.migration(found) as connection:
        _upgrade(connection, scripts, head)


def _revision(database: Database, session: Session) -> str | None:
    """The revision of an index; None when there is nothing yet."""
    tables = database.tables(session)
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise Damaged("The database is none of Isocenter's indexes")
    return str(session.rows("SELECT version_num FROM alembic_version")[0][0])


def create(database: Database, session: Session, head: str = HEAD) -> None:
    """Create every table and index of `schema`, stamp the revision, write the first epoch."""
    dialect = database.sqlalchemy_dialect()
    for table in metadata.sorted_tables:
        session.run(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            session.run(str(CreateIndex(index).compile(dialect=dialect)))
    session.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    session.run("INSERT INTO alembic_version (version_num) VALUES (?)", (head,))
    session.run("INSERT INTO epoch (one, now, last_seq, resets) VALUES (1, 1, 0, 0)")


def _directory(scripts: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _upgrade(connection: Connection, scripts: Path, head: str) -> None:
    directory = _directory(scripts)

    def steps(revision: object, context: MigrationContext) -> object:
        return directory._upgrade_revs(head, revision)  # type: ignore[arg-type]

    with EnvironmentContext(Config(), directory, fn=steps, destination_rev=head) as environment:
        environment.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
        environment.run_migrations()
