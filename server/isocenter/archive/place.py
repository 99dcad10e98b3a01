"""Where a dataset lives: its index and its catalog, below the data folder.

No absolute path is stored anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.catalog.catalog import Catalog
from isocenter.config import Settings
from isocenter.index import Index, open_index

if TYPE_CHECKING:
    from isocenter.archive.questions import Questions


@dataclass(frozen=True)
class Place:
    """One dataset's place; it can be sent to another process.

    Args:
        name: of the dataset.
        folder: `<data>/datasets/<name>`.
        index: path of the SQLite file, or a PostgreSQL URL.
        default_issuer: IssuerOfPatientID of patients that come without one.
        assume_charset: character set of text beyond ASCII where the object names none.
        lock_timeout: how long a writer waits for the index, in seconds.
    """

    name: str
    folder: Path
    index: str
    default_issuer: str = ""
    assume_charset: str | None = None
    lock_timeout: float = 20.0

    @classmethod
    def of(cls, settings: Settings, name: str) -> Place:
        """The place of a dataset under these settings."""
        told = settings.all_datasets()[name]
        folder = settings.data.absolute() / "datasets" / name
        return cls(
            name,
            folder,
            settings.index.url or str(folder / "index.db"),
            default_issuer=told.default_issuer,
            assume_charset=told.assume_charset,
            lock_timeout=settings.index.lock_timeout,
        )

    def open_index(self) -> Index:
        """Open the index, creating it when missing."""
        return open_index(
            self.index, dataset=self.name, default_issuer=self.default_issuer, lock_timeout=self.lock_timeout
        )

    def open_catalog(self) -> Catalog:
        """Open the catalog, creating its folder when missing."""
        return Catalog(self.folder / "catalog")


@dataclass(frozen=True)
class MakeQuestions:
    """Makes `Questions` in the query process.

    Args:
        places: of every dataset.
        sql_seconds: deadline of one SQL statement of a user.
        sql_memory: memory of its process, in bytes.
    """

    places: tuple[Place, ...]
    sql_seconds: float = 60.0
    sql_memory: int = 2048 * 1024 * 1024

    def __call__(self) -> Questions:
        """Make it. DuckDB is loaded here, in the query process, and by no worker."""
        from isocenter.archive.questions import Questions

        return Questions(self)
