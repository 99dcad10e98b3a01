"""Timers of one association: ARTIM and ours (PS3.8 9.1.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timer:
    """Calls `expired` once, `seconds` after the last :meth:`start`; a start while it runs restarts it."""

    __slots__ = ("_expired", "_handle")

    def __init__(self, expired: Callable[[], object]) -> None:
        self._expired = expired
        self._handle: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Started, neither stopped nor expired."""
        return self._handle is not None

    def start(self, seconds: float) -> None:
        """Expire `seconds` from now."""
        self.stop()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._fire)

    def stop(self) -> None:
        """Never expire, if it did not yet."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._expired()
