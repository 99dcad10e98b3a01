"""Where CPU-bound work runs: a pool of processes that outlives work that kills one of them.

Processes are spawned when the first work comes. When one dies (a decoder crashed, memory ran out) everything
under way in the pool is lost, whoever is to blame: the pool is made anew and each piece of work tried once
more, alone in a process of its own. What kills that one too fails, and nothing else does.
Not here: jobs that outlive a request, threads that wait for disk and index.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

from isocenter.errors import IsocenterError

P = ParamSpec("P")
T = TypeVar("T")


class WorkLost(IsocenterError):
    """The process that did the work died of it, twice."""

    code = "work-lost"


class ProcessPool:
    """The pool of one process; its methods belong to the thread of one event loop.

    Args:
        processes: how many; one a core by default.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or os.cpu_count() or 1
        self._made: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, which can be pickled like its arguments and its result.

        Cancelling gives it up, but what was begun goes on, and what waits may still begin: name files to it
        that it opens if they are there, never a descriptor, which may be another file by then.

        Raises:
            WorkLost: it killed its process, also when it was alone there.
        """
        call = functools.partial(work, *args, **kwargs)
        executor = self._made = self._made or _executor(self._processes)
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        except BrokenProcessPool:
            if self._made is executor:
                self._made = None
            await asyncio.to_thread(
                executor.shutdown
            )  # its other processes still end: none writes what we do
        return await self._alone(call)

    async def _alone(self, call: Callable[[], T]) -> T:
        async with self._turn:
            executor = _executor(1)
            try:
                return await asyncio.get_running_loop().run_in_executor(executor, call)
            except BrokenProcessPool as error:
                raise WorkLost("The process that did this died of it") from error
            finally:
                executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Let what is under way end, drop what waits, and end the processes."""
        if self._made is not None:
            self._made.shutdown(cancel_futures=True)
            self._made = None


def _executor(processes: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=spawn, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """In a process of the pool: end when the server process is killed, which tells its pool nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=follow, name="end-with-parent", daemon=True).start()
