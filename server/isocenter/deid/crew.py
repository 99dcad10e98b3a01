"""The processes of a run: files in, outcomes out, in any order, each file exactly once.

Every worker is a process of its own, spawned. When one dies of a file, only its pieces are tried again, one
by one, and the file that kills twice is quarantined.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isocenter.deid.files import End, Files
from isocenter.deid.names import placed
from isocenter.deid.outcome import Outcome
from isocenter.deid.review import Seen
from isocenter.deid.verify import Examined
from isocenter.pool import end_with_parent

if TYPE_CHECKING:
    from isocenter.deid.deidentifier import Setup

PIECE = 16
WORTH_A_PROCESS = 500
"""Files that take longer than a process takes to start."""


class Done(NamedTuple):
    """What is told of a file: nothing of its values, unless it is for a review (`seen`)."""

    source: Path
    end: End
    reason: str = ""
    sop_instance: str = ""
    cleared: bool = False
    outcome: Outcome = Outcome(None)
    examined: Examined | None = None
    target: Path | None = None
    seen: Seen | None = None


def crew(setup: Setup, paths: list[Path], target: Path | None, workers: int | None) -> Generator[Done]:
    """Do all files, in so many processes (1: in this one; None: one a core, if there are files enough)."""
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + len(paths) // WORTH_A_PROCESS)
    if workers <= 1 or len(paths) <= 1:
        files = setup.files()
        yield from (_one(files, path, target) for path in paths)
        return
    pieces = [paths[start : start + PIECE] for start in range(0, len(paths), PIECE)]
    yield from _Crew(setup, pieces, target, min(workers, len(pieces))).run()


class _Crew:
    """Threads that each feed a process."""

    def __init__(self, setup: Setup, pieces: list[list[Path]], target: Path | None, workers: int) -> None:
        self.setup = setup
        self.target = target
        self.workers = workers
        self._pieces = queue.SimpleQueue[list[Path]]()
        for piece in pieces:
            self._pieces.put(piece)
        self._done = queue.Queue[list[Done] | BaseException | None](maxsize=4 * workers)
        self._stopped = threading.Event()

    def run(self) -> Iterator[Done]:
        threads = [threading.Thread(target=self._feed, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                told = self._done.get()
                if told is None:
                    running -= 1
                elif isinstance(told, BaseException):
                    raise told
                else:
                    yield from told
        finally:
            self._stopped.set()
            while any(thread.is_alive() for thread in threads):
                self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._done.get(timeout=0.05)

    def _feed(self) -> None:
        process = self._process()
        try:
            while not self._stopped.is_set():
                try:
                    piece = self._pieces.get_nowait()
                except queue.Empty:
                    break
                try:
                    self._done.put(process.submit(_piece, piece).result())
                except BrokenProcessPool:
                    process = self._one_by_one(piece)
        except BaseException as error:  # noqa: BLE001 (told to whoever runs it)
            self._done.put(error)
        finally:
            process.shutdown(wait=True, cancel_futures=True)
            self._done.put(None)

    def _one_by_one(self, piece: list[Path]) -> ProcessPoolExecutor:
        """After a death: find the file that did it; returns a process that lives."""
        process = self._process()
        for path in piece:
            try:
                self._done.put(process.submit(_piece, [path]).result())
            except BrokenProcessPool:
                process.shutdown(wait=True)
                process = self._process()
                self._done.put([Done(path, End.QUARANTINED, "the process that read it died of it")])
        return process

    def _process(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self.setup, self.target),
        )


_worker: tuple[Files, Path | None] | None = None


def _begin(setup: Setup, target: Path | None) -> None:
    global _worker
    end_with_parent()
    _worker = setup.files(), target


def _piece(paths: list[Path]) -> list[Done]:
    if _worker is None:
        raise AssertionError("the process was not begun")
    return [_one(_worker[0], path, _worker[1]) for path in paths]


def _one(files: Files, path: Path, target: Path | None) -> Done:
    if not path.is_file():
        if path.is_dir() or path.is_symlink():
            return Done(path, End.QUARANTINED, "it cannot be opened")
        return Done(path, End.SKIPPED, "no file")
    found = files.run(path, placed(target) if target is not None else None)
    reason = found.reason if found.end is End.QUARANTINED else ""
    bare = [change._replace(before=None, after=None) for change in found.changes]  # what was done, to nobody
    outcome = Outcome(None, bare, found.findings, reason)
    told = (found.end, found.reason, found.sop_instance, found.cleared, outcome, found.examined)
    return Done(path, *told, found.target, found.seen)
