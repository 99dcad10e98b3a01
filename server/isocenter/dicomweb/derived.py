"""Derived files (`objects.derived`) as requests want them: open, and made once for all who wait.

A file is made in the process pool. Requests for one that is being made wait for that one; when the last of
them has gone, work that has not begun is dropped. What is larger than a quarter of the cache is not kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from isocenter.errors import Unavailable
from isocenter.http.closing import closed_on_error
from isocenter.http.context import Context
from isocenter.objects import derived
from isocenter.objects.derived import Derived

_CHECKS = 16
"""The folder is measured again when a sixteenth of its size was added."""


@dataclass(slots=True)
class _Work:
    task: asyncio.Task[int]
    waiting: int = 0


class DerivedFiles:
    """The derived files of a server, as one of its processes sees them. Belongs to the event loop."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[Path, Derived], _Work] = {}
        self._added = 0
        self._trimming: asyncio.Task[int] | None = None

    async def open(
        self, context: Context, name: Derived, work: Callable[..., None], *arguments: Any
    ) -> BinaryIO:
        """The file, made by `work(path, *arguments)` in the pool when it is not there.

        Args:
            context: of the server.
            name: of the file.
            work: importable; writes a file that is there and empty.
            arguments: for `work`; all that can be pickled.
        """
        folder = context.cache
        path = derived.path_of(folder, name)
        for _ in range(3):
            file = await context.short(_open, path)
            if file is not None:
                return file
            size = await self._made(context, folder, name, work, arguments)
            file = await context.short(_open, path)
            if file is not None:
                self._account(context, folder, path, size)
                return file
        raise Unavailable("What was made of this object is gone again", hint="try again")

    async def read(
        self, context: Context, name: Derived, work: Callable[..., None], *arguments: Any
    ) -> bytes:
        """The bytes of a file that is not large; see `open`."""
        file = await self.open(context, name, work, *arguments)
        with closed_on_error(file):
            return await context.short(_read, file)

    async def _made(
        self,
        context: Context,
        folder: Path,
        name: Derived,
        work: Callable[..., None],
        arguments: tuple[Any, ...],
    ) -> int:
        key = folder, name
        found = self._under_way.get(key)
        if found is None:
            making = context.compute(derived.make, str(folder), str(context.scratch), name, work, arguments)
            found = self._under_way[key] = _Work(asyncio.ensure_future(making))
            found.task.add_done_callback(lambda task: self._done(key, task))
        found.waiting += 1
        try:
            return await asyncio.shield(found.task)
        finally:
            found.waiting -= 1
            if not found.waiting and not found.task.done():
                self._under_way.pop(key, None)
                found.task.cancel()

    def _done(self, key: tuple[Path, Derived], task: asyncio.Task[int]) -> None:
        found = self._under_way.get(key)
        if found is not None and found.task is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # told to those who wait; nobody may

    def _account(self, context: Context, folder: Path, path: Path, size: int) -> None:
        most = context.settings.cache.size
        if size > most // 4:
            with suppress(FileNotFoundError):
                os.unlink(path)  # it is open
            return
        self._added += size
        if self._added > most // _CHECKS and (self._trimming is None or self._trimming.done()):
            self._added = 0
            self._trimming = asyncio.ensure_future(context.long(derived.trim, folder, most))


def _open(path: Path) -> BinaryIO | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with suppress(OSError):
        os.utime(path)  # so that it is not the first to go
    return file


def _read(file: BinaryIO) -> bytes:
    with file:
        return file.read()
