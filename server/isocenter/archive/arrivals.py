"""The objects of one dataset in the order of their arrival, as a file: found once, sorted on disk, kept
until a rebuild is done.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path

from isocenter.archive.describe import reading
from isocenter.errors import Damaged, NotFound
from isocenter.objects import ObjectInfo, ObjectStore
from isocenter.objects.part10 import Provenance, read_head

_AT_ONCE = 2000
_TABLES = (
    "arrival (received INTEGER, path TEXT, PRIMARY KEY (received, path))",
    "unreadable (path TEXT PRIMARY KEY)",
    "complete (one INTEGER)",
)

Found = Callable[[int], None]
"""Called with how many objects were looked at so far."""


class Arrivals:
    """Paths by time of arrival.

    Args:
        path: of the file; one that a rebuild left when it was killed is used again.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous=OFF")  # until all is found it can be made again
        for table in _TABLES:
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {table}")

    def fill(
        self, store: ObjectStore, dataset: str, tell: Found, shared: Mapping[str, Provenance] | None = None
    ) -> None:
        """Read the head of every object, and keep those of a dataset; done once.

        Args:
            store: the objects.
            dataset: its name.
            tell: progress.
            shared: objects of other datasets that came to this one too, and how.
        """
        if self._db.execute("SELECT 1 FROM complete").fetchone():
            return
        infos, seen = store.list(), 0
        with ThreadPoolExecutor(4 * (os.cpu_count() or 1)) as pool:
            while part := list(islice(infos, _AT_ONCE)):
                found = list(pool.map(lambda info: _arrival(store, info), part))
                self._db.execute("BEGIN")
                mine = [(received, path) for path, name, received in found if name == dataset]
                self._db.executemany("INSERT OR IGNORE INTO arrival VALUES (?, ?)", mine)
                lost = [(path,) for path, name, _ in found if name is None]
                self._db.executemany("INSERT OR IGNORE INTO unreadable VALUES (?)", lost)
                self._db.execute("COMMIT")
                seen += len(part)
                tell(seen)
        came = [(one.received, path) for path, one in (shared or {}).items() if store.info(path)]
        self._db.executemany("INSERT OR IGNORE INTO arrival VALUES (?, ?)", came)
        self._db.execute("PRAGMA synchronous=FULL")  # writes back the whole file, then the mark
        self._db.execute("INSERT INTO complete VALUES (1)")

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM arrival").fetchone()[0])

    def has(self, received: int, path: str) -> bool:
        """Whether an object says that it came to this dataset at this time."""
        text = "SELECT 1 FROM arrival WHERE received = ? AND path = ?"
        return self._db.execute(text, (received, path)).fetchone() is not None

    def unreadable(self) -> list[str]:
        """Objects whose head is broken."""
        return [row[0] for row in self._db.execute("SELECT path FROM unreadable ORDER BY path")]

    def batches(self, size: int) -> Iterator[list[str]]:
        """Paths in the order of arrival."""
        last: tuple[int, str] = (-1, "")
        while True:
            rows = self._db.execute(
                "SELECT received, path FROM arrival WHERE (received, path) > (?, ?)"
                " ORDER BY received, path LIMIT ?",
                (*last, size),
            ).fetchall()
            if not rows:
                return
            last = rows[-1]
            yield [path for _, path in rows]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _arrival(store: ObjectStore, info: ObjectInfo) -> tuple[str, str | None, int]:
    """Path, dataset (None when the head cannot be read) and time of one object."""
    try:
        with reading(info.relpath), closing(store.open(info.relpath)) as file:
            provenance = read_head(file).provenance
    except (Damaged, NotFound):
        return info.relpath, None, 0
    return info.relpath, provenance.dataset, provenance.received
