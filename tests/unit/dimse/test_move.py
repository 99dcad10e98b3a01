"""C-MOVE: objects go to a destination of the book, on associations of their own."""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from data_sets import data_set
from live_dicom import LiveServer, bound, live
from raw_peer import until
from scu import CT, STUDY_MOVE, Keeping, association, command, decoded, encoded, identifier, retrieve

from isocenter.archive import Origin
from isocenter.dicom import uids
from isocenter.dimse import outgoing
from isocenter.index.records import StoredInstance
from isocenter.network import negotiation
from isocenter.network.acceptor import AssociationServer
from isocenter.network.association import Association
from isocenter.network.messages import Field
from isocenter.network.negotiation import STORED_SYNTAXES, Policy
from isocenter.network.service import Message, Reply
from isocenter.network.tls import Certificates
from isocenter.pool import WorkLost

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


async def test_objects_arrive_and_are_counted(tmp_path: Path) -> None:
    async with moving(tmp_path) as (server, destination):
        replies = await moved(server, Priority=2)
    assert destination.keeping.instances == [f"1.2.3.4.{n}" for n in range(12)]
    assert destination.called == [("ISOCENTER", "DST")]
    told = destination.keeping.received[0][0]
    assert told["MoveOriginatorApplicationEntityTitle"] == "ASKER"
    assert told["MoveOriginatorMessageID"] == 1
    assert told["Priority"] == 2
    final = replies[-1].command
    assert (final["Status"], final["NumberOfCompletedSuboperations"]) == (0, 12)
    assert "NumberOfRemainingSuboperations" not in final
    assert replies[0].command["NumberOfRemainingSuboperations"] == 2


async def test_an_unknown_destination_is_told(tmp_path: Path) -> None:
    async with moving(tmp_path) as (server, destination):
        replies = await moved(server, "NOWHERE")
        assert [each.status for each in replies] == [0xA801]
        assert destination.called == []


async def test_a_destination_that_does_not_listen_fails_every_object(tmp_path: Path) -> None:
    with live(tmp_path, peers={"DST": {"host": "127.0.0.1", "port": 1}}) as server:
        fill_series(server)
        (final,) = await moved(server)
    assert final.status == 0xA702
    assert final.command["NumberOfFailedSuboperations"] == 12
    assert len(decoded(final.data).FailedSOPInstanceUIDList) == 12


async def test_one_refused_object_is_one_failure(tmp_path: Path) -> None:
    async with moving(tmp_path, Destination(Keeping((0, 0xA900)))) as (server, _):
        final = (await moved(server))[-1]
    assert final.status == 0xB000
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.4.1"


class _Dropping(Keeping):
    """Aborts the association once, at its fourth object."""

    dropped = False

    def message_end(self, asked: Association, message: Message) -> None:
        if len(self.received) == 3 and not self.dropped:
            self.dropped = True
            asked.abort()
            return
        super().message_end(asked, message)


async def test_a_dropped_association_costs_one_object_and_is_asked_for_again(tmp_path: Path) -> None:
    async with moving(tmp_path, Destination(_Dropping())) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0xB000
    assert final.command["NumberOfCompletedSuboperations"] == 11
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.4.3"
    assert len(destination.called) == 2


class _AlwaysDropping(Keeping):
    def message_end(self, asked: Association, message: Message) -> None:
        asked.abort()


async def test_a_destination_that_always_drops_is_given_up(tmp_path: Path) -> None:
    async with moving(tmp_path, Destination(_AlwaysDropping())) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0xA702
    assert final.command["NumberOfFailedSuboperations"] == 12
    assert len(destination.called) == 3


class _WarnsThenDrops(Keeping):
    """Takes one object on each association, with a remark, and aborts at the next."""

    def message_end(self, asked: Association, message: Message) -> None:
        if len(self.received) % 2:
            self.received.append((message.command, "", b""))
            asked.abort()
            return
        self._statuses = [0xB000]
        super().message_end(asked, message)


async def test_a_destination_that_takes_objects_with_remarks_is_asked_again_when_it_drops_us(
    tmp_path: Path,
) -> None:
    async with moving(tmp_path, Destination(_WarnsThenDrops())) as (server, destination):
        final = (await moved(server))[-1]
    assert final.command["NumberOfWarningSuboperations"] == 6
    assert len(destination.called) == 6


async def test_limits_of_the_settings_hold_where_we_ask_too(tmp_path: Path) -> None:
    destination = Destination()
    peers = {"DST": {"host": "127.0.0.1", "port": destination.port}}
    with live(tmp_path, peers=peers, dicom__limits__max_pdu=20_000) as server:
        fill_series(server, 1)
        async with destination.listening():
            await moved(server)
    assert destination.announced == [20_000]


async def test_an_object_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    async with moving(tmp_path) as (server, destination):
        broken, short, *_ = server.dataset.index.reader.instances()
        path = tmp_path / "objects" / broken.object
        path.unlink()
        path.mkdir()
        os.truncate(tmp_path / "objects" / short.object, 200)
        final = (await moved(server))[-1]
    assert (final.status, final.command["NumberOfCompletedSuboperations"]) == (0xB000, 10)
    assert sorted(decoded(final.data).FailedSOPInstanceUIDList) == [
        broken.SOPInstanceUID,
        short.SOPInstanceUID,
    ]
    assert len(destination.called) == 1


