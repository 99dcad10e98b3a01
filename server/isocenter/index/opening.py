"""Opening the index of one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from isocenter.errors import Unavailable
from isocenter.index import cohorts, nonpatient, origins, worklist
from isocenter.index.database import Database
from isocenter.index.migrate import prepare
from isocenter.index.places import in_postgres
from isocenter.index.reader import Reader
from isocenter.index.sqlite import Sqlite
from isocenter.index.writer import Writer

_DECLARED = (cohorts, nonpatient, origins, worklist)
"""Modules that add tables to the schema: an index is opened only when all are known."""


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one dataset, open: `writer` changes it, `reader` answers from it. Safe for threads."""

    database: Database
    writer: Writer
    reader: Reader

    def close(self) -> None:
        """Close its connections."""
        self.database.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_index(
    place: str | Path, *, dataset: str = "main", default_issuer: str = "", lock_timeout: float = 20.0
) -> Index:
    """Open an index, creating or migrating it where needed.

    Args:
        place: path of the SQLite file, or a `postgresql://` URL.
        dataset: name of the dataset; names its schema in PostgreSQL.
        default_issuer: IssuerOfPatientID of patients that come without one.
        lock_timeout: seconds a writer waits for its turn.

    Raises:
        Unavailable: it is locked, or cannot be opened or written.
        Damaged: the file is no index, or a newer Isocenter wrote it.
    """
    database = _database(place, dataset, lock_timeout)
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return Index(database, Writer(database, default_issuer=default_issuer), Reader(database))


def _database(place: str | Path, dataset: str, lock_timeout: float) -> Database:
    if in_postgres(place):
        # psycopg is an extra: only who uses PostgreSQL needs it.
        from isocenter.index.postgres import Postgres

        return Postgres(str(place), dataset, lock_timeout=lock_timeout)
    path = Path(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable("The folder of the index cannot be made", hint=str(error.strerror)) from error
    return Sqlite(path, lock_timeout=lock_timeout)
