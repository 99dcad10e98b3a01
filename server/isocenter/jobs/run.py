"""`Run`: a job while it runs, in a process of its own: what it may use, tells and is told.

A thread beats beside the work: it tells the progress, keeps the job ours, and hears that it is to end; the
work learns that when it next tells something. Not here: starting the process (`executor`).
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from isocenter.config import Settings
from isocenter.errors import IsocenterError
from isocenter.jobs.job import CANCELLED, Job, Outcome, Trouble
from isocenter.jobs.kinds import kind_of
from isocenter.jobs.queue import Jobs
from isocenter.state import open_state

if TYPE_CHECKING:
    from isocenter.archive import Archive

BEAT, LEASE = 0.5, 10.0
"""Seconds between two beats, and that a job stays ours without one."""

log = logging.getLogger("isocenter.jobs")


class Cancelled(Exception):
    """The job is to end for good."""


class Stopped(Exception):
    """The job is to end, and will be begun anew: the server stops, or another process has it."""


def folder_of(data: Path, id: str) -> Path:
    """Where the files of a job are."""
    return data / "jobs" / id


class Run:
    """A running job; a context manager that beats.

    Args:
        settings: of the server.
        job: that was claimed.
        jobs: where it is kept, as all jobs of the server.
        owner: who claimed it.
    """

    def __init__(self, settings: Settings, job: Job, jobs: Jobs, owner: str) -> None:
        self.settings, self.job, self.parameters = settings, job, job.parameters
        self.jobs, self._owner = jobs, owner
        self._told: tuple[str, int, int] = ("starting", 0, 0)
        self._wanted: str | None = ""
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="job-beat", daemon=True)
        self._archive: Archive | None = None

    @property
    def archive(self) -> Archive:
        """The archive, opened when it is first asked for; queries run in this process."""
        if self._archive is None:
            from isocenter.archive import Archive

            self._archive = Archive(self.settings, query_process=False)
        return self._archive

    @property
    def folder(self) -> Path:
        """A folder for what the job makes, which stays as long as the job is kept."""
        folder = folder_of(self.settings.data, self.job.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def tell(self, phase: str, done: int, total: int) -> None:
        """What is being done, and how much of how much in all; total 0 while that is not known.

        Raises:
            Cancelled, Stopped: the job is to end now.
        """
        self._told = (phase, done, total)
        self.check()

    def check(self) -> None:
        """Raises Cancelled or Stopped when the job is to end."""
        if self._wanted == "cancel":
            raise Cancelled
        if self._wanted is None or self._wanted:
            raise Stopped

    @property
    def told(self) -> tuple[str, int, int]:
        """What was told last."""
        return self._told

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            try:
                self._wanted = self.jobs.beat(self.job.id, self._owner, LEASE, self._told)
            except Exception as error:  # noqa: BLE001 (the next beat tries again; the lease tells if none can)
                log.warning("The progress of a job cannot be told: %s", error)

    def __enter__(self) -> Run:
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._beating.join()
        if self._archive is not None:
            self._archive.close()


def work(settings: Settings, register: Callable[[], None], id: str, owner: str) -> None:
    """Do a claimed job in this process, and write down what became of it.

    Args:
        settings: of the server.
        register: makes the kinds known, and sets up the process.
        id: of the job.
        owner: who claimed it.
    """
    register()
    state = open_state(settings.data)
    try:
        jobs = Jobs(state)
        _do(Run(settings, jobs.get(id), jobs, owner), jobs, owner)
    finally:
        state.close()


def _do(run: Run, jobs: Jobs, owner: str) -> None:
    id = run.job.id
    try:
        shutil.rmtree(folder_of(run.settings.data, id), ignore_errors=True)  # of a first try
        with run:
            outcome = kind_of(run.job.kind).work(run)
            run.check()
        jobs.finish(id, owner, outcome, _size(run, outcome), run.told)
    except Stopped:
        jobs.release(id, owner)
    except Cancelled:
        shutil.rmtree(folder_of(run.settings.data, id), ignore_errors=True)
        jobs.fail(id, owner, CANCELLED)
    except Exception as error:  # noqa: BLE001 (told to who asked for it)
        shutil.rmtree(folder_of(run.settings.data, id), ignore_errors=True)
        jobs.fail(id, owner, _trouble(error, id))


def _size(run: Run, outcome: Outcome) -> int:
    return (run.folder / outcome.output).stat().st_size if outcome.output else 0


def _trouble(error: Exception, id: str) -> Trouble:
    """What is told of an error; of one that is our fault only that the log has it."""
    if isinstance(error, IsocenterError):
        return Trouble(error.code, error.message, error.hint)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Trouble("no-space", "There is no space left for what the job makes")
    log.error("The job %s failed", id, exc_info=error)
    return Trouble("error", "Something went wrong in the job", f"the server's log has it under {id}")


def in_new_process() -> None:
    """In a process that is to run jobs: Ctrl-C is for the server, which then says what it wants."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def outputs(data: Path) -> dict[str, Any]:
    """The folders of jobs that are there, by id."""
    folder = data / "jobs"
    return {name: folder / name for name in os.listdir(folder)} if folder.is_dir() else {}
