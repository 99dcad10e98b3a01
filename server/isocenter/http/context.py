"""What every handler shares: archive, settings, tokens, and the threads that wait for disk and index."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from isocenter.config import Settings
from isocenter.pool import ProcessPool
from isocenter.security import Tokens

if TYPE_CHECKING:
    from isocenter.archive import Archive
    from isocenter.jobs import Jobs

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
        pool: where CPU-bound work runs; the long threads when None.
        scratch: folder for converted objects on their way; `run/scratch` in the data folder when None.
        dicom_port: the port that DICOM really listens on; the one of the settings when None.
        jobs: of the server; it takes none when None.
    """

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        tokens: Tokens,
        *,
        pool: ProcessPool | None = None,
        scratch: Path | None = None,
        dicom_port: int | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self.archive = archive
        self.settings = settings
        self.tokens = tokens
        self.jobs = jobs
        self.dicom_port = settings.dicom.port if dicom_port is None else dicom_port
        self._short = ThreadPoolExecutor(_SHORT_THREADS, thread_name_prefix="http-short")
        self._long = ThreadPoolExecutor(_LONG_THREADS, thread_name_prefix="http-long")
        self._pool = pool
        self._sharing = threading.Lock()
        self._shared: dict[type, object] = {}
        self.scratch = scratch or settings.data / "run" / "scratch"
        self.cache = settings.data / "cache" / "objects"
        for folder in (self.scratch, self.cache):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def short(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what takes milliseconds but may block."""
        return await _in(self._short, work, *args, **kwargs)

    async def long(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what may take seconds."""
        return await _in(self._long, work, *args, **kwargs)

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what keeps a core busy; `work` and its arguments can be pickled.

        Raises:
            WorkLost: it killed the process that ran it, twice.
        """
        if self._pool is None:
            return await self.long(work, *args, **kwargs)
        return await self._pool.run(work, *args, **kwargs)

    def shared(self, kind: type[T]) -> T:
        """The one object of `kind`, made without arguments, that all requests share: a cache."""
        with self._sharing:
            made = self._shared.get(kind)
            if made is None:
                made = self._shared[kind] = kind()
        return cast(T, made)

    def close(self) -> None:
        """Stop the threads when their work is done."""
        self._short.shutdown(cancel_futures=True)
        self._long.shutdown(cancel_futures=True)


async def _in(executor: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    given = executor.submit(functools.partial(work, *args, **kwargs))
    try:
        return await asyncio.wrap_future(given)
    except asyncio.CancelledError:
        given.add_done_callback(_drop)
        raise


def _drop(given: Future[Any]) -> None:
    """Close what a thread opened for a request that has ended meanwhile: nobody else would."""
    if not given.cancelled() and given.exception() is None:
        close = getattr(given.result(), "close", None)
        if callable(close):
            close()
