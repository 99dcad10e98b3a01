"""What becomes of objects that are made ready when their requester gives up, or when they cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from data_sets import data_set
from live_dicom import LiveServer
from raw_peer import RELEASE_RP, RELEASE_RQ, Peer, fragment, p_data, until
from scu import CT, STUDY_GET, Keeping, association, command, encoded, identifier

from isocenter.archive import Origin
from isocenter.dicom import uids
from isocenter.dimse import outgoing
from isocenter.network import messages, negotiation
from isocenter.network.association import Association
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal
from isocenter.network.service import Message

AS_STORED = Proposal(CT, (uids.EXPLICIT_LITTLE_ENDIAN,), scp=True)
TRANSCODED = Proposal(CT, (uids.IMPLICIT_LITTLE_ENDIAN,), scp=True)


class Silent(Keeping):
    """Takes what is sent and never answers, so that the server keeps its file open."""

    def message_end(self, asked: Association, message: Message) -> None:
        self.received.append((message.command, message.context.transfer_syntax, b""))


def fill(server: LiveServer, count: int = 3) -> None:
    for n in range(count):
        raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", InstanceNumber=n, pixels=bytes(100_000))
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), uids.EXPLICIT_LITTLE_ENDIAN)


def stored(server: LiveServer) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (server.settings.data / "objects").rglob("*.dcm")
    }


async def asking(asked: Association) -> None:
    context = asked.context_for(STUDY_GET)
    assert context is not None
    data = encoded(identifier("STUDY", {"StudyInstanceUID": "1.2.3"}))
    await asked.exchange(context, command(Field.C_GET_RQ, STUDY_GET), data)


async def test_giving_up_leaves_every_stored_object_as_it_is(server: LiveServer) -> None:
    fill(server)
    before = stored(server)
    scratch = server.settings.data / "scratch"
    async with association(server.port, STUDY_GET, TRANSCODED, service=Keeping()) as peer:
        given_up = asyncio.create_task(asking(peer))
        await until(lambda: list(scratch.iterdir()))
        await asyncio.sleep(0.05)  # the pool's first process needs longer than that to start
        peer.abort()
        await asyncio.wait([given_up])
        given_up.exception()
    silent = Silent()
    async with association(server.port, STUDY_GET, AS_STORED, service=silent) as peer:
        waiting = asyncio.create_task(asking(peer))
        await until(lambda: silent.received)
        await asyncio.to_thread(lambda: server.run(server.pool.run(os.getpid)))  # behind what was given up
        peer.abort()
        await asyncio.wait([waiting])
        waiting.exception()
    assert stored(server) == before
    assert not list(scratch.iterdir())


async def test_a_release_during_a_retrieve_ends_it_without_preparing_the_rest(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(server, 30)
    prepared = []
    prepare = outgoing.prepare

    async def counted(*told: Any) -> Any:
        prepared.append(told)
        return await prepare(*told)

    monkeypatch.setattr(outgoing, "prepare", counted)
    peer = await Peer.connect(server.port)
    await peer.associate(negotiation.propose("ISOCENTER", "SCU", [Proposal(STUDY_GET), AS_STORED]))
    wanted = messages.pack_command(
        {**command(Field.C_GET_RQ, STUDY_GET), "MessageID": 1, "CommandDataSetType": 1}
    )
    data = encoded(identifier("STUDY", {"StudyInstanceUID": "1.2.3"}))
    await peer.send(p_data(fragment(1, wanted, command=True), fragment(1, data)))
    sent = messages.parse_command((await peer.pdu())[12:])
    assert await peer.pdu()
    done = messages.pack_command(messages.response(sent, 0))
    await peer.send(p_data(fragment(3, done, command=True)) + RELEASE_RQ)
    final = await peer.response()
    assert (final["NumberOfCompletedSuboperations"], final["NumberOfFailedSuboperations"]) == (1, 29)
    assert final["Status"] == 0xB000
    assert await peer.pdu()  # the UIDs of those
    assert await peer.pdu() == RELEASE_RP
    assert len(prepared) <= 6  # a few ahead, of 30
    await peer.close()
