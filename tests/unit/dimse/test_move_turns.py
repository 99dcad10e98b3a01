"""C-MOVE that takes long: cancelled, waiting for its turn at a destination, telling that it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from destination import STUDY, Destination, fill_series, moved, moving
from live_dicom import LiveServer, live
from raw_peer import until
from scu import STUDY_MOVE, Keeping, association, command, encoded, identifier, retrieve

from isocenter.network.association import Association
from isocenter.network.messages import Field
from isocenter.network.service import Message


class _Slow(Keeping):
    """Answers each object after a while; `third` is called at the third, and then it has time to be heard."""

    def __init__(self, third: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._third = third

    def message_end(self, asked: Association, message: Message) -> Any:
        return self._later(asked, message)

    async def _later(self, asked: Association, message: Message) -> None:
        await asyncio.sleep(0.5 if self._third and len(self.received) >= 3 else 0.02)
        super().message_end(asked, message)
        if self._third and len(self.received) == 3:
            self._third()


async def test_a_cancel_stops_the_move(tmp_path: Path) -> None:
    asker: list[Association] = []
    slow = _Slow(lambda: asker[0].cancel(1, 1))
    async with (
        moving(tmp_path, Destination(slow)) as (server, _),
        association(server.port, STUDY_MOVE) as peer,
    ):
        asker.append(peer)
        keys = {"StudyInstanceUID": STUDY}
        final = (await retrieve(peer, STUDY_MOVE, "STUDY", keys, MoveDestination="DST"))[-1]
    assert final.status == 0xFE00
    assert 3 <= len(slow.received) <= 5
    told = final.command
    assert told["NumberOfRemainingSuboperations"] + told["NumberOfCompletedSuboperations"] == 12


async def test_the_requesters_abort_stops_the_move(tmp_path: Path) -> None:
    asker: list[Association] = []
    slow = _Slow(lambda: asker[0].abort())
    async with moving(tmp_path, Destination(slow)) as (server, _):
        async with association(server.port, STUDY_MOVE) as peer:
            asker.append(peer)
            data = encoded(identifier("STUDY", {"StudyInstanceUID": STUDY}))
            told = command(Field.C_MOVE_RQ, STUDY_MOVE, MoveDestination="DST")
            with pytest.raises(Exception, match="over"):
                await peer.exchange(1, told, data)
        await until(lambda: not server.server.associations)
        assert len(slow.received) <= 5


async def test_moves_to_one_destination_wait_for_their_turn_and_say_so(tmp_path: Path) -> None:
    slow = _Slow()
    async with moving(tmp_path, Destination(slow)) as (server, destination):
        fill_series(server, 70)
        one, two = await asyncio.gather(moved(server), moved(server))
    assert (one[-1].status, two[-1].status) == (0, 0)
    assert len(destination.called) == 2
    in_order = [f"1.2.3.4.{n}" for n in range(70)]
    assert destination.keeping.instances == in_order * 2  # one after the other
    remaining = [each.command.get("NumberOfRemainingSuboperations") for each in (*one, *two)]
    assert 70 in remaining  # told while waiting


async def test_moves_of_several_workers_to_one_destination_wait_for_their_turn_too(tmp_path: Path) -> None:
    slow = _Slow()
    async with moving(tmp_path, Destination(slow)) as (server, destination):
        peers = {"DST": {"host": "127.0.0.1", "port": destination.port}}
        with live(tmp_path, peers=peers) as other:
            replies = await asyncio.gather(*(moved(each) for each in (server, other, other, server)))
    assert [each[-1].status for each in replies] == [0] * 4
    in_order = [f"1.2.3.4.{n}" for n in range(12)]
    assert destination.keeping.instances == in_order * 4  # one after the other


def fill_one(server: LiveServer) -> None:
    fill_series(server, 1)


class _Stalled(Keeping):
    """Answers its only object when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    def message_end(self, asked: Association, message: Message) -> Any:
        return self._later(asked, message)

    async def _later(self, asked: Association, message: Message) -> None:
        self.begun.set()
        await self.may_end.wait()
        super().message_end(asked, message)


async def test_pending_responses_leave_every_second_of_a_long_sub_operation(tmp_path: Path) -> None:
    stalled = _Stalled()
    async with (
        moving(tmp_path, Destination(stalled), fill_one) as (server, _),
        association(server.port, STUDY_MOVE) as peer,
    ):
        data = encoded(identifier("STUDY", {"StudyInstanceUID": STUDY}))
        told = command(Field.C_MOVE_RQ, STUDY_MOVE, MoveDestination="DST")
        replies = peer.replies(1, told, data)
        for _ in range(2):
            reply = await anext(replies)
            assert reply.pending
            assert reply.command["NumberOfRemainingSuboperations"] == 1
        stalled.may_end.set()
        assert [each.status async for each in replies][-1] == 0


async def test_a_cancel_is_heard_while_waiting_for_a_turn(tmp_path: Path) -> None:
    stalled = _Stalled()
    async with moving(tmp_path, Destination(stalled), fill_one) as (server, _):
        first = asyncio.create_task(moved(server))
        await stalled.begun.wait()
        async with association(server.port, STUDY_MOVE) as peer:
            data = encoded(identifier("STUDY", {"StudyInstanceUID": STUDY}))
            told = command(Field.C_MOVE_RQ, STUDY_MOVE, MoveDestination="DST")
            asyncio.get_running_loop().call_later(0.2, peer.cancel, 1, 1)
            second = await peer.exchange(1, told, data)
        assert second.status == 0xFE00
        assert not first.done()
        stalled.may_end.set()
        assert (await first)[-1].status == 0
    assert len(stalled.received) == 1
