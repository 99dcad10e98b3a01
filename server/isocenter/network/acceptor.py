"""The accept loop: connections on bound sockets become associations (PS3.8 9.1, acceptor side)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.service import Peer, Service

if TYPE_CHECKING:
    from isocenter.network.negotiation import Answer

Negotiator = Callable[[bytes, Peer], Awaitable["Answer"]]
"""A-ASSOCIATE-RQ (whole PDU) and who sent it -> the answer. Any exception: A-ABORT (2, 6)."""


class AssociationServer:
    """Accepts associations on sockets that are bound already (several processes may share them).

    Args:
        negotiate: e.g. ``lambda rq, peer: negotiation.negotiate(rq, policy)``.
        service: makes the service of one association, when it stands (`association.answer` is there).
    """

    def __init__(
        self, negotiate: Negotiator, service: Callable[[Association], Service], limits: Limits | None = None
    ) -> None:
        raise NotImplementedError

    @property
    def associations(self) -> frozenset[Association]:
        """Those that stand or are being negotiated."""
        raise NotImplementedError

    def listen(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Accept on these; the sockets are the caller's to close. Again with others, or after a TLS reload
        (the new context holds for new connections)."""
        raise NotImplementedError

    async def stop(self, grace: float = 10.0) -> None:
        """Accept no more, let associations end by themselves for `grace` seconds, abort the rest."""
        raise NotImplementedError
