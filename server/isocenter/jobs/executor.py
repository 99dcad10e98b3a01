"""`Runner`: takes jobs that wait and runs each in a process of its own, some at a time.

One runs in the keeper. Processes are spawned by executors of `concurrent.futures`, one of one process a job,
so that the death of one loses that job alone, and one that does not hear that it is cancelled can be killed.
A process that is done waits a while for the next job.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field

from isocenter.config import Settings
from isocenter.jobs.job import Job
from isocenter.jobs.queue import Jobs
from isocenter.jobs.run import LEASE, folder_of, in_new_process, outputs, work
from isocenter.pool import end_with_parent
from isocenter.state import open_state

LOOK = 0.25
"""Seconds between two looks at whether the jobs changed, which cost microseconds."""
LOOK_ANYHOW = 2.0
"""Seconds between two looks at all jobs though nothing changed: a lease may have run out."""
ORPHANS = 0.5
"""Seconds that processes of a runner that was killed have to notice it."""
DEAF = 20.0
"""Seconds after which a job that goes on though it was cancelled is killed."""
PATIENCE = 6.0
"""Seconds that running jobs have to end when the server stops."""
IDLE = 30.0
"""Seconds that a process waits for another job."""
TRIM = 300.0

log = logging.getLogger("isocenter.jobs")


@dataclass
class _Running:
    """One job and its process."""

    job: Job
    executor: ProcessPoolExecutor
    future: Future[None]
    cancelled: float = field(default=0.0)

    def kill(self) -> None:
        """End its process at once."""
        for process in list((self.executor._processes or {}).values()):
            with suppress(OSError, ValueError):
                process.kill()


class Runner:
    """Runs jobs, in a thread of its own between `start` and `stop`. There is one at a time for a data folder.

    Args:
        settings: of the server.
        register: makes the kinds known in a process; importable from its module.
    """

    def __init__(self, settings: Settings, register: Callable[[], None]) -> None:
        self._settings, self._register = settings, register
        self._state = open_state(settings.data)
        self._jobs = Jobs(self._state)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"
        self._running: dict[str, _Running] = {}
        self._idle: list[tuple[float, ProcessPoolExecutor]] = []
        self._stopping = threading.Event()
        self._seen, self._looked, self._trimmed = -1, 0.0, -TRIM
        self._thread = threading.Thread(target=self._run, name="isocenter-jobs", daemon=True)

    def start(self) -> None:
        """Begin to look for jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Give what runs back to the queue and end the processes."""
        self._stopping.set()
        self._thread.join()
        self._jobs.stop(list(self._running))
        wait([one.future for one in self._running.values()], PATIENCE)
        for one in self._running.values():
            if not one.future.done():
                one.kill()
        for one in list(self._running.values()):
            wait([one.future])
            self._reap(one)
        self._end_idle(0.0)
        self._state.close()

    def _run(self) -> None:
        if not self._stopping.wait(ORPHANS):
            self._take_over()
        while not self._stopping.wait(LOOK):
            try:
                self.look()
            except Exception:  # the next look tries again
                log.exception("Looking for jobs failed")

    def look(self) -> None:
        """Take note of what ended, and begin what waits."""
        ended = [one for one in self._running.values() if one.future.done()]
        for one in ended:
            self._reap(one)
        self._end_idle(IDLE)
        version = self._jobs.version()
        if version == self._seen and not ended and time.monotonic() - self._looked < LOOK_ANYHOW:
            return
        self._seen, self._looked = version, time.monotonic()
        self._recover()
        while len(self._running) < self._settings.jobs.at_once:
            claimed = self._jobs.claim(self._owner, LEASE + PATIENCE)  # a process takes a while to start
            if claimed is None:
                break
            self._begin(claimed)
        if time.monotonic() - self._trimmed >= TRIM:
            self._trimmed = time.monotonic()
            self._trim()

    def _take_over(self) -> None:
        """Begin what ran when the server was killed: there is no other runner, and its processes are gone."""
        try:
            for job in self._jobs.running():
                if self._jobs.recover(job.id, expired=False):
                    log.warning("The job %s ran when the server was killed", job.id)
        except Exception:  # its lease runs out, and then it is looked for again
            log.exception("Looking for jobs of the last start failed")

    def _begin(self, job: Job) -> None:
        executor = self._idle.pop()[1] if self._idle else _new_process()
        try:
            future = executor.submit(work, self._settings, self._register, job.id, self._owner)
        except BrokenProcessPool:  # it died while it waited
            executor.shutdown()
            executor = _new_process()
            future = executor.submit(work, self._settings, self._register, job.id, self._owner)
        self._running[job.id] = _Running(job, executor, future)

    def _reap(self, one: _Running) -> None:
        """Take note that its process is done, or died."""
        del self._running[one.job.id]
        error = one.future.exception()
        if error is None:
            self._idle.append((time.monotonic(), one.executor))
        else:
            one.executor.shutdown()
            if not isinstance(error, BrokenProcessPool):
                log.error("The job %s could not be run", one.job.id, exc_info=error)
        self._jobs.recover(one.job.id, expired=False)  # nothing, when it wrote down what became of it

    def _recover(self) -> None:
        for job in self._jobs.running():
            mine = self._running.get(job.id)
            if mine is None:
                if self._jobs.recover(job.id):
                    log.warning("The process of the job %s is gone", job.id)
            elif job.wanted == "cancel":
                mine.cancelled = mine.cancelled or time.monotonic()
                if time.monotonic() - mine.cancelled > DEAF:
                    mine.kill()

    def _end_idle(self, seconds: float) -> None:
        """End the processes that waited so long."""
        waiting, self._idle = self._idle, []
        for since, executor in waiting:
            if time.monotonic() - since >= seconds:
                executor.shutdown(wait=seconds == 0.0)
            else:
                self._idle.append((since, executor))

    def _trim(self) -> None:
        """Forget what was over long ago, and the files of jobs that are not known."""
        self._jobs.trim(self._settings.jobs.kept)
        known = {job.id for job in self._jobs.all()}
        for id in outputs(self._settings.data).keys() - known:
            shutil.rmtree(folder_of(self._settings.data, id), ignore_errors=True)


def _new_process() -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=spawn, initializer=_initialize)


def _initialize() -> None:
    end_with_parent()
    in_new_process()
