"""An association of ours brought into one state of PS3.8 over a real socket, a raw peer at its other end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from raw_peer import (
    POLICY,
    PROPOSALS,
    REJECT,
    RELEASE_RP,
    RELEASE_RQ,
    REQUEST,
    UNKNOWN_PDU,
    WAIT,
    Acceptor,
    Peer,
    Recorder,
    acceptor,
    find,
    nothing_left,
    until,
)

from isocenter.network import negotiation, requestor
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.service import Ending
from isocenter.network.state_table import State


@dataclass
class Situation:
    """Our association, and its peer."""

    association: Association
    peer: Peer
    recorder: Recorder | None = None
    acceptor: Acceptor | None = None
    asking: asyncio.Task[Association] | None = None
    others: list[asyncio.Task[Any]] = field(default_factory=list)

    async def ended(self) -> Ending:
        """Once the socket is closed too."""
        async with asyncio.timeout(WAIT):
            return await asyncio.shield(self.association.closed)

    async def reach(self, state: State) -> None:
        await until(lambda: self.association.state == state)


Bring = Callable[[Situation], Awaitable[None]]
Setting = Callable[[Limits], contextlib.AbstractAsyncContextManager[Situation]]


def accepting(bring: Bring) -> Setting:
    """We are the acceptor; `bring` does what leads to the state."""

    @contextlib.asynccontextmanager
    async def setting(limits: Limits) -> AsyncIterator[Situation]:
        async with acceptor(limits) as server:
            peer = await Peer.connect(server.port)
            await until(lambda: server.server._connections and server.connection.state != State.IDLE)
            situation = Situation(server.connection, peer, acceptor=server)
            try:
                await bring(situation)
                if server.recorders:
                    situation.recorder = server.recorder
                yield situation
            finally:
                server.deciding.set()
                await peer.close()
                await asyncio.gather(*situation.others, return_exceptions=True)

    return setting


def requesting(bring: Bring) -> Setting:
    """We are the requestor."""

    @contextlib.asynccontextmanager
    async def setting(limits: Limits) -> AsyncIterator[Situation]:
        made: list[requestor.RequestedAssociation] = []

        class Noted(requestor.RequestedAssociation):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                made.append(self)
                self._answering.service = Recorder(self)

        async with nothing_left(), listening() as (port, connected):
            with patch.object(requestor, "RequestedAssociation", Noted):
                told = requestor.request("127.0.0.1", port, "TESTER", "PEER", PROPOSALS, limits=limits)
                asking = asyncio.create_task(told)
                peer = await connected
            situation = Situation(made[0], peer, made[0].service, asking=asking)
            try:
                await bring(situation)
                yield situation
            finally:
                await peer.close()
                await asyncio.gather(asking, *situation.others, return_exceptions=True)
                await situation.ended()

    return setting


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.Future[Peer]]]:
    """A port and the first who connects to it."""
    connected: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda reader, writer: connected.set_result(Peer(reader, writer)), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], connected


async def answer(peer: Peer) -> None:
    """Accept the request of ours that the peer gets."""
    told = await negotiation.negotiate(await peer.pdu(), POLICY)
    await peer.send(told.pdu)


async def _sta2(_: Situation) -> None:
    pass


async def _sta3(there: Situation) -> None:
    assert there.acceptor is not None
    there.acceptor.deciding.clear()
    await there.peer.send(REQUEST)
    await there.reach(State.DECIDING)


async def _sta6(there: Situation) -> None:
    await there.peer.associate()


async def _sta8(there: Situation) -> None:
    await there.peer.associate()
    await there.peer.send(find() + RELEASE_RQ)
    await there.reach(State.RELEASE_ASKED)


async def _sta7(there: Situation) -> None:
    there.others.append(asyncio.create_task(there.association.release()))
    assert await there.peer.pdu() == RELEASE_RQ
    await there.reach(State.RELEASING)


async def _sta7_acceptor(there: Situation) -> None:
    await _sta6(there)
    await _sta7(there)


async def _sta10(there: Situation) -> None:
    await _sta7_acceptor(there)
    await there.peer.send(RELEASE_RQ)
    await there.reach(State.COLLISION_ACCEPTOR_AWAITS)


async def _sta13(there: Situation) -> None:
    await there.peer.associate()
    await there.peer.send(UNKNOWN_PDU)
    assert await there.peer.pdu()
    await there.reach(State.AWAITING_CLOSE)


async def _sta5(there: Situation) -> None:
    assert (await there.peer.pdu())[:1] == b"\x01"
    await there.reach(State.AWAITING_ANSWER)


async def _sta6_requestor(there: Situation) -> None:
    await answer(there.peer)
    assert there.asking is not None
    await there.asking


async def _sta7_requestor(there: Situation) -> None:
    await _sta6_requestor(there)
    await _sta7(there)


async def _sta8_requestor(there: Situation) -> None:
    await _sta6_requestor(there)
    await there.peer.send(find() + RELEASE_RQ)
    await there.reach(State.RELEASE_ASKED)


def _answer_no_release(there: Situation) -> None:
    """As a service user that takes its time; ours answers at once."""
    there.association._release_indication = lambda: None  # type: ignore[method-assign]


async def _sta9(there: Situation) -> None:
    await _sta7_requestor(there)
    _answer_no_release(there)
    await there.peer.send(RELEASE_RQ)
    await there.reach(State.COLLISION_REQUESTOR_ANSWERS)


async def _sta12(there: Situation) -> None:
    await _sta10(there)
    _answer_no_release(there)
    await there.peer.send(RELEASE_RP)
    await there.reach(State.COLLISION_ACCEPTOR_ANSWERS)


async def _sta11(there: Situation) -> None:
    await _sta7_requestor(there)
    await there.peer.send(RELEASE_RQ)
    assert await there.peer.pdu() == RELEASE_RP
    await there.reach(State.COLLISION_REQUESTOR_AWAITS)


async def _sta13_requestor(there: Situation) -> None:
    await _sta6_requestor(there)
    await there.peer.send(REJECT)
    assert await there.peer.pdu()
    await there.reach(State.AWAITING_CLOSE)


SITUATIONS: dict[str, tuple[State, Setting]] = {
    "Sta2": (State.AWAITING_REQUEST, accepting(_sta2)),
    "Sta3": (State.DECIDING, accepting(_sta3)),
    "Sta6 as acceptor": (State.ESTABLISHED, accepting(_sta6)),
    "Sta7 as acceptor": (State.RELEASING, accepting(_sta7_acceptor)),
    "Sta8 as acceptor": (State.RELEASE_ASKED, accepting(_sta8)),
    "Sta10": (State.COLLISION_ACCEPTOR_AWAITS, accepting(_sta10)),
    "Sta12": (State.COLLISION_ACCEPTOR_ANSWERS, accepting(_sta12)),
    "Sta13 as acceptor": (State.AWAITING_CLOSE, accepting(_sta13)),
    "Sta5": (State.AWAITING_ANSWER, requesting(_sta5)),
    "Sta6 as requestor": (State.ESTABLISHED, requesting(_sta6_requestor)),
    "Sta7 as requestor": (State.RELEASING, requesting(_sta7_requestor)),
    "Sta8 as requestor": (State.RELEASE_ASKED, requesting(_sta8_requestor)),
    "Sta9": (State.COLLISION_REQUESTOR_ANSWERS, requesting(_sta9)),
    "Sta11": (State.COLLISION_REQUESTOR_AWAITS, requesting(_sta11)),
    "Sta13 as requestor": (State.AWAITING_CLOSE, requesting(_sta13_requestor)),
}
"""Where an association rests, or would if its service answered a release late; Sta4 has no peer yet."""
