"""Every state in which an association rests, every PDU, every way to end, over real sockets (PS3.8 9.2)."""

from __future__ import annotations

import asyncio

import pytest
from pynetdicom import fsm
from raw_peer import ABORT, ACCEPT, REJECT, RELEASE_RP, RELEASE_RQ, REQUEST, UNKNOWN_PDU, abort, echo, until
from situations import SITUATIONS, Situation

from isocenter.network.limits import Limits
from isocenter.network.service import End
from isocenter.network.state_table import State

PDUS = {
    3: ACCEPT,
    4: REJECT,
    6: REQUEST,
    10: echo(),
    12: RELEASE_RQ,
    13: RELEASE_RP,
    16: ABORT,
    19: UNKNOWN_PDU,
}
"""What the peer sends, by the event that it is (PS3.8 9.2.2)."""
LIMITS = Limits(closing=0.4, artim=0.4)

rests = pytest.mark.parametrize("where", SITUATIONS)


def action_for(event: int, where: str) -> str:
    return fsm.TRANSITION_TABLE[(f"Evt{event}", where.split()[0])]


async def is_closed(there: Situation) -> bool:
    return await there.peer.pdu() == b""


@rests
@pytest.mark.parametrize("event", PDUS)
async def test_a_pdu_in_a_state_gets_what_the_table_says(event, where):
    _, setting = SITUATIONS[where]
    action = action_for(event, where)
    async with setting(LIMITS) as there:
        await there.peer.send(PDUS[event])
        await _EXPECTED[action](there, event)


async def aborted_by_user(there: Situation, event: int) -> None:
    assert await there.peer.pdu() == abort(0, 0)
    assert there.association.state == State.AWAITING_CLOSE


async def aborted_by_provider(there: Situation, event: int) -> None:
    # PS3.8 9.3.8: 1 unrecognised PDU, 2 unexpected PDU
    assert await there.peer.pdu() == abort(2, 1 if event == 19 else 2)
    assert there.association.state == State.AWAITING_CLOSE


async def closed_at_once(there: Situation, event: int) -> None:
    assert await is_closed(there)
    ending = await there.ended()
    assert ending.by_peer or where_it_was_over(there)


def where_it_was_over(there: Situation) -> bool:
    return there.association._ending is not None


async def ignored(there: Situation, event: int) -> None:
    assert await there.peer.quiet()
    assert there.association.state == State.AWAITING_CLOSE


async def released(there: Situation, event: int) -> None:
    assert await there.peer.pdu() == RELEASE_RP
    await there.peer.close()
    assert (await there.ended()).kind == End.RELEASED


async def release_confirmed(there: Situation, event: int) -> None:
    assert await is_closed(there)
    assert (await there.ended()).kind == End.RELEASED


async def collided(there: Situation, event: int) -> None:
    if there.association.requestor:
        assert await there.peer.pdu() == RELEASE_RP
        await there.reach(State.COLLISION_REQUESTOR_AWAITS)
    else:
        await there.reach(State.COLLISION_ACCEPTOR_AWAITS)


async def answered(there: Situation, event: int) -> None:
    assert (await there.peer.response())["Status"] == 0


async def delivered(there: Situation, event: int) -> None:
    """AR-6: the message reaches the service; nothing can be said to it any more."""
    assert there.recorder is not None
    await until(lambda: there.recorder.messages)
    assert there.association.state == State.RELEASING


async def accepted(there: Situation, event: int) -> None:
    assert (await there.peer.pdu())[:1] == b"\x02"
    assert there.association.state == State.ESTABLISHED


async def confirmed(there: Situation, event: int) -> None:
    assert there.asking is not None
    assert (await there.asking).established


async def rejected(there: Situation, event: int) -> None:
    assert await is_closed(there)
    assert (await there.ended()).kind == End.REJECTED


_EXPECTED = {
    "AA-1": aborted_by_user,
    "AA-2": closed_at_once,
    "AA-3": closed_at_once,
    "AA-6": ignored,
    "AA-7": aborted_by_provider,
    "AA-8": aborted_by_provider,
    "AE-3": confirmed,
    "AE-4": rejected,
    "AE-6": accepted,
    "AR-2": released,
    "AR-3": release_confirmed,
    "AR-6": delivered,
    "AR-8": collided,
    "AR-10": released,
    "DT-2": answered,
}


@rests
async def test_a_close_in_a_state_ends_the_association(where):
    state, setting = SITUATIONS[where]
    async with setting(LIMITS) as there:
        await there.peer.close()
        ending = await there.ended()
        assert ending.kind == End.PROVIDER_ABORTED
        assert there.association.state == State.IDLE
        assert state == State.AWAITING_CLOSE or ending.by_peer


@rests
async def test_a_reset_in_a_state_ends_the_association(where):
    _, setting = SITUATIONS[where]
    async with setting(LIMITS) as there:
        there.peer.reset()
        assert (await there.ended()).kind == End.PROVIDER_ABORTED
        assert there.association.state == State.IDLE


@rests
async def test_a_local_abort_in_a_state_is_told_to_the_peer_and_then_waits_for_its_close(where):
    state, setting = SITUATIONS[where]
    async with setting(LIMITS) as there:
        there.association.abort()
        if state in (State.AWAITING_REQUEST, State.AWAITING_CLOSE):
            assert await is_closed(there)  # the table has no abort there
            return
        assert await there.peer.pdu() == abort(0, 0)
        assert there.association.state == State.AWAITING_CLOSE
        await there.peer.close()
        assert (await there.ended()).kind == End.ABORTED
        assert there.association.state == State.IDLE


@pytest.mark.parametrize("where", [where for where in SITUATIONS if "Sta2" != where[:5].strip() != "Sta13"])
async def test_when_the_peer_does_not_close_after_an_abort_we_do(where):
    _, setting = SITUATIONS[where]
    async with setting(LIMITS) as there:
        there.association.abort()
        assert await there.peer.pdu() == abort(0, 0)
        assert await is_closed(there)
        await there.ended()


@rests
async def test_an_end_is_told_to_the_service_once_and_stops_its_tasks(where):
    _, setting = SITUATIONS[where]
    async with setting(LIMITS) as there:
        there.peer.reset()
        await there.ended()
        await asyncio.sleep(0)
        if there.recorder is None or not there.recorder.begun:
            return
        assert len(there.recorder.endings) == 1
        assert there.recorder.cancelled_tasks == len(there.recorder.messages)
