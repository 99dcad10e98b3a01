"""The processes of a run: files in, what became of them out, in any order, each file exactly once.

A process is given pieces and answers file by file, so that it is known which file it is at. When it dies,
that file is tried once more by another, alone, and quarantined if that dies too; when a file takes longer
than the limit, its process is ended and the file quarantined. Processes are forked from a server that has
imported what they need (spawned where there is none). Not here: what is done with a file (`files`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from isocenter.deid.files import End, FileOutcome, Files
from isocenter.deid.names import placed
from isocenter.deid.outcome import Finding
from isocenter.deid.results import settle_names, sweep
from isocenter.deid.review import Seen
from isocenter.deid.verify import Examined
from isocenter.errors import Damaged
from isocenter.pool import end_with_parent

if TYPE_CHECKING:
    from isocenter.deid.deidentifier import Setup

PIECE = 16
WORTH_A_PROCESS = 500
"""Files that take longer than a process takes to start."""
FILE_SECONDS = 900.0
"""As long as a file may take where nothing else is told: large ones with OCR or boxes need minutes."""
LEAST_MEMORY = 2 << 30
_STARTS = 3
_LONGEST_WAIT = 60.0

Action = tuple[tuple[int, ...], str, str]


class Done(NamedTuple):
    """What is told of a file: nothing of its values, unless it is for a review (`seen`).

    Attributes:
        source: the file.
        end: out, quarantined or skipped.
        reason: why, when it is not out.
        sop_instance: new UID of the object.
        cleared: whether Patient Identity Removed is YES.
        actions: place, step and reason of each change.
        findings: what a person should look at.
        examined: what the second reader saw; None where it did not look.
        target: where the result is; None when there is none.
        seen: what was done, with values; None where none is asked for. Identifying.
    """

    source: Path
    end: End
    reason: str = ""
    sop_instance: str = ""
    cleared: bool = False
    actions: Sequence[Action] = ()
    findings: Sequence[Finding] = ()
    examined: Examined | None = None
    target: Path | None = None
    seen: Seen | None = None


def crew(
    setup: Setup,
    paths: list[Path],
    target: Path | None,
    workers: int | None = 1,
    seconds: float | None = None,
) -> Generator[Done]:
    """Do all files.

    A face is found in a whole volume: where faces are to be taken away, all files are looked at before.

    Args:
        setup: how.
        paths: the files.
        target: where results go; None writes nothing.
        workers: processes (1: in this one, unless there is a limit; None: one a core, if files are enough).
        seconds: how long a file may take; None has the usual limit in processes of their own, and none in
            this one; 0 has none.
    """
    setup = setup.seeing(paths)
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + len(paths) // WORTH_A_PROCESS)
    workers = min(workers, -(-len(paths) // PIECE))
    if paths and (workers > 1 or seconds):
        limit = FILE_SECONDS if seconds is None else seconds or float("inf")
        made = _Crew(setup, target, limit).run(paths, workers)
    else:
        made = _alone(setup, target, paths)
    folders: set[Path] = set()
    with contextlib.closing(made):
        for done in made:
            if done.target is not None:
                folders.add(done.target.parent)
            yield done
    if target is not None and folders:
        settle_names(folders, target)


def _alone(setup: Setup, target: Path | None, paths: list[Path]) -> Generator[Done]:
    """All files in this process; while the disk stores one, the next is made."""
    files = setup.files()
    with ThreadPoolExecutor(1) as disk:
        before: Future[Done] | None = None
        for path in paths:
            now = disk.submit(_told, path, _begun(files, path, target))
            if before is not None:
                yield before.result()
            before = now
        if before is not None:
            yield before.result()


class _Crew:
    """Processes that do files, none longer than a limit in seconds."""

    def __init__(self, setup: Setup, target: Path | None, limit: float) -> None:
        self.setup = setup
        self.target = target
        self.limit = limit
        self._unstarted = 0
        self._tried: set[Path] = set()

    def run(self, paths: list[Path], number: int) -> Generator[Done]:
        """Do all of them, in so many processes."""
        pieces = deque(paths[start : start + PIECE] for start in range(0, len(paths), PIECE))
        team: list[_Worker] = []
        with tempfile.TemporaryDirectory() as scratch:
            memory = max(LEAST_MEMORY, _physical() // number)
            try:
                while pieces or team:
                    while pieces and len(team) < number:
                        team.append(_Worker(self.setup, self.target, scratch, memory))
                    for worker in list(team):
                        yield from worker.told()
                        if worker.lives(self.limit):
                            worker.feed(pieces, self._tried)
                        else:
                            team.remove(worker)
                            yield from self._lost(worker, pieces)
                    _wait(team, self.limit)
            finally:
                for worker in team:
                    worker.end()

    def _lost(self, worker: _Worker, pieces: deque[list[Path]]) -> Iterator[Done]:
        """After the end of a process: quarantine the file that did it, or try once more."""
        worker.end()
        if worker.finished:
            return
        if self.target is not None:
            sweep(self.target, worker.pid)
        self._unstarted += not worker.ready
        if self._unstarted >= _STARTS:
            raise Damaged("The processes that de-identify cannot be started")
        left = list(worker.at)
        if left and worker.ready:
            first = left.pop(0)
            if worker.overdue:
                yield Done(first, End.QUARANTINED, f"it took longer than {self.limit:g} seconds")
            elif first in self._tried:
                yield Done(first, End.QUARANTINED, "the process that read it died of it")
            else:
                self._tried.add(first)
                pieces.appendleft([first])
        if left:
            pieces.append(left)


class _Worker:
    """A process that does files.

    Attributes:
        at: files that it was given and has not answered; it is at the first.
        ready: whether it has begun.
        overdue: whether it was ended for its time.
        finished: whether it has done all it was given, and there was no more.
    """

    def __init__(self, setup: Setup, target: Path | None, scratch: str, memory: int) -> None:
        context = _context()
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, setup, target, scratch, memory)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.pid = self.process.pid or 0
        self.at: deque[Path] = deque()
        self.ready = self.overdue = self.finished = self.dead = False
        self.since = time.monotonic()

    def told(self) -> Iterator[Done]:
        """What it has answered since."""
        while not self.dead:
            try:
                if not self.pipe.poll():
                    return
                told = self.pipe.recv()
            except Exception:  # noqa: BLE001 (the end of the pipe, or half an answer)
                self.dead = True
                return
            self.since = time.monotonic()
            if isinstance(told, BaseException):
                raise told
            if told is None:
                self.ready = True
            else:
                yield Done(self.at.popleft(), *told)

    def lives(self, limit: float) -> bool:
        """Whether it goes on; if not, whether for its time."""
        if not self.dead and self.ready and self.at and time.monotonic() - self.since > limit:
            self.overdue = not self.pipe.poll()
        return not (self.dead or self.overdue or self.finished)

    def feed(self, pieces: deque[list[Path]], alone: set[Path]) -> None:
        """Give it work before it has none, or the end when there is none left.

        Files that are done `alone` are not mixed with others: it is told from the first that is not answered
        at which a process died, and the disk may still be storing the one before.
        """
        if not self.ready or len(self.at) > PIECE // 2:
            return
        if self.at and (not pieces or not alone.isdisjoint((self.at[-1], *pieces[0]))):
            return
        piece = pieces.popleft() if pieces else []
        if not self.at:
            self.since = time.monotonic()
        self.at.extend(piece)
        self.finished = not piece
        with contextlib.suppress(OSError):  # it died: told when it is asked
            self.pipe.send(piece)

    def end(self) -> None:
        """Wait for its end, or end it."""
        if not self.finished:
            self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


def _wait(team: list[_Worker], limit: float) -> None:
    """Until one has something to tell, or is overdue."""
    if not team:
        return
    now = time.monotonic()
    left = min(worker.since + limit - now if worker.at else limit for worker in team)
    wait([worker.pipe for worker in team], max(0.0, min(left, _LONGEST_WAIT)) + 0.01)


_LONGEST_FOLDER = 70
"""Of a path of a socket (108 bytes at most; macOS 104), what leaves room for names in it."""


def _context() -> Any:
    """How processes are made. A fork server listens in the temporary folder, at a path that must be short."""
    fits = len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_FOLDER
    if "forkserver" not in multiprocessing.get_all_start_methods() or not fits:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _physical() -> int:
    """Bytes of memory of the machine; 0 where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _work(pipe: Connection, setup: Setup, target: Path | None, scratch: str, memory: int) -> None:
    """What a process does: files until there are no more."""
    end_with_parent()
    tempfile.tempdir = scratch  # emptied by whoever started it, should it die
    try:
        _limit(memory)
        files = setup.files()
    except Exception as error:  # noqa: BLE001 (told to whoever started it)
        pipe.send(error)
        return
    with (
        contextlib.suppress(EOFError, OSError, KeyboardInterrupt),  # whoever started it is gone
        ThreadPoolExecutor(1) as disk,
    ):
        pipe.send(None)
        before: Future[None] | None = None
        while piece := pipe.recv():
            for path in piece:
                finish = _begun(files, path, target)
                if before is not None:
                    before.result()
                before = disk.submit(lambda path, finish: pipe.send(_told(path, finish)[1:]), path, finish)


def _limit(memory: int) -> None:
    """An allocation beyond this fails, and with it the file, not the machine (files mapped do not count)."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory if most < 0 else min(memory, most), most))


def _begun(files: Files, path: Path, target: Path | None) -> Callable[[], FileOutcome]:
    """Do a file but for the wait for the disk, in this process."""
    if path.is_file():
        return files.begin(path, placed(target) if target is not None else None)
    if path.is_dir() or path.is_symlink():
        found = FileOutcome(End.QUARANTINED, "it cannot be opened")
    else:
        found = FileOutcome(End.SKIPPED, "no file")
    return lambda: found


def _told(path: Path, finish: Callable[[], FileOutcome]) -> Done:
    """What is told of a file, once the disk has it."""
    found = finish()
    actions = [(change.path, change.step.do.name, change.step.why) for change in found.changes]
    said = (found.end, found.reason, found.sop_instance, found.cleared)
    return Done(path, *said, actions, found.findings, found.examined, found.target, found.seen)
