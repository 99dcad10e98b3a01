"""`Follower`: keeps views in step with their sources, in a process of its own beside the keeper.

It looks every half second whether a view is behind, and has a step done where the keeper holds the lease of
the view. The process is started when there is something to do and ends a while after; one that dies or does
not come on is replaced, and what it died of is kept back after the third time (`archive.following`).
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from isocenter.archive import Archive, Dataset
from isocenter.archive.following import Following, is_behind, trial_of
from isocenter.config import Settings
from isocenter.jobs.run import in_new_process
from isocenter.pool import end_with_parent

LOOK = 0.5
"""Seconds between two looks at all views."""
IDLE = 60.0
"""Seconds that the process waits for more."""
STUCK = 900.0
"""Seconds after which a process that still makes the same instance is killed."""
AGAIN = 10.0
"""Seconds until what failed is tried again."""

log = logging.getLogger("isocenter.views")


class Follower:
    """Keeps all views of an archive in step.

    Args:
        archive: open.
        prepare: sets up a process (`app.in_job_process`).
        holds: whether a dataset is this keeper's to look after.
    """

    def __init__(
        self, archive: Archive, prepare: Callable[[], None], holds: Callable[[Dataset], bool]
    ) -> None:
        self._archive = archive
        self._prepare = prepare
        self._holds = holds
        self._views = [one for one in archive.datasets.values() if one.view is not None]
        self._executor: ProcessPoolExecutor | None = None
        self._used = 0.0
        self._not_before: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="isocenter-views", daemon=True)

    def start(self) -> None:
        """Begin, if there are views."""
        if self._views:
            self._thread.start()

    def stop(self) -> None:
        """End it; a step under way is killed, which harms nothing."""
        self._stopping.set()
        if self._views:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(LOOK):
                for dataset in self._views:
                    self._look(dataset)
                if self._executor is not None and time.monotonic() - self._used > IDLE:
                    self._end()
        finally:
            self._kill()

    def _look(self, dataset: Dataset) -> None:
        if self._stopping.is_set() or time.monotonic() < self._not_before.get(dataset.name, 0.0):
            return
        try:
            if dataset.view is not None and self._holds(dataset) and is_behind(dataset.view):
                self._follow(dataset)
        except BrokenProcessPool:
            log.warning("The process that follows into the view %s died", dataset.name)
            self._kill()
        except Exception:  # the next look tries again
            if not self._stopping.is_set():
                log.exception("The view %s cannot follow", dataset.name)
                self._not_before[dataset.name] = time.monotonic() + AGAIN

    def _follow(self, dataset: Dataset) -> None:
        """Have it done, and wait."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._archive.settings, self._prepare),
            )
        future = self._executor.submit(_step, dataset.name)
        self._wait(future, dataset)
        self._used = time.monotonic()
        future.result()

    def _wait(self, future: Future[int], dataset: Dataset) -> None:
        while True:
            with suppress(TimeoutError):
                wait([future], LOOK)
            if future.done():
                return
            if self._stopping.is_set() or _age(dataset) > STUCK:
                self._kill()
                wait([future])
                return

    def _end(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def _kill(self) -> None:
        executor = self._executor
        if executor is None:
            return
        for process in list((executor._processes or {}).values()):
            with suppress(OSError, ValueError):
                process.kill()
        self._end()


def _age(dataset: Dataset) -> float:
    """Seconds since the making of an instance began; 0 when none is being made."""
    try:
        return time.time() - trial_of(dataset).stat().st_mtime
    except OSError:
        return 0.0


_archive: Archive | None = None


def _begin(settings: Settings, prepare: Callable[[], None]) -> None:
    global _archive
    end_with_parent()
    in_new_process()
    prepare()
    _archive = Archive(settings, query_process=False)


def _step(name: str) -> int:
    """Follow until nothing is left; how many instances of the source were looked at."""
    if _archive is None:
        raise AssertionError("the process was not begun")
    dataset = _archive.datasets[name]
    return Following(dataset, _archive.datasets[dataset.view_of or ""]).run()
