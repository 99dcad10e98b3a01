"""The accept loop: connections on bound sockets become associations (PS3.8 7.1, acceptor side).

Not here: whom to accept (`negotiate`), what to answer (`service`), binding and passing on of sockets.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from isocenter.network import associate
from isocenter.network.associate import MalformedAssociate
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.negotiation import TOO_MANY, Answer
from isocenter.network.pdu import Reason
from isocenter.network.service import Ending, Peer, Service
from isocenter.network.state_table import Event

log = logging.getLogger(__name__)

Negotiator = Callable[[bytes, Peer], Awaitable[Answer]]
"""A-ASSOCIATE-RQ (whole PDU) and who sent it -> the answer. MalformedAssociate becomes A-ABORT (2, 6), any
other exception is logged and aborts, too."""

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_RETRY_ACCEPT = 1.0
_KEPT_FOR_LATER = 2.0
_ACCEPTED_AT_ONCE = 8
"""Connections taken in one turn of the loop: the rest is left to the processes that share the socket."""


class AcceptedAssociation(Association):
    """An association that a peer asks for."""

    def __init__(self, server: AssociationServer) -> None:
        super().__init__(server.limits, requestor=False)
        self._server = server
        self._deciding: asyncio.Task[None] | None = None
        self.counted = False
        """It has asked and is not over: one of `Limits.associations`."""

    def _refusal(self) -> bytes | None:
        if self._server.full:
            return associate.pack_reject(TOO_MANY)
        self.counted = True
        return None

    def _associate_indication(self, request: bytes) -> None:
        self._deciding = self._loop.create_task(self._decide(request))

    async def _decide(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(self.limits.artim):
                answer = await self._server.negotiate(request, self.peer)
            if answer.accepted:
                self._establish(answer)
                self._answering.service = self._server.service(self)
        except MalformedAssociate as problem:
            log.info("A-ASSOCIATE-RQ of %s makes no sense: %s", self.peer.host, problem)
            self._fire(Event.INVALID_PDU, Reason.INVALID_PARAMETER)
            return
        except TimeoutError:
            log.warning("A-ASSOCIATE-RQ of %s could not be decided in time", self.peer.host)
            self.abort(text="the request could not be decided in time")
            return
        except Exception:
            log.exception("A-ASSOCIATE-RQ of %s could not be decided", self.peer.host)
            self.abort(text="the request could not be decided")
            return
        self._fire(Event.ACCEPT if answer.accepted else Event.REJECT, answer.pdu)

    def _over(self, ending: Ending) -> None:
        self.counted = False
        if self._deciding is not None:
            self._deciding.cancel()
        super()._over(ending)

    def _gone(self) -> None:
        super()._gone()
        self._server.forget(self)


class AssociationServer:
    """Accepts associations on sockets that are bound already; several processes may share them.

    Args:
        negotiate: e.g. ``lambda rq, peer: negotiation.negotiate(rq, policy)``.
        service: makes the service of one association; `association.answer` and `.peer` are there.
        limits: of each association, and how many at a time (in this process).
    """

    def __init__(
        self,
        negotiate: Negotiator,
        service: Callable[[Association], Service],
        limits: Limits | None = None,
    ) -> None:
        self.negotiate = negotiate
        self.service = service
        self.limits = limits or Limits()
        self._connections: set[AcceptedAssociation] = set()
        self._listening: dict[socket.socket, ssl.SSLContext | None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._retries: set[asyncio.TimerHandle] = set()

    @property
    def associations(self) -> frozenset[Association]:
        """Those that stand or are being negotiated."""
        return frozenset(each for each in self._connections if each.counted)

    @property
    def full(self) -> bool:
        """No further association is taken."""
        return sum(each.counted for each in self._connections) >= self.limits.associations

    def listen(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Accept on these; the sockets stay the caller's to close, after :meth:`stop`.

        Again with the same sockets after a reload of TLS: the new settings hold for new connections.
        """
        for each in sockets:
            each.setblocking(False)
            each.listen(self.limits.backlog)
            self._listening[each] = tls
            self._watch(each)

    async def stop(self, grace: float = 10.0) -> None:
        """Accept no more; for `grace` seconds let associations finish and end; abort the rest.

        One on which nothing happens for 2 seconds is not waited for: its peer keeps it for later.
        """
        loop = asyncio.get_running_loop()
        for handle in self._retries:
            handle.cancel()
        for each in self._listening:
            loop.remove_reader(each)
        self._listening.clear()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in self._connections - self.associations:
            connection.abort(text="the server stops")
        await self._drain(grace)
        for connection in set(self._connections):
            connection.abort(text="the server stops")
        await self._closed(self.limits.closing)
        for connection in set(self._connections):
            connection.close_now()
        await self._closed(None)

    async def _drain(self, grace: float) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time() + grace
        while self._connections and loop.time() < last:
            await self._closed(min(0.2, last - loop.time()))
            for connection in set(self._connections):
                if connection.quiet() > _KEPT_FOR_LATER:
                    connection.abort(text="the server stops")

    async def _closed(self, seconds: float | None) -> None:
        waiting = [each.closed for each in self._connections]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)

    def forget(self, association: AcceptedAssociation) -> None:
        """It is closed (called by the association)."""
        self._connections.discard(association)

    def _watch(self, listener: socket.socket) -> None:
        if listener in self._listening:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                if problem.errno not in _OUT_OF_RESOURCES:
                    raise
                self._rest(listener, problem)
                return
            self._open(connection, self._listening[listener])

    def _rest(self, listener: socket.socket, problem: OSError) -> None:
        """Out of file descriptors or memory: try again in a second instead of spinning."""
        log.error("connections cannot be accepted for now: %s", problem)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def again() -> None:
            self._retries.discard(handle)
            self._watch(listener)

        handle = loop.call_later(_RETRY_ACCEPT, again)
        self._retries.add(handle)

    def _open(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        if len(self._connections) + len(self._opening) >= self.limits.connections:
            log.warning("a connection was closed at once: %d are open", len(self._connections))
            connection.close()
            return
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._connect(connection, tls))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        association = AcceptedAssociation(self)
        self._connections.add(association)
        handshake = self.limits.artim if tls is not None else None
        try:
            await loop.connect_accepted_socket(
                lambda: association, connection, ssl=tls, ssl_handshake_timeout=handshake
            )
        except BaseException as problem:
            self.forget(association)
            connection.close()
            if not isinstance(problem, OSError):
                raise
            log.info("a connection was not opened: %s", problem)
