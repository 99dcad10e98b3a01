"""Where CPU-bound work runs: processes that do one piece of work at a time, and may die of it.

Processes are spawned as work comes, one a core at most. When one dies (a decoder crashed, memory ran out)
only its own work is lost: it is tried once more, in a new process and with no other second try beside it.
What kills that one too fails.
Not here: jobs that outlive a request, threads that wait for disk and index.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
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
    """The pool of one server process; its methods belong to the thread of one event loop.

    Every process is an executor of its own. In an executor of several the death of one loses the work of all,
    and one that is just being started then may be waited for without end (seen with Python 3.11).

    Args:
        processes: how many at most; one a core by default.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._places = asyncio.Semaphore(processes or os.cpu_count() or 1)
        self._second_try = asyncio.Lock()
        self._idle: list[ProcessPoolExecutor] = []
        self._made: set[ProcessPoolExecutor] = set()

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, which can be pickled like its arguments and its result.

        Cancelling gives it up, but what was begun goes on: name files to it that it opens if they are there,
        never a descriptor, which may be another file by then.

        Raises:
            WorkLost: it killed its process, also the second time.
        """
        call = functools.partial(work, *args, **kwargs)
        try:
            return await self._run(call)
        except BrokenProcessPool:
            async with self._second_try:
                try:
                    return await self._run(call, afresh=True)
                except BrokenProcessPool as error:
                    raise WorkLost("The process that did this died of it") from error

    async def _run(self, call: Callable[[], T], *, afresh: bool = False) -> T:
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        if self._idle and afresh:
            self._forget(self._idle.pop()).shutdown(
                wait=False
            )  # what killed one process may have killed more
        executor = self._idle.pop() if self._idle and not afresh else self._new()
        try:
            future = executor.submit(call)
        except BrokenProcessPool:  # it died while it had nothing to do
            self._forget(executor)
            self._places.release()
            raise
        except BaseException:
            self._places.release()
            raise

        # Its place is taken until it is done, which may be after whoever asked has gone.
        def done(_: Future[T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._done, executor, future)

        future.add_done_callback(done)
        return await asyncio.wrap_future(future)

    def _new(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        made = ProcessPoolExecutor(1, mp_context=spawn, initializer=end_with_parent)
        self._made.add(made)
        return made

    def _done(self, executor: ProcessPoolExecutor, future: Future[T]) -> None:
        self._places.release()
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            self._forget(executor)
        else:
            self._idle.append(executor)

    def _forget(self, executor: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._made.discard(executor)
        return executor

    def close(self) -> None:
        """Let what is under way end, drop what waits, and end the processes."""
        self._idle.clear()
        while self._made:
            self._made.pop().shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """In a process of a pool: end when the server process is killed, which tells its pool nothing."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=follow, name="end-with-parent", daemon=True).start()
