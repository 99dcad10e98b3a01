"""C-FIND to peers that read slowly, and with very many matches: nothing piles up, a cancel is still read."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from live_dicom import LiveServer
from pydicom.filereader import read_dataset
from raw_peer import until
from scu import STUDY_FIND, association, command, decoded, encoded, find, identifier

from isocenter.dicom import uids
from isocenter.dimse import find as finding
from isocenter.errors import Unavailable
from isocenter.index import reader
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


async def test_a_peer_that_does_not_read_is_not_sent_more_and_its_cancel_is_read(server: LiveServer) -> None:
    many(server, 4000, length=5000)  # more than the buffers of two sockets hold
    async with association(server.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        data = encoded(identifier("STUDY", KEYS), context.transfer_syntax)
        replies = peer.replies(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
        first = await anext(replies)
        peer.pause_reading()
        await until(lambda: all(each._stuck for each in server.server.associations))
        peer.cancel(context, first.command["MessageIDBeingRespondedTo"])
        await asyncio.sleep(0.2)
        peer.resume_reading()
        statuses = [reply.status async for reply in replies]
    assert statuses[-1] == 0xFE00
    assert len(statuses) < 4000


async def test_while_a_peer_reads_many_matches_slowly_the_index_can_trim_its_log(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_AT_ONCE", 100)  # above it an answer is read within a transaction
    many(server, 1000, length=10_000)
    async with association(server.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        data = encoded(identifier("STUDY", KEYS), context.transfer_syntax)
        replies = peer.replies(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
        await anext(replies)
        peer.pause_reading()
        await until(lambda: all(each._stuck for each in server.server.associations))
        await until(lambda: _trimmed(server))
        peer.resume_reading()
        found = [_patient(reply.data) async for reply in replies if reply.pending]
    assert found == [f"P{n}" for n in range(1, 1000)]
    assert not list((server.settings.data / "scratch").iterdir())


def _patient(data: bytes | None) -> str:
    return str(read_dataset(BytesIO(data or b""), False, True).PatientID)


def _trimmed(server: LiveServer) -> bool:
    """Whether SQLite can put its whole log back into the index, which a reader's transaction forbids."""
    many(server, 1)
    with contextlib.closing(
        sqlite3.connect(server.settings.data / "datasets" / "main" / "index.db")
    ) as index:
        busy, *_ = index.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


async def test_an_index_that_fails_on_the_way_ends_the_answer_with_a_status(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(server, 100)
    pack = finding.Query.pack

    def fail(query: finding.Query, row: Mapping[str, Any]) -> bytes:
        if row["PatientID"] == "P50":
            raise Unavailable("the index is locked")
        return pack(query, row)

    monkeypatch.setattr(finding.Query, "pack", fail)
    async with association(server.port, STUDY_FIND) as peer:
        found = await find(peer, "STUDY", KEYS)
    assert found.final["Status"] == 0xA700
    assert 0 < len(found.matches) <= 50


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
