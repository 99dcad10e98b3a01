"""C-FIND to peers that read slowly, and with very many matches: nothing piles up, a cancel is still read."""

from __future__ import annotations

import asyncio
import resource

import pytest
from live_dicom import LiveServer
from scu import STUDY_FIND, association, command, decoded, encoded, identifier

from isocenter.dicom import uids
from isocenter.dimse import find as finding
from isocenter.index.records import Put
from isocenter.network.messages import Field


def many(server: LiveServer, count: int, length: int = 60) -> None:
    """Index rows of studies without objects: what C-FIND reads."""
    commit = server.dataset.index.writer.commit
    for start in range(0, count, 1000):
        commit([_put(n, length) for n in range(start, min(start + 1000, count))])


def _put(n: int, length: int) -> Put:
    keys = {
        "StudyInstanceUID": f"1.2.826.0.1.{n}",
        "SeriesInstanceUID": f"1.2.826.0.1.{n}.1",
        "SOPInstanceUID": f"1.2.826.0.1.{n}.1.1",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "PatientID": f"P{n}",
        "PatientName": f"Patient^Number{n}",
        "StudyDescription": "x" * length,
    }
    return Put(keys, b"", uids.EXPLICIT_LITTLE_ENDIAN, 132, f"o/{n}", 1000, f"{n:064x}")


KEYS = {"StudyInstanceUID": "", "PatientName": "", "PatientID": "", "StudyDescription": ""}


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many matches each batch had that the server made."""
    made: list[int] = []
    make = finding._Batches._make

    def counted(self: finding._Batches) -> list[bytes]:
        batch = make(self)
        made.append(len(batch))
        return batch

    monkeypatch.setattr(finding._Batches, "_make", counted)
    return made


async def test_a_peer_that_does_not_read_is_not_sent_more_and_its_cancel_is_read(
    server: LiveServer, batches: list[int]
) -> None:
    many(server, 4000, length=5000)  # more than the buffers of two sockets hold
    async with association(server.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        data = encoded(identifier("STUDY", KEYS), context.transfer_syntax)
        replies = peer.replies(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
        first = await anext(replies)
        peer.pause_reading()
        await _settled(batches)
        held = sum(batches)
        assert held < 4000
        peer.cancel(context, first.command["MessageIDBeingRespondedTo"])
        await asyncio.sleep(0.2)
        peer.resume_reading()
        statuses = [reply.status async for reply in replies]
    assert statuses[-1] == 0xFE00
    assert len(statuses) <= held + 200


async def _settled(batches: list[int]) -> None:
    """Wait until the server makes no further batch."""
    before = -1
    while before != len(batches):
        before = len(batches)
        await asyncio.sleep(0.3)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_matches_do_not_fill_the_memory(server: LiveServer) -> None:
    await asyncio.to_thread(many, server, 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with association(server.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        data = encoded(identifier("STUDY", KEYS), context.transfer_syntax)
        count = 0
        async for reply in peer.replies(context, command(Field.C_FIND_RQ, STUDY_FIND), data):
            count += reply.pending
            if count == 1000:
                await asyncio.sleep(2)
            if count % 10_000 == 1:
                assert decoded(reply.data, context.transfer_syntax).PatientName
    assert count == 100_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024  # KiB
