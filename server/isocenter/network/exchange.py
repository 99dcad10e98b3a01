"""Requests of ours that wait for their responses (PS3.7 6.3).

Not here: sending them (``association``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from isocenter.errors import Timeout
from isocenter.network.service import Reply

_MOST_WAITING = 64
"""Replies that nobody took yet, above which reading rests."""


class Exchange:
    """One request of ours: replies in their order, until the final one or an error."""

    __slots__ = ("_enough", "_error", "_replies", "_rested", "_resume", "_waiter", "abandoned", "message_id")

    def __init__(self, message_id: int, enough: Callable[[], None], resume: Callable[[], None]) -> None:
        self.message_id = message_id
        self.abandoned = False
        """Nobody wants the replies any more; the final one ends it."""
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._enough, self._resume = enough, resume
        self._rested = False

    def put(self, reply: Reply) -> None:
        """A response arrived."""
        if self.abandoned:
            return
        self._replies.append(reply)
        if len(self._replies) >= _MOST_WAITING and not self._rested:
            self._rested = True
            self._enough()
        self._wake()

    def fail(self, error: Exception) -> None:
        """No response will arrive."""
        self._error = error
        self._wake()

    async def next(self, timeout: float) -> Reply:
        """The next response.

        Raises:
            Timeout: none in `timeout` seconds.
            AssociationLost: it will not arrive.
        """
        while not self._replies:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._waiter
            except TimeoutError:
                raise Timeout(f"The peer sent no response in {timeout:g} s") from None
        reply = self._replies.popleft()
        if self._rested and len(self._replies) <= _MOST_WAITING // 2:
            self._rested = False
            self._resume()
        return reply

    def abandon(self) -> None:
        """Drop what waits and what arrives."""
        self.abandoned = True
        self._replies.clear()
        if self._rested:
            self._rested = False
            self._resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
