"""What every process under the supervisor does alike: log, say that it lives, stop when told or orphaned."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from multiprocessing.connection import Connection

from isocenter.errors import IsocenterError

BEAT = 1.0
"""Seconds between two signs of life; the supervisor waits ten times as long."""

log = logging.getLogger("isocenter")


def log_to_standard_error(level: int = logging.INFO) -> None:
    """One line an event. Libraries that would log identifiers or values speak from WARNING on, or never."""
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("isocenter").setLevel(level)
    logging.getLogger("isocenter.http.access").setLevel(logging.WARNING)
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Child:
    """The life of one process.

    Args:
        pipe: to the supervisor. `"ready"` goes up once, `"alive"` each second, an error instead of ready.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stop = asyncio.Event()

    def run(self, services: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Open `services`, stay until told to stop, close them."""
        # Ctrl-C reaches the whole process group: the supervisor alone decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        log_to_standard_error()
        asyncio.run(self._live(services))

    async def _live(self, services: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        # Nothing is ever sent down: the pipe becomes readable when the supervisor is gone.
        loop.add_reader(self._pipe.fileno(), self._stop.set)
        try:
            async with services():
                self._say("ready")
                await self._beat_until_stopped()
        except IsocenterError as error:
            self._say(error)
        finally:
            loop.remove_reader(self._pipe.fileno())

    async def _beat_until_stopped(self) -> None:
        while not self._stop.is_set():
            self._say("alive")
            try:
                await asyncio.wait_for(self._stop.wait(), BEAT)
            except TimeoutError:
                continue

    def _say(self, word: object) -> None:
        try:
            self._pipe.send(word)
        except OSError:
            self._stop.set()  # the supervisor is gone
