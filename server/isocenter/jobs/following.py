"""`Follower`: keeps a view in step with its source, in a process of its own beside the keeper.

It looks every half second whether the view is behind, and has a step done where the keeper holds the lease of
the view. The process is started when there is something to do and ends a while after; one that dies or does
not come on is replaced, and what it died of is kept back after the third time (`archive.following`).
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
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
    """Keeps one view in step.

    Args:
        settings: of the server.
        dataset: that is a view, open.
        prepare: sets up a process (`app.in_job_process`).
        holds: whether a dataset is this keeper's to look after.
    """

    def __init__(
        self,
        settings: Settings,
        dataset: Dataset,
        prepare: Callable[[], None],
        holds: Callable[[Dataset], bool],
    ) -> None:
        self._settings = settings
        self._dataset = dataset
        self._prepare = prepare
        self._holds = holds
        self._executor: ProcessPoolExecutor | None = None
        self._used = 0.0
        self._not_before = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="isocenter-view", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it; a step under way is killed, which harms nothing."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(LOOK):
                self._look()
                if self._executor is not None and time.monotonic() - self._used > IDLE:
                    self._end()
        finally:
            self._kill()

    def _look(self) -> None:
        view = self._dataset.view
        if view is None or time.monotonic() < self._not_before:
            return
        try:
            if self._holds(self._dataset) and is_behind(view):
                self._follow()
        except BrokenProcessPool:
            self._kill()
            if not self._stopping.is_set():
                log.warning("The process that follows into the view %s died", view.name)
        except Exception:  # the next look tries again
            log.exception("The view %s cannot follow", view.name)
            self._not_before = time.monotonic() + AGAIN

    def _follow(self) -> None:
        """Have it done, and wait."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._settings, self._prepare),
            )
        future = self._executor.submit(_step, self._dataset.name)
        while not wait([future], LOOK).done:
            stops = self._stopping.is_set()
            if stops or _age(self._dataset) > STUCK:
                self._kill()
                if stops:  # nothing died of it
                    trial_of(self._dataset).unlink(missing_ok=True)
        self._used = time.monotonic()
        future.result()

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
