"""One object while it arrives: bytes come in from the event loop, threads bring them to the disk.

`feed` never blocks. Little objects wait in memory and take one hop to a thread, where they are written,
hashed, fsynced and read at once; larger ones are written behind the sender, and the sender is asked to
pause (`drained`) when 4 MiB wait. What a complete object goes through is in `ingest`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from isocenter.errors import BadRequest
from isocenter.index.records import Outcome

BACKLOG_LIMIT = 4 * 1024 * 1024
"""Bytes of one object that may wait for the disk before its sender should pause."""

_WRITE_BEHIND = 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """What became of an object: the index's outcome, its index keys, its identity digest (hex)."""

    outcome: Outcome
    keys: dict[str, str]
    digest: str
    problems: tuple[str, ...] = ()


class Sink(Protocol):
    """Where the bytes of one object go; every call in a thread, one at a time."""

    def write(self, pieces: list[bytes]) -> None:
        """More of the object."""

    def complete(self, result: Future[Stored]) -> None:
        """The object is whole: store it and settle `result`, now or later."""

    def discard(self) -> None:
        """It will never be whole: leave nothing."""


class Reception:
    """One object on its way in. `feed` and `finish` belong to one thread, usually the event loop's.

    Args:
        sink: where its bytes go.
        executor: threads that may block on the disk.
    """

    def __init__(self, sink: Sink, executor: Executor) -> None:
        self._sink = sink
        self._executor = executor
        self._mutex = threading.Lock()
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._writing = 0
        self._busy = False
        self._ended: Callable[[], None] | None = None
        self._failure: BaseException | None = None
        self._result: Future[Stored] = Future()
        self._drained: list[Callable[[], object]] = []

    @property
    def backlog(self) -> int:
        """Bytes that were fed and are not on disk yet."""
        return self._waiting + self._writing

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """More of the object. `bytes` are kept as they are, other buffers copied before this returns."""
        piece = data if isinstance(data, bytes) else bytes(data)
        with self._mutex:
            if self._ended is not None:
                raise BadRequest("The object has ended already")
            if self._failure is not None:
                return  # its error is told by finish(); the sender may go on sending
            self._pieces.append(piece)
            self._waiting += len(piece)
            start = self._waiting >= _WRITE_BEHIND and not self._busy
            self._busy = self._busy or start
        if start:
            self._executor.submit(self._work)

    async def drained(self, limit: int = BACKLOG_LIMIT) -> None:
        """Return when no more than half of `limit` waits, at once when it is not exceeded."""
        if self.backlog <= limit:
            return
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        while self.backlog > limit // 2:
            event.clear()
            with self._mutex:
                self._drained.append(partial(loop.call_soon_threadsafe, event.set))
                again = not self._busy
            if again:
                return
            await event.wait()

    def finish(self) -> Future[Stored]:
        """The object is whole. The future gives what became of it, or raises why it could not be stored.

        Raises (in the future): NoSpace, Unavailable, UnreadableObject, Mismatch, Conflict.
        """
        return self._end(lambda: self._sink.complete(self._result), final=True)

    def abort(self) -> Future[Stored]:
        """The object will never be whole: nothing of it stays. The future is cancelled when that is done."""
        with self._mutex:
            self._pieces.clear()
            self._waiting = 0
        return self._end(self._discard)

    def _end(self, action: Callable[[], None], *, final: bool = False) -> Future[Stored]:
        with self._mutex:
            if self._ended is not None:
                return self._result
            self._ended = action
            if final:
                self._result.set_running_or_notify_cancel()  # who stops waiting does not stop the storing
            start = not self._busy
            self._busy = True
        if start:
            self._executor.submit(self._work)
        return self._result

    def _work(self) -> None:
        """Write what waits until nothing does; then end, if the end was told."""
        while True:
            with self._mutex:
                pieces, self._pieces = self._pieces, []
                self._writing, self._waiting = self._waiting, 0
                if not pieces:
                    ended = self._ended
                    self._busy = ended is not None
                    break
            self._write(pieces)
            self._tell_drained()
        self._tell_drained()
        if ended is not None:
            self._finish(ended)

    def _write(self, pieces: list[bytes]) -> None:
        try:
            if self._failure is None:
                self._sink.write(pieces)
        except Exception as error:  # noqa: BLE001 (told by finish)
            self._failure = error
        finally:
            self._writing = 0

    def _tell_drained(self) -> None:
        with self._mutex:
            waiting, self._drained = self._drained, []
        for tell in waiting:
            with suppress(RuntimeError):  # a loop that was closed waits for nothing
                tell()

    def _finish(self, ended: Callable[[], None]) -> None:
        try:
            if self._failure is not None:
                self._sink.discard()
                self._result.set_exception(self._failure)
            else:
                ended()
        except Exception as error:  # noqa: BLE001 (told by the future)
            self._sink.discard()
            self._result.set_exception(error)

    def _discard(self) -> None:
        self._sink.discard()
        self._result.cancel()
