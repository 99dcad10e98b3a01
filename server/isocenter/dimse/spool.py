"""Answers on their way to a peer: made as fast as the index gives them, taken as fast as the peer reads.

A query that waited for its peer would hold a read transaction open, and the index's log could not be trimmed
behind it. What the peer is not ready for waits here: a little in memory, the rest in a file without a name.
Not here: the query and its answers (:mod:`isocenter.dimse.find`).
"""

from __future__ import annotations

import asyncio
import marshal
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from isocenter.objects.faults import storage_errors

Batch = list[bytes]
Run = Callable[[Callable[[], None]], asyncio.Future[None]]

_IN_MEMORY = 1024 * 1024
"""Bytes that wait in memory."""


class Spool:
    """Batches made by an iterator in a thread.

    Args:
        batches: gives them, none empty; a generator is closed in its thread at the end, or when nobody wants
            more.
        folder: for the file.
        run: runs a function in a thread.
    """

    def __init__(self, batches: Iterator[Batch], folder: Path, run: Run) -> None:
        self._batches = batches
        self._folder = folder
        self._waiting: deque[tuple[Batch, int] | tuple[int, int]] = deque()  # batch, size; or offset, size
        self._held = 0  # bytes in memory
        self._counting = threading.Lock()
        self._file: IO[bytes] | None = None
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._filling = run(self._fill)
        self._filling.add_done_callback(lambda _: self._arrived.set())

    async def next(self) -> Batch:
        """The next batch, empty at the end.

        Raises:
            Exception: what the iterator raised, after what it gave.
        """
        while not self._waiting:
            if self._filling.done():
                self._filling.result()
                return []
            self._arrived.clear()
            if not self._waiting and not self._filling.done():
                await self._arrived.wait()
        where, size = self._waiting.popleft()
        if isinstance(where, list):
            self._count(-size)
            return where
        return await asyncio.to_thread(self._read, where, size)

    async def close(self) -> None:
        """Want no more; returns when the iterator is closed."""
        self._stopped = True
        await asyncio.wait([self._filling])
        if not self._filling.cancelled():
            self._filling.exception()
        if self._file is not None:
            self._file.close()

    # -- in the thread -----------------------------------------------------------------------------

    def _fill(self) -> None:
        try:
            while not self._stopped and (batch := next(self._batches, None)):
                self._put(batch)
                self._loop.call_soon_threadsafe(self._arrived.set)
        finally:
            close = getattr(self._batches, "close", None)
            if close is not None:
                close()

    def _put(self, batch: Batch) -> None:
        size = sum(map(len, batch))
        if self._held < _IN_MEMORY:
            self._count(size)
            self._waiting.append((batch, size))
            return
        packed = marshal.dumps(batch)
        with storage_errors("keep what is found"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by close
            offset = self._file.tell()
            self._file.write(packed)
            self._file.flush()
        self._waiting.append((offset, len(packed)))

    def _count(self, size: int) -> None:
        with self._counting:
            self._held += size

    def _read(self, offset: int, size: int) -> Batch:
        assert self._file is not None
        packed = os.pread(self._file.fileno(), size, offset)
        batch: Batch = marshal.loads(packed)
        return batch
