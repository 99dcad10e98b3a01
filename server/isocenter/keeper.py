"""The keeper: the one process that flushes, compacts, vacuums, prunes and sweeps.

A lease in each dataset's index lets several machines run keepers while one works; it is renewed beside the
work, however long that takes. Work runs in a thread, so that a long flush does not look like a stalled loop.
What fails is logged and tried again at its next turn: an acknowledged instance is safe in the tail meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from isocenter.archive import Archive, Dataset
from isocenter.child import Child
from isocenter.config import Settings
from isocenter.errors import IsocenterError
from isocenter.jobs.executor import Runner
from isocenter.jobs.following import Follower
from isocenter.objects import derived
from isocenter.supervisor import Sockets
from isocenter.worklist.workitems import Worklist

LOOK = 1.0
"""Seconds between two looks at what is due."""
LEASE = 60.0
"""Seconds that a lease holds; renewed at a third of it."""
COMPACT, UPKEEP = 60.0, 600.0
"""Seconds between compactions, and between rounds of vacuum, prune and sweep."""

log = logging.getLogger("isocenter.keeper")


def keeper(
    settings: Settings, sockets: Sockets, pipe: Connection, *, prepare: Callable[[], None] | None = None
) -> None:
    """The keeper process.

    Args:
        settings: all of them.
        sockets: of the server; it listens on none.
        pipe: to the supervisor.
        prepare: sets up a process that runs a job; without it none is run.
    """
    sockets.close()
    Child(pipe).run(functools.partial(_service, settings, prepare))


@contextlib.asynccontextmanager
async def _service(settings: Settings, prepare: Callable[[], None] | None) -> AsyncIterator[None]:
    if prepare is not None:
        prepare()
    archive = Archive.open(settings)
    keeper = Keeper(archive)
    work = asyncio.create_task(keeper.run())
    beside: list[Runner | Follower] = []
    if prepare is not None:
        views = [one for one in archive.datasets.values() if one.view is not None]
        followers = [Follower(settings, one, prepare, keeper.has) for one in views]
        beside = [Runner(settings, prepare), *followers]
    try:
        for one in beside:
            one.start()
        yield
    finally:
        for one in beside:
            await asyncio.to_thread(one.stop)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        await asyncio.to_thread(archive.close)


@dataclass
class Turn:
    """A piece of work that comes round; one that `repeats` does a part at a time, until nothing is left."""

    name: str
    every: float
    due: Callable[[], bool]
    work: Callable[[], object]
    last: float = field(default_factory=time.monotonic)
    repeats: bool = False


class Keeper:
    """Looks after all datasets of an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._turns = {name: self._turns_of(dataset) for name, dataset in archive.datasets.items()}
        self._held_until: dict[str, float] = {}
        self._sweep = Turn("sweep", UPKEEP, _always, self.sweep)
        cache, most = archive.settings.data / "cache" / "objects", archive.settings.cache.size
        self._trim = Turn("trim", UPKEEP, _always, lambda: derived.trim(cache, most))

    async def run(self) -> None:
        """Look and work until cancelled; work under way is finished first."""
        renewing = asyncio.create_task(self._renew())
        try:
            await self._work()
        finally:
            renewing.cancel()

    async def _work(self) -> None:
        while True:
            started = asyncio.ensure_future(asyncio.to_thread(self.look))
            try:
                await asyncio.shield(started)
            except asyncio.CancelledError:
                await started
                await asyncio.to_thread(self._last_words)
                raise
            await asyncio.sleep(LOOK)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            await asyncio.to_thread(self.renew)

    def renew(self) -> None:
        """Prolong every lease that is ours, work under way or not."""
        for name, dataset in self._archive.datasets.items():
            if self._held_until.get(name):
                try:
                    held = dataset.index.writer.renew_lease("keeper", self._owner, LEASE) is not None
                except IsocenterError as error:
                    log.warning("The keeper's lease of %s cannot be renewed: %s", name, error)
                    continue
                self._held_until[name] = time.monotonic() + LEASE if held else 0.0

    def look(self) -> None:
        """Do everything that is due, in each dataset whose lease is ours."""
        holds_all = True
        for name, dataset in self._archive.datasets.items():
            if self._holds(dataset):
                for turn in self._turns[name]:
                    self._take(turn, name)
            else:
                holds_all = False
        if holds_all:
            self._take(self._sweep, "objects")
        self._take(self._trim, "the cache")  # of this machine, whoever holds the leases

    def sweep(self) -> None:
        """Remove objects that nothing names, and with them whatever was derived of some object and kept."""
        if self._archive.sweep().removed:
            for path in (self._archive.data / "cache").glob("*/**/[!.]*"):
                if path.is_file():
                    path.unlink(missing_ok=True)

    def has(self, dataset: Dataset) -> bool:
        """Whether the lease of a dataset is ours, as far as we know."""
        return time.monotonic() < self._held_until.get(dataset.name, 0.0)

    def _holds(self, dataset: Dataset) -> bool:
        now = time.monotonic()
        if now < self._held_until.get(dataset.name, 0.0):
            return True  # each renewal is a durable write: not at every look
        try:
            held = dataset.index.writer.take_lease("keeper", self._owner, LEASE) is not None
            self._held_until[dataset.name] = now + LEASE if held else 0.0
            return held
        except IsocenterError as error:
            log.warning("The keeper's lease of %s cannot be had: %s", dataset.name, error)
            return False

    def _take(self, turn: Turn, where: str) -> None:
        if time.monotonic() - turn.last < turn.every:
            return
        again: object = False
        try:
            again = turn.due() and turn.work() and turn.repeats
        except Exception:  # one dataset's trouble must not stop the others; the next turn tries again
            log.exception("%s of %s failed", turn.name, where)
        turn.last = -math.inf if again else time.monotonic()

    def _turns_of(self, dataset: Dataset) -> list[Turn]:
        settings = self._archive.settings.catalog

        def flush_is_due() -> bool:
            rows, oldest = dataset.index.reader.waiting()
            age = 0.0 if oldest is None else time.time() - oldest / 1e6
            return rows >= settings.flush_rows or (rows > 0 and age >= settings.flush_seconds)

        def trim_changes() -> int:
            return dataset.index.writer.trim_changes(self._archive.settings.index.changes_kept)

        restarted = Worklist(dataset.index).announce_restart
        return [
            Turn("restart", math.inf, _always, restarted, last=-math.inf),  # once
            Turn("snapshot", 0.0, lambda: _has_pending_snapshot(dataset), dataset.complete_snapshots),
            Turn("flush", 0.0, flush_is_due, dataset.flush),
            Turn("compaction", COMPACT, _always, lambda: dataset.compact(), repeats=True),
            Turn("vacuum", UPKEEP, _always, lambda: dataset.vacuum()),
            Turn("prune", UPKEEP, _always, dataset.index.writer.prune),
            Turn("change log", UPKEEP, _always, trim_changes),
        ]

    def _last_words(self) -> None:
        """On a clean stop: flush what waits, give the leases back."""
        for name, dataset in self._archive.datasets.items():
            if not self._holds(dataset):
                continue
            waits = functools.partial(_has_tail, dataset)
            self._take(Turn("last flush", 0.0, waits, dataset.flush, 0.0), name)
            dataset.index.writer.release_lease("keeper", self._owner)


def _has_tail(dataset: Dataset) -> bool:
    return dataset.index.reader.waiting()[0] > 0


def _has_pending_snapshot(dataset: Dataset) -> bool:
    return any(snapshot.heads is None for snapshot in dataset.snapshots())


def _always() -> bool:
    return True
