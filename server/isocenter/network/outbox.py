"""The order in which messages leave one association: whole ones, never two interleaved (PS3.7 6.3.1).

Small messages are written at once, in one write. A long data set leaves in pieces as the peer reads;
messages that come meanwhile are held until it is out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isocenter.network import messages, send

_AT_ONCE = 64 * 1024
"""Data sets up to this length are packed and written in one go; longer ones and files in pieces."""


class Outbox:
    """Messages on their way out.

    Args:
        write: takes whole PDUs; does nothing once the association is over.
        drained: waits until the peer reads; raises AssociationLost when it is over.
        broken: a part of a message is out and the rest will not be: nothing else can follow.
    """

    def __init__(
        self,
        write: Callable[[bytes | memoryview], object],
        drained: Callable[[], Awaitable[None]],
        broken: Callable[[], object],
    ) -> None:
        self.payload = 0
        """Bytes of a message in one P-DATA-TF; to be set when it is negotiated."""
        self.streaming = asyncio.Lock()
        """Held while a message leaves in pieces."""
        self._write, self._drained, self._broken = write, drained, broken
        self._held: list[bytes] = []

    def send_now(
        self, context_id: int, command: Mapping[str, Any] | bytes, data: bytes | None = None
    ) -> None:
        """Write a message that is at hand, or hold it while another leaves."""
        if not isinstance(command, bytes):
            command = messages.pack_command(command)
        packed = send.pack_message(context_id, command, data, self.payload)
        if self.streaming.locked():
            self._held.append(packed)
        else:
            self._write(packed)

    async def send(self, context_id: int, command: Mapping[str, Any], data: send.Data | None) -> None:
        """Send a message of any length; returns when it is written, not when it is read.

        Raises:
            AssociationLost: the association ended before.
            Damaged: the file is shorter than its range.
        """
        if data is None or (isinstance(data, bytes) and len(data) <= _AT_ONCE):
            self.send_now(context_id, command, data)
            await self._drained()
            return
        async with self.streaming:
            begun = False
            try:
                packed = messages.pack_command(command)
                async for piece in send.chunks(context_id, packed, data, self.payload):
                    begun = True
                    self._write(piece)
                    await asyncio.sleep(0)  # a quick peer never makes us wait
                    await self._drained()
            except BaseException:
                if begun:
                    self._broken()
                raise
            finally:
                held, self._held = self._held, []
                if held:
                    self._write(b"".join(held))