async def test_an_object_whose_decoding_kills_the_process_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(transfer_syntaxes=frozenset({IMPLICIT}))
    fill = functools.partial(fill_series, count=3)
    async with moving(tmp_path, Destination(policy=policy), fill) as (server, destination):
        run = server.pool.run

        async def killing(work: Any, source: str, *more: Any) -> Any:
            return await (run(os._exit, 1) if "1.2.3.4.1" in source else run(work, source, *more))

        monkeypatch.setattr(server.pool, "run", killing)
        final = (await moved(server))[-1]
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.4.1"
    assert len(destination.keeping.received) == 2


async def test_a_destination_that_takes_only_implicit_vr_gets_that(tmp_path: Path) -> None:
    policy = Policy(transfer_syntaxes=frozenset({IMPLICIT}))
    async with moving(tmp_path, Destination(policy=policy)) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0
    assert {syntax for _, syntax, _ in destination.keeping.received} == {IMPLICIT}
    assert decoded(destination.keeping.received[0][2], IMPLICIT).PatientID == "P1"


async def test_a_broken_pool_is_made_anew_and_the_object_goes(tmp_path: Path) -> None:
    policy = Policy(transfer_syntaxes=frozenset({IMPLICIT}))
    async with moving(tmp_path, Destination(policy=policy)) as (server, destination):
        lost = asyncio.to_thread(lambda: server.run(server.pool.run(os._exit, 1)))
        with pytest.raises(WorkLost):
            await lost
        final = (await moved(server))[-1]
    assert final.status == 0
    assert len(destination.keeping.received) == 12


async def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    policy = Policy(transfer_syntaxes=frozenset({IMPLICIT}))
    async with moving(tmp_path, Destination(policy=policy)) as (server, _):
        await moved(server)
        assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_destination_that_speaks_tls_is_spoken_to_in_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    certificates = Certificates(certificate, key, authority.file, "required")
    destination = Destination()
    peers = {"DST": {"host": "127.0.0.1", "port": destination.port, "tls": True}}
    tls = {"certificate": certificate, "key": key, "ca": authority.file}
    with live(tmp_path / "data", peers=peers, dicom__tls=tls) as server:
        fill_series(server, 2)
        async with destination.listening(certificates.context):
            final = (await moved(server))[-1]
    assert final.status == 0
    assert len(destination.keeping.received) == 2


async def test_a_class_that_the_destination_refuses_fails_alone(tmp_path: Path) -> None:
    odd = "1.3.12.2.1107.5.9.1"

    def fill(server: LiveServer) -> None:
        fill_series(server, 3)
        raw = data_set(SOPInstanceUID="1.2.3.5", SOPClassUID=odd, InstanceNumber="9")
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    policy = Policy(unknown_sop_classes=False)
    async with moving(tmp_path, Destination(policy=policy), fill) as (server, destination):
        final = (await moved(server))[-1]
    assert len(destination.keeping.received) == 3
    assert final.status == 0xB000
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.5"


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


async def test_an_object_without_a_class_fails_alone(tmp_path: Path) -> None:
    def fill(server: LiveServer) -> None:
        fill_series(server, 2)
        raw = data_set(SOPInstanceUID="1.2.3.5", SOPClassUID="", InstanceNumber="9")
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    async with moving(tmp_path, fill=fill) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0xB000
    assert len(destination.keeping.received) == 2
    assert decoded(final.data).FailedSOPInstanceUIDList == "1.2.3.5"


# -- contexts ---------------------------------------------------------------------------------------


def instance(sop_class: str, syntax: str) -> StoredInstance:
    return StoredInstance("1", "2", "3", sop_class, 1, syntax, 0, "", 0, "", "", 0, 0, "", 0, 0, 0)


def test_each_stored_syntax_has_a_context_alone_and_each_class_one_for_uncompressed() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    ((*contexts,),) = outgoing.proposals([instance(CT, jpeg), instance(CT, EXPLICIT), instance(CT, jpeg)])
    assert [each.transfer_syntaxes for each in contexts] == [(jpeg,), (EXPLICIT,), (EXPLICIT, IMPLICIT)]


def test_more_than_128_contexts_take_a_second_association() -> None:
    many = [instance(f"1.2.3.{n}", EXPLICIT) for n in range(100)]
    first, second = outgoing.proposals(many)
    assert len(first) <= 128
    assert len(first) + len(second) == 200
    assert all(outgoing.serves(first, each) != outgoing.serves(second, each) for each in many)


async def test_objects_of_many_classes_all_arrive(tmp_path: Path) -> None:
    def fill(server: LiveServer) -> None:
        for n in range(80):
            raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", SOPClassUID=f"1.2.3.99.{n}", InstanceNumber=str(n))
            server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)

    async with moving(tmp_path, fill=fill) as (server, destination):
        final = (await moved(server))[-1]
    assert final.status == 0
    assert len(destination.called) == 2
    assert len(set(destination.keeping.instances)) == 80


def test_every_stored_syntax_fits_one_association() -> None:
    (contexts,) = outgoing.proposals([instance(CT, syntax) for syntax in STORED_SYNTAXES])
    assert len(contexts) == len(STORED_SYNTAXES) + 1
