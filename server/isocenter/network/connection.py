"""One TCP or TLS connection as an association uses it: reading, writing, back-pressure, closing.

TCP_NODELAY and keep-alive are on. TCP_QUICKACK is set anew after each read and each write, since the kernel
takes it back: common peers leave Nagle's algorithm on and would wait 40 ms for a delayed acknowledgement.
Not here: PDUs and states (``upper_layer``).
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from isocenter.network.blocks import ReadBuffer
from isocenter.network.limits import Limits
from isocenter.network.service import Peer
from isocenter.network.timers import Timer

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux
_HIGH_WATER, _LOW_WATER = 256 * 1024, 64 * 1024


class Connection(asyncio.BufferedProtocol):
    """Subclasses are told `_connected`, `_received` and `_disconnected`."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.peer = Peer("", 0)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._buffer = ReadBuffer()
        self._pauses = 0
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._written = 0  # bytes
        self._stuck = False  # more waits to be sent than the high-water mark
        self.close_nower = Timer(self.close_now)

    # -- for subclasses ----------------------------------------------------------------------------

    def _connected(self) -> None:
        raise NotImplementedError

    def _received(self, view: memoryview) -> None:
        raise NotImplementedError

    def _disconnected(self) -> None:
        """The peer closed, or the connection broke; may be called twice."""
        raise NotImplementedError

    def _gone(self) -> None:
        """The socket is closed; nothing is called after this."""
        raise NotImplementedError

    # -- asyncio's protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected, TLS handshake included."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)
        self._socket = transport.get_extra_info("socket")
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer = Peer(str(address[0]), int(address[1]), transport.get_extra_info("peercert") or None)
        self._tune()
        self._connected()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Asyncio: where to read to."""
        return self._buffer.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Asyncio: it was read."""
        view = self._buffer.received(nbytes)
        self._received(view)
        del view  # the buffer sees by the references whether somebody keeps a part
        self._buffer.rest()
        self._acknowledge_quickly()

    def eof_received(self) -> bool:
        """Asyncio: the peer sends no more; a half-closed association is over."""
        self._disconnected()
        self.close_nower.start(self.limits.closing)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: the socket is closed."""
        self._disconnected()
        self.close_nower.stop()
        self._transport = self._socket = None
        self._wake_writers()
        self._gone()

    def pause_writing(self) -> None:
        """Asyncio: more waits to be sent than the high-water mark."""
        self._stuck = True

    def resume_writing(self) -> None:
        """Asyncio: it was sent."""
        self._stuck = False
        self._wake_writers()

    # -- what subclasses use -----------------------------------------------------------------------

    def _write(self, data: bytes | memoryview) -> None:
        if self._transport is not None:
            self._transport.write(data)
            self._written += len(data)
            self._acknowledge_quickly()

    def _unsent(self) -> int:
        """Bytes written that wait in this process."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    async def _writable(self) -> None:
        """Returns when little waits to be sent, or the connection is closed."""
        while self._stuck and self._transport is not None:
            waiter = self._loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def _wake_writers(self) -> None:
        waiters, self._drain_waiters = self._drain_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def pause_reading(self) -> None:
        """Read no more until :meth:`resume_reading`; what one read got still arrives. Pauses count."""
        self._pauses += 1
        if self._pauses == 1 and self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Undo one :meth:`pause_reading`."""
        if self._pauses:
            self._pauses -= 1
            if not self._pauses and self._transport is not None:
                self._transport.resume_reading()

    def _read_on(self) -> None:
        """Undo every pause, so that the peer's close is seen."""
        if self._pauses:
            self._pauses = 1
            self.resume_reading()

    def _close(self) -> None:
        """Close when what was written is sent, or after `limits.closing` seconds."""
        if self._transport is not None:
            self._transport.close()
            self.close_nower.start(self.limits.closing)

    def close_now(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def _tune(self) -> None:
        tcp = self._socket
        if tcp is None or tcp.family not in (socket.AF_INET, socket.AF_INET6):
            self._socket = None
            return
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        idle = self.limits.keep_alive
        told = {
            "TCP_KEEPIDLE": max(1, round(idle)),
            "TCP_KEEPINTVL": max(1, round(idle / 4)),
            "TCP_KEEPCNT": 4,
        }
        for name, value in told.items():
            if hasattr(socket, name):
                tcp.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._acknowledge_quickly()

    def _acknowledge_quickly(self) -> None:
        if self._socket is not None and _QUICKACK is not None:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:
                self._socket = None  # closed under us: connection_lost follows
