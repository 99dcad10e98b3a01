"""Opening: a new index, an older one, a newer one, none at all; and what a failing disk becomes."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from index_objects import put

from isocenter.dicom.levels import Level
from isocenter.errors import Damaged, NoSpace, Unavailable
from isocenter.index import Index, migrate, open_index, schema
from isocenter.index.database import Database
from isocenter.index.opening import _database
from isocenter.index.sqlite import Sqlite, translated

NEXT, BROKEN = (f"{int(migrate.HEAD) + more:04}" for more in (1, 2))
STEP = '''
"""A step that a test takes."""
from alembic import op
import sqlalchemy as sa
revision = "{revision}"
down_revision = {down}
def upgrade():
    {step}
'''


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Revisions of a later Isocenter: the next adds a column, the one after it fails."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    add = 'op.add_column("lease", sa.Column("note", sa.String))'
    steps = {
        migrate.HEAD: ("None", "pass"),
        NEXT: (f'"{migrate.HEAD}"', add),
        BROKEN: (f'"{NEXT}"', "raise RuntimeError('broken')"),
    }
    for revision, (down, step) in steps.items():
        text = STEP.format(revision=revision, down=down, step=step)
        (folder / "versions" / f"r{revision}.py").write_text(text)
    return folder


def revision(place: str | Path) -> str:
    database = _database(place, "main", 10)
    try:
        with database.read() as session:
            return session.rows("SELECT version_num FROM alembic_version")[0][0]
    finally:
        database.close()


def migrated(place: str | Path, scripts: Path, head: str) -> None:
    database = _database(place, "main", 10)
    try:
        migrate.prepare(database, scripts=scripts, head=head)
    finally:
        database.close()


class TestMigration:
    def test_a_new_index_is_stamped_with_the_latest_revision(self, place: str | Path) -> None:
        open_index(place).close()
        latest = migrate._directory(migrate.SCRIPTS).get_current_head()
        assert revision(place) == migrate.HEAD == latest

    def test_one_that_is_behind_is_taken_forward_with_all_it_holds(
        self, place: str | Path, scripts: Path
    ) -> None:
        with open_index(place) as index:
            index.writer.commit([put()])
        migrated(place, scripts, NEXT)
        assert revision(place) == NEXT
        database = _database(place, "main", 10)
        with database.read() as session:
            assert session.rows("SELECT note FROM lease") == []
            assert session.rows("SELECT COUNT(*) FROM instance")[0][0] == 1
        database.close()

    def test_a_copy_is_made_before(self, tmp_path: Path, scripts: Path) -> None:
        with open_index(tmp_path / "index.db") as index:
            index.writer.commit([put()])
        migrated(tmp_path / "index.db", scripts, NEXT)
        with open_index(tmp_path / f"index.db.{migrate.HEAD}") as copy:
            assert copy.reader.totals().instances == 1

    def test_a_step_that_fails_changes_nothing(self, place: str | Path, scripts: Path) -> None:
        open_index(place).close()
        with pytest.raises(RuntimeError, match="broken"):
            migrated(place, scripts, BROKEN)
        assert revision(place) == migrate.HEAD
        with open_index(place) as index:
            assert index.writer.commit([put()])[0].kind == "stored"

    def test_one_of_a_newer_isocenter_is_refused(self, place: str | Path, scripts: Path) -> None:
        open_index(place).close()
        migrated(place, scripts, NEXT)
        with pytest.raises(Damaged, match="newer"):
            open_index(place)

    def test_many_open_a_new_one_at_once(self, place: str | Path) -> None:
        opened: list[Index] = []
        threads = [threading.Thread(target=lambda: opened.append(open_index(place))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 6
        for index in opened:
            index.close()

    def test_the_schema_did_not_change_without_a_new_revision(self) -> None:
        """When this fails: add a revision to `migrations/versions`, set `migrate.HEAD`, write it here."""
        columns = {table.name: len(table.columns) for table in schema.metadata.sorted_tables}
        assert (migrate.HEAD, columns) == ("0006", SCHEMA)

    def test_the_first_index_of_all_becomes_what_a_new_one_is(self, place: str | Path) -> None:
        database = _database(place, "main", 10)
        with database.write() as session:
            migrate.create(database, session)
        wanted = structure(database)
        with database.write() as session:
            for statement in BACK_TO_THE_FIRST:
                session.run(statement)
        migrate.prepare(database)
        assert structure(database) == wanted
        database.close()


BACK_TO_THE_FIRST = (
    "DROP INDEX change_deleted",
    *(f"DROP TABLE {table}" for table in ("workitem", "subscription", "workitem_event", "subscriber")),
    *(f"DROP TABLE {table}" for table in ("nonpatient", "cohort", "cohort_part", "cohort_name")),
    *(f"DROP TABLE {table}" for table in ("origin", "view_progress")),
    "UPDATE alembic_version SET version_num = '0001'",
)


def structure(database: Database) -> set[tuple[str, ...]]:
    """Every column, with its type, and every index, with its columns and condition."""
    sqlite = (
        'SELECT m.name, c.name, c.type, CAST(c."notnull" AS TEXT) FROM sqlite_master m'
        " JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
        "SELECT name, REPLACE(sql, '\"', '') FROM sqlite_master WHERE type = 'index'",
    )
    postgres = (
        "SELECT table_name, column_name, data_type, is_nullable, collation_name"
        " FROM information_schema.columns WHERE table_schema = current_schema()",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    )
    with database.read() as session:
        found = [session.rows(text) for text in (sqlite if session.dialect == "sqlite" else postgres)]
    return {tuple(map(str, row)) for rows in found for row in rows}


SCHEMA: dict[str, int] = {
    "catalog_head": 2,
    "change": 9,
    "cohort": 20,
    "cohort_name": 2,
    "cohort_part": 4,
    "conflict": 20,
    "epoch": 4,
    "instance": 57,
    "lease": 3,
    "level_conflict": 10,
    "nonpatient": 10,
    "origin": 9,
    "patient": 29,
    "series": 43,
    "snapshot": 5,
    "study": 57,
    "subscriber": 2,
    "subscription": 8,
    "tail": 16,
    "tombstone": 6,
    "upper_values": 3,
    "view_progress": 2,
    "workitem": 11,
    "workitem_event": 4,
}


class TestRefusal:
    def test_a_database_that_is_no_index(self, tmp_path: Path) -> None:
        sqlite3.connect(tmp_path / "x.db").execute("CREATE TABLE t (a)").connection.close()
        with pytest.raises(Damaged):
            open_index(tmp_path / "x.db")

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "x.db").write_bytes(b"something else entirely" * 300)
        with pytest.raises(Damaged):
            open_index(tmp_path / "x.db")

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(Unavailable):
            open_index(tmp_path / "file" / "index.db")

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (sqlite3.SQLITE_FULL, NoSpace),
            (sqlite3.SQLITE_BUSY, Unavailable),
            (sqlite3.SQLITE_READONLY, Unavailable),
            (sqlite3.SQLITE_IOERR, Unavailable),
            (sqlite3.SQLITE_CORRUPT, Damaged),
        ],
    )
    def test_an_error_of_sqlite_is_one_a_sender_understands(self, code: int, kind: type) -> None:
        error = sqlite3.OperationalError("no patient data here")
        error.sqlite_errorcode = code | 0x100
        assert type(translated(error)) is kind

    def test_a_full_disk_stores_nothing_and_says_so(self, tmp_path: Path) -> None:
        with open_index(tmp_path / "index.db") as index:
            index.writer.commit([put(1)])
            assert isinstance(index.database, Sqlite)
            writing = index.database._writing()
            pages = writing.execute("PRAGMA page_count").fetchone()[0]
            writing.execute(f"PRAGMA max_page_count={pages}")
            with pytest.raises(NoSpace):
                index.writer.commit([put(2, 1, number) for number in range(200)])
            assert index.reader.totals().instances == 1
            writing.execute("PRAGMA max_page_count=1000000")
            assert index.writer.commit([put(2)])[0].kind == "stored"


class TestSqlite:
    def test_a_commit_is_on_the_disk_when_it_returns(self, tmp_path: Path) -> None:
        with open_index(tmp_path / "index.db") as index:
            assert isinstance(index.database, Sqlite)
            writing = index.database._writing()
            assert writing.execute("PRAGMA synchronous").fetchone()[0] == 2
            assert writing.execute("PRAGMA journal_mode").fetchone()[0] == "wal"

    def test_the_folder_can_be_moved_while_stopped(self, tmp_path: Path) -> None:
        with open_index(tmp_path / "a" / "index.db") as index:
            index.writer.commit([put()])
        os.rename(tmp_path / "a", tmp_path / "b")
        with open_index(tmp_path / "b" / "index.db") as index:
            assert index.reader.totals().instances == 1

    def test_nothing_stays_open_after_closing(self, tmp_path: Path) -> None:
        before = set(os.listdir("/proc/self/fd"))
        with open_index(tmp_path / "index.db") as index:
            index.writer.commit([put()])
            index.reader.data_version()
            list(index.reader.find(Level.INSTANCE))
        assert set(os.listdir("/proc/self/fd")) == before
