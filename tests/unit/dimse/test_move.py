"""C-MOVE: objects go to a destination of the book, on associations of their own; what fails, fails alone."""

from __future__ import annotations

import asyncio
import functools
import os
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from destination import IMPLICIT, Destination, fill_series, moved, moving
from live_dicom import live
from scu import Keeping, decoded

from isocenter.network.association import Association
from isocenter.network.negotiation import Policy
from isocenter.network.service import Message
from isocenter.network.tls import Certificates
from isocenter.pool import WorkLost


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
