"""Whose turn it is to send to a destination: so many moves at a time, over all server processes of a machine.

Each place is a lock file (`flock`), which the system frees when a process dies. Who waits in this process
does so in the order of arrival; between processes whoever looks first when a place is free has it.
Not here: the sending (:mod:`isocenter.dimse.move`).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from pathlib import Path

from isocenter.objects.faults import storage_errors

_AGAIN = 0.1
"""Seconds between looks at places that other processes hold."""


class Turn:
    """A place that is held."""

    def __init__(self, lock: int, here: asyncio.Semaphore) -> None:
        self._lock = lock
        self._here = here

    def end(self) -> None:
        """Give it to the next; call it once."""
        os.close(self._lock)
        self._here.release()


class Turns:
    """The places of all destinations.

    Args:
        folder: of the lock files; made when needed, shared by the processes.
        places: for each destination.
    """

    def __init__(self, folder: Path, places: int) -> None:
        self._folder = folder
        self._places = places
        self._here: dict[str, asyncio.Semaphore] = {}

    async def take(self, ae_title: str) -> Turn:
        """Wait for a place at this destination.

        Raises:
            NoSpace, Unavailable: there can be no lock file.
        """
        here = self._here.setdefault(ae_title, asyncio.Semaphore(self._places))
        await here.acquire()
        try:
            while (lock := self._lock(ae_title)) is None:
                await asyncio.sleep(_AGAIN)
        except BaseException:
            here.release()
            raise
        return Turn(lock, here)

    def _lock(self, ae_title: str) -> int | None:
        """A descriptor that holds the lock of a free place."""
        name = ae_title.encode().hex()  # a title may have any character, also "/"
        with storage_errors("lock a destination"):
            self._folder.mkdir(parents=True, exist_ok=True)
            for place in range(self._places):
                path = self._folder / f"{name}.{place}"
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    os.close(descriptor)
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                else:
                    return descriptor
        return None
