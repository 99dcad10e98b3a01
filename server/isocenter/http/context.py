"""What every handler shares: archive, settings, tokens, and the threads that wait for disk and index."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from isocenter.config import Settings
from isocenter.security import Tokens

if TYPE_CHECKING:
    from isocenter.archive import Archive

P = ParamSpec("P")
T = TypeVar("T")

# Short work waits for a page of the disk or an indexed lookup. Long work is a research query or a conversion;
# it has threads of its own, so that a few of them never hold up frames and searches.
_SHORT_THREADS = 16
_LONG_THREADS = 8


class Context:
    """The shared parts of one server process.

    Args:
        archive: the open archive.
        settings: the settings it was opened with.
        tokens: who may ask.
        pool: where CPU-bound work runs (a process pool); the long threads when None.
    """

    def __init__(
        self, archive: Archive, settings: Settings, tokens: Tokens, *, pool: Executor | None = None
    ) -> None:
        self.archive = archive
        self.settings = settings
        self.tokens = tokens
        self._short = ThreadPoolExecutor(_SHORT_THREADS, thread_name_prefix="http-short")
        self._long = ThreadPoolExecutor(_LONG_THREADS, thread_name_prefix="http-long")
        self._pool = pool

    async def short(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what takes milliseconds but may block."""
        return await _in(self._short, work, *args, **kwargs)

    async def long(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what may take seconds."""
        return await _in(self._long, work, *args, **kwargs)

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what keeps a core busy; `work` and its arguments can be pickled."""
        return await _in(self._pool or self._long, work, *args, **kwargs)

    def close(self) -> None:
        """Stop the threads when their work is done."""
        self._short.shutdown(cancel_futures=True)
        self._long.shutdown(cancel_futures=True)


async def _in(executor: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    bound = functools.partial(work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(executor, bound)
