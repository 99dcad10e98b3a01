"""The sweep lock: ingest shares it from an object's name to its index row, the sweeper takes it alone.

Two `flock`s in the object folder. The second one, the gate, keeps a stream of ingest from starving the
sweeper: who wants a share passes the gate first, and the sweeper closes it before it waits for the shares
to come back. The lock covers the processes of one machine.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.objects.faults import storage_errors


class Share:
    """One share of the lock; releasing twice is harmless."""

    def __init__(self, lock: SweepLock) -> None:
        self._lock: SweepLock | None = lock

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the share back."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock._leave()


class SweepLock:
    """The lock of one folder, for all threads of this process."""

    def __init__(self, folder: Path) -> None:
        self._gate = folder / ".sweep.gate"
        self._path = folder / ".sweep.lock"
        self._mutex = threading.Lock()
        self._shares = 0
        with storage_errors("open the sweep lock"):
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)

    def share(self) -> Share:
        """A share; waits while a sweeper works."""
        with self._through_gate(fcntl.LOCK_SH), self._mutex:
            if self._shares == 0:
                fcntl.flock(self._file, fcntl.LOCK_SH)
            self._shares += 1
        return Share(self)

    @property
    def generation(self) -> int:
        """Changes whenever a sweeper has removed folders (see `folders_removed`)."""
        return os.fstat(self._file).st_mtime_ns

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The whole lock; waits until every share of every process is back."""
        with self._through_gate(fcntl.LOCK_EX):
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            finally:
                os.close(file)

    def folders_removed(self) -> None:
        """Tell every process that folders it knows to be durable may be gone; call it under `exclusive`."""
        now = time.time_ns()  # given, since the kernel's own clock for files ticks every few milliseconds
        os.utime(self._path, ns=(now, now))

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)

    def _leave(self) -> None:
        with self._mutex:
            self._shares -= 1
            if self._shares == 0:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    @contextmanager
    def _through_gate(self, how: int) -> Iterator[None]:
        with storage_errors("take the sweep lock"):
            gate = os.open(self._gate, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(gate, how)
            yield
        finally:
            os.close(gate)
