"""Who may write the catalog of a dataset: one process at a time, by a lock beside it, and one machine at a
time, by a lock in the index that they share.

Delta would let several try and all but one fail; the keeper, `isocenter reindex` and a snapshot asked for
by a worker take turns instead.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from isocenter.index.database import Database
from isocenter.objects.faults import storage_errors


class CatalogLock:
    """The lock of one dataset; the same thread may take it again.

    Args:
        path: the lock file; made when missing.
        database: of the index; None where nobody else has it (a rebuild).
    """

    def __init__(self, path: Path, database: Database | None = None) -> None:
        self._path = path
        self._machines: Callable[[], AbstractContextManager[None]] = (
            nullcontext if database is None else partial(database.alone, "catalog")
        )
        self._threads = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it; waits for whoever has it."""
        with self._threads:
            if self._depth:
                yield
                return
            with storage_errors("lock the catalog"):
                file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                with self._machines():
                    self._depth += 1
                    yield
            finally:
                self._depth = 0
                os.close(file)
