"""C-FIND of many matches, elements and requests: limits hold, and nobody is held up."""

from __future__ import annotations

import asyncio
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from index_objects import put
from live_dicom import LiveServer, live
from raw_peer import RELEASE_RP, RELEASE_RQ, Peer, fragment, p_data
from scu import (
    ECHO,
    STUDY_FIND,
    STUDY_GET,
    asked,
    association,
    command,
    encoded,
    find,
    identifier,
    retrieve,
)

from isocenter.dimse import find as finding
from isocenter.dimse import retrieve as retrieving
from isocenter.network import messages, negotiation
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal


def many(server: LiveServer, count: int) -> None:
    """Index rows of studies without objects: what C-FIND reads."""
    server.dataset.index.writer.commit([put(study) for study in range(count)])


async def test_every_match_of_many_comes(server: LiveServer) -> None:
    many(server, 700)
    found = await asked(server, "STUDY", StudyInstanceUID="")
    assert len({match.StudyInstanceUID for match in found.matches}) == 700
    assert found.final["Status"] == 0


async def test_above_the_limit_the_matches_so_far_come_and_then_a700(tmp_path: Path) -> None:
    with live(tmp_path, dicom__limits__find_matches=25) as limited:
        many(limited, 30)
        found = await asked(limited, "STUDY", StudyInstanceUID="")
    assert len(found.matches) == 25
    assert found.final["Status"] == 0xA700
    assert "25" in found.final["ErrorComment"]


async def test_exactly_the_limit_is_a_success(tmp_path: Path) -> None:
    with live(tmp_path, dicom__limits__find_matches=25) as limited:
        many(limited, 25)
        found = await asked(limited, "STUDY", StudyInstanceUID="")
    assert (len(found.matches), found.final["Status"]) == (25, 0)


async def test_a_cancel_ends_the_answer(server: LiveServer) -> None:
    many(server, 600)
    async with association(server.port, STUDY_FIND) as peer:
        found = await find(peer, "STUDY", {"StudyInstanceUID": ""}, most=5)
    assert found.final["Status"] in (0xFE00, 0x0000)
    assert len(found.matches) <= 600


async def test_an_identifier_of_very_many_elements_is_refused_and_holds_nobody_up(server: LiveServer) -> None:
    tiny = b"".join(
        struct.pack("<HH2sH", 0x0009 + 2 * (n >> 16), n & 0xFFFF, b"LO", 0)
        for n in range(0x1000, 0x1000 + 200_000)
    )
    async with association(server.port, STUDY_FIND) as peer, association(server.port, ECHO) as other:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        reply = await peer.exchange(context, command(Field.C_FIND_RQ, STUDY_FIND), tiny)
        assert reply.status == 0xC000
        assert (await other.exchange(1, command(Field.C_ECHO_RQ, ECHO))).status == 0


async def test_requests_are_read_beside_the_loop(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    read = finding.parse

    def noted(*told: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*told)

    monkeypatch.setattr(finding, "parse", noted)
    monkeypatch.setattr(retrieving, "parse", noted)
    async with association(server.port, STUDY_FIND, STUDY_GET) as peer:
        await find(peer, "STUDY", {"StudyInstanceUID": "1.2.3"})
        await retrieve(peer, STUDY_GET, "STUDY", {"StudyInstanceUID": "1.2.3"})
    assert [name.rpartition("_")[0] for name in threads] == ["dimse", "dimse"]


async def test_queries_that_take_long_hold_up_no_request_for_an_association(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(finding, "parse", lambda *_: over.wait(30))
    async with association(server.port, STUDY_FIND) as peer:
        asking = [asyncio.create_task(find(peer, "STUDY", {"StudyInstanceUID": ""})) for _ in range(40)]
        try:
            async with association(server.port, ECHO) as other:
                assert (await other.exchange(1, command(Field.C_ECHO_RQ, ECHO))).status == 0
            assert not any(each.done() for each in asking)
        finally:
            over.set()
            peer.abort()
            await asyncio.gather(*asking, return_exceptions=True)


async def test_a_release_during_an_answer_comes_after_every_match(filled: LiveServer) -> None:
    peer = await Peer.connect(filled.port)
    await peer.associate(negotiation.propose("ISOCENTER", "SCU", [Proposal(STUDY_FIND)]))
    told = {**command(Field.C_FIND_RQ, STUDY_FIND), "MessageID": 1, "CommandDataSetType": 1}
    data = encoded(identifier("STUDY", {"StudyInstanceUID": ""}))
    asking = p_data(fragment(1, messages.pack_command(told), command=True), fragment(1, data))
    await peer.send(asking + RELEASE_RQ)
    statuses = []
    while (pdu := await peer.pdu()) != RELEASE_RP:
        assert pdu[0] == 4
        if pdu[11] & 1:
            statuses.append(messages.parse_command(pdu[12:])["Status"])
    assert statuses == [0xFF00] * 3 + [0]
    await peer.close()
