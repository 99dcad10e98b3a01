"""Local copies of data files that live in an object store, so that DuckDB needs no extension to read them.

Data files never change, so a copy is right for ever; copies of files that left the table are dropped by
`trim`.

Not here: which files make a version (`delta`), how much space copies may take (whoever calls `trim`).
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Collection
from pathlib import Path

from isocenter.catalog.parquet import Folder


class Mirror:
    """Copies of the data files of one table.

    Args:
        folder: the table in its object store.
        place: a local folder for the copies; processes may share it.
    """

    def __init__(self, folder: Folder, place: Path) -> None:
        self._folder = folder
        self._place = place
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """The local copy of a data file, fetched when there is none."""
        target = self._place / name
        if not target.exists():
            with self._lock:
                if not target.exists():
                    self._fetch(name, target)
        return target

    def _fetch(self, name: str, target: Path) -> None:
        self._place.mkdir(parents=True, exist_ok=True)
        partial = self._place / f".{name}.{uuid.uuid4().hex}"
        try:
            with self._folder.open(name) as source, partial.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            partial.rename(target)  # whole or absent; a process that fetched the same meanwhile loses nothing
        finally:
            partial.unlink(missing_ok=True)

    def trim(self, keep: Collection[str]) -> list[str]:
        """Drop the copies of files not named in `keep`; returns their names."""
        if not self._place.exists():
            return []
        gone = [path for path in self._place.glob("*.parquet") if path.name not in keep]
        for path in gone:
            path.unlink(missing_ok=True)
        return [path.name for path in gone]
