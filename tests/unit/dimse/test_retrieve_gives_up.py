"""What becomes of objects that are made ready when their requester gives up, or when they cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from data_sets import data_set
from live_dicom import LiveServer
from raw_peer import until
from scu import CT, STUDY_GET, Keeping, association, command, encoded, identifier

from isocenter.archive import Origin
from isocenter.dicom import uids
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
