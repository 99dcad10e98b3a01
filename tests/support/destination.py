"""A destination of C-MOVE, a server that knows it, and moves to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from data_sets import data_set
from live_dicom import LiveServer, bound, live
from scu import STUDY_MOVE, Keeping, association, retrieve

from isocenter.archive import Origin
from isocenter.dicom import uids
from isocenter.network import negotiation
from isocenter.network.acceptor import AssociationServer
from isocenter.network.association import Association
from isocenter.network.negotiation import Policy
from isocenter.network.service import Reply

EXPLICIT, IMPLICIT = uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN

EXPLICIT, IMPLICIT = uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN

STUDY = "1.2.3"


class Destination:
    """An AE that objects are moved to; `keeping` holds what came."""

    def __init__(self, keeping: Keeping | None = None, policy: Policy | None = None) -> None:
        self.keeping = keeping or Keeping()
        self.called: list[tuple[str, str]] = []
        self.announced: list[int] = []
        self.socket = bound()
        self.port = int(self.socket.getsockname()[1])
        self._policy = policy or Policy()

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Destination]:
        server = AssociationServer(lambda pdu, peer: negotiation.negotiate(pdu, self._policy), self._service)
        server.listen([self.socket], tls)
        try:
            yield self
        finally:
            await server.stop(0)
            self.socket.close()

    def _service(self, asked: Association) -> Keeping:
        self.called.append((asked.calling_ae, asked.called_ae))
        self.announced.append(asked.answer.max_length)
        return self.keeping


@asynccontextmanager
async def moving(
    folder: Path, destination: Destination | None = None, fill: Callable[[LiveServer], None] | None = None
) -> AsyncIterator[tuple[LiveServer, Destination]]:
    """A server and a destination that it knows as DST."""
    destination = destination or Destination()
    peers = {"DST": {"host": "127.0.0.1", "port": destination.port}}
    with live(folder, peers=peers) as server:
        (fill or fill_series)(server)
        async with destination.listening():
            yield server, destination


def fill_series(server: LiveServer, count: int = 12, **values: Any) -> None:
    for n in range(count):
        raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", InstanceNumber=str(n), **values)
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)


async def moved(server: LiveServer, destination: str = "DST", **more: Any) -> list[Reply]:
    async with association(server.port, STUDY_MOVE, calling="ASKER") as peer:
        keys = {"StudyInstanceUID": STUDY}
        return await retrieve(peer, STUDY_MOVE, "STUDY", keys, MoveDestination=destination, **more)
