"""How an association ends by release: orderly, colliding, early and unanswered (PS3.8 7.2, 9.2)."""

from __future__ import annotations

import asyncio

import pytest
from raw_peer import (
    CT_ID,
    PROPOSALS,
    RELEASE_RP,
    RELEASE_RQ,
    REQUEST,
    Peer,
    abort,
    acceptor,
    echo,
    find,
    fragment,
    p_data,
    store,
    store_command,
    until,
)
from situations import SITUATIONS

from isocenter.network.limits import Limits
from isocenter.network.problems import AssociationLost
from isocenter.network.requestor import request
from isocenter.network.service import End
from isocenter.network.state_table import State

SHORT = Limits(closing=0.2)


async def test_data_after_we_asked_for_release_is_delivered():
    _, setting = SITUATIONS["Sta7 as acceptor"]
    async with setting(SHORT) as there:
        await there.peer.send(store(b"late"))
        await until(lambda: there.recorder.messages)
        assert there.recorder.sinks[0].got == b"late"
        await there.peer.send(RELEASE_RP)
        assert (await there.ended()).kind == End.RELEASED


async def test_data_after_the_peer_asked_for_release_is_an_abort():
    _, setting = SITUATIONS["Sta8 as acceptor"]
    async with setting(SHORT) as there:
        await there.peer.send(echo(9))
        assert await there.peer.pdu() == abort(2, 2)
        await there.peer.close()
        await there.ended()
        assert there.recorder.cancelled_tasks == 1


async def test_release_during_an_answer_waits_for_the_answer():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find())
        await until(lambda: server.recorder.messages)
        await peer.send(RELEASE_RQ)
        await until(lambda: server.connection.state == State.RELEASE_ASKED)
        server.recorder.pending = 3
        server.recorder.gate.set()
        statuses = [(await peer.response())["Status"] for _ in range(4)]
        assert statuses == [0xFF00] * 3 + [0]
        assert await peer.pdu() == RELEASE_RP
        await peer.close()
        await until(lambda: server.recorder.endings)
        assert server.recorder.endings[0].kind == End.RELEASED


async def test_release_during_an_answer_that_does_not_end_is_an_abort():
    async with acceptor(Limits(message=0.2, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find() + RELEASE_RQ)
        assert await peer.pdu() == abort(0, 0)
        await peer.close()


async def test_release_in_the_middle_of_a_message_drops_the_message():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        begun = p_data(fragment(CT_ID, store_command(), command=True))
        await peer.send(begun + p_data(fragment(CT_ID, b"abc", last=False)) + RELEASE_RQ)
        assert await peer.pdu() == RELEASE_RP
        await peer.close()
        assert server.recorder.sinks[0].aborted
        assert not server.recorder.messages


async def test_a_collision_as_requestor_is_answered_and_then_awaits_the_answer():
    _, setting = SITUATIONS["Sta11"]
    async with setting(SHORT) as there:
        await there.peer.send(RELEASE_RP)
        assert await there.peer.pdu() == b""
        assert (await there.ended()).kind == End.RELEASED


async def test_a_collision_as_acceptor_awaits_the_answer_and_then_answers():
    _, setting = SITUATIONS["Sta10"]
    async with setting(SHORT) as there:
        await there.peer.send(RELEASE_RP)
        assert await there.peer.pdu() == RELEASE_RP
        assert there.association.state == State.AWAITING_CLOSE
        await there.peer.close()
        assert (await there.ended()).kind == End.RELEASED


@pytest.mark.parametrize("where", ["Sta7 as acceptor", "Sta7 as requestor", "Sta10", "Sta11"])
async def test_a_release_that_is_not_answered_becomes_an_abort(where):
    _, setting = SITUATIONS[where]
    async with setting(SHORT) as there:
        assert await there.peer.pdu() == abort(0, 0)
        assert await there.peer.pdu() == b""
        assert (await there.ended()).kind == End.ABORTED


async def test_both_ends_of_ours_may_release_at_once():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        theirs = server.connection
        endings = await asyncio.gather(ours.release(), theirs.release())
        assert [each.kind for each in endings] == [End.RELEASED] * 2


async def test_after_a_release_nothing_can_be_asked():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await ours.release()
        await ours.release()
        with pytest.raises(AssociationLost):
            await ours.exchange(1, {"CommandField": 0x30})


async def test_a_stop_lets_associations_end_and_then_aborts_them():
    async with acceptor() as server:
        staying, going = await Peer.connect(server.port), await Peer.connect(server.port)
        await staying.associate()
        await going.associate()
        stopping = asyncio.create_task(server.server.stop(grace=0.3))
        await asyncio.sleep(0)
        await going.send(echo() + RELEASE_RQ)
        assert (await going.response())["Status"] == 0
        assert await going.pdu() == RELEASE_RP
        await going.close()
        assert await staying.pdu() == abort(0, 0)
        await staying.close()
        await stopping


async def test_a_stop_does_not_wait_for_an_association_that_is_kept_for_later(monkeypatch):
    monkeypatch.setattr("isocenter.network.acceptor._KEPT_FOR_LATER", 0.1)
    async with acceptor() as server:
        idle, busy = await Peer.connect(server.port), await Peer.connect(server.port)
        await idle.associate()
        await busy.associate()
        await busy.send(find())
        await until(lambda: server.recorder.messages)
        stopping = asyncio.create_task(server.server.stop(grace=10))
        assert await idle.pdu() == abort(0, 0)
        await idle.close()
        assert await busy.quiet(0.3)
        server.recorder.gate.set()
        assert (await busy.response())["Status"] == 0
        await busy.send(RELEASE_RQ)
        assert await busy.pdu() == RELEASE_RP
        await busy.close()
        await stopping


async def test_a_stop_closes_who_never_asked_or_does_not_close():
    async with acceptor(Limits(closing=0.1, associations=1)) as server:
        silent, refused, standing = [await Peer.connect(server.port) for _ in range(3)]
        await standing.associate()
        await refused.send(REQUEST)
        assert (await refused.pdu())[:1] == b"\x03"
        await server.server.stop(0)
        assert await silent.pdu() == b""
        assert await refused.pdu() == b""
        assert await standing.pdu() == abort(0, 0)
        assert not server.server._connections
