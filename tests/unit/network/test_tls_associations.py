"""Associations over TLS: the same behaviour, and the peer's certificate is known (PS3.15 Annex B)."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from pathlib import Path

import pytest
from certificates import Authority
from raw_peer import CT, CT_ID, ECHO_ID, PROPOSALS, VERIFICATION, Peer, acceptor, nothing_left, until

from isocenter.network.limits import Limits
from isocenter.network.problems import AssociationLost, AssociationProblem, Unreachable
from isocenter.network.requestor import request
from isocenter.network.send import FileRange
from isocenter.network.service import End
from isocenter.network.tls import Certificates, client_context

STORE = {"CommandField": 1, "AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2.3", "Priority": 0}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_objects_cross_tls_unchanged_and_the_peer_is_known(authority):
    server_tls = Certificates(*authority.issue("server"), authority.file, "required")
    certificate, key = authority.issue("ct1")
    tls = client_context(ca=authority.file, certificate=certificate, key=key)
    data = random.Random(3).randbytes(3_000_000)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        async with acceptor(tls=server_tls.context) as server:
            ours = await request("127.0.0.1", server.port, "CT1", "ISOCENTER", PROPOSALS, tls=tls)
            assert (await ours.exchange(CT_ID, STORE, FileRange(file.fileno(), 0, len(data)))).status == 0
            assert server.recorder.sinks[0].got == data
            assert server.connection.peer.subject == "commonName=ct1"
            assert ours.peer.subject == "commonName=server"
            assert (await ours.release()).kind == End.RELEASED


async def test_a_peer_without_the_required_certificate_gets_no_association(authority):
    server_tls = Certificates(*authority.issue("server"), authority.file, "required")
    tls = client_context(ca=authority.file)
    async with acceptor(tls=server_tls.context) as server:
        with pytest.raises(AssociationProblem):
            await request("127.0.0.1", server.port, "CT1", "ISOCENTER", PROPOSALS, tls=tls)
        assert not server.recorders
        await until(lambda: not server.server._connections)


async def test_a_server_of_another_authority_is_not_spoken_to(authority, tmp_path):
    (tmp_path / "other").mkdir()
    server_tls = Certificates(*authority.issue("server"))
    tls = client_context(ca=Authority(tmp_path / "other").file)
    async with acceptor(tls=server_tls.context) as server:
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await request("127.0.0.1", server.port, "CT1", "ISOCENTER", PROPOSALS, tls=tls)
        await until(lambda: not server.server._connections)


@pytest.mark.parametrize("said", [b"", b"\x01\x00\x00\x00\x00\x00 no TLS at all", b"\x16\x03\x01"])
async def test_who_does_not_finish_the_handshake_is_closed_after_artim(authority, said):
    server_tls = Certificates(*authority.issue("server"))
    async with acceptor(Limits(artim=0.2), tls=server_tls.context) as server:
        peer = await Peer.connect(server.port)
        await peer.send(said)
        async with asyncio.timeout(3):
            await peer.reader.read()
        await until(lambda: not server.server._connections)


async def test_reading_and_writing_rest_over_tls_too(authority):
    """Back-pressure in both directions: a consumer that pauses, a sender that waits."""
    server_tls = Certificates(*authority.issue("server"))
    tls = client_context(ca=authority.file)
    data = os.urandom(8_000_000)
    async with acceptor(tls=server_tls.context) as server:
        ours = await request("127.0.0.1", server.port, "CT1", "ISOCENTER", PROPOSALS, tls=tls)
        await until(lambda: server.recorders)
        server.connection.pause_reading()
        sending = asyncio.create_task(ours.exchange(CT_ID, STORE, data))
        await until(lambda: ours._stuck)
        assert not server.recorder.messages
        server.connection.resume_reading()
        assert (await sending).status == 0
        assert server.recorder.sinks[0].got == data
        await ours.release()


async def test_a_reset_over_tls_leaves_nothing(authority):
    server_tls = Certificates(*authority.issue("server"))
    async with nothing_left(), acceptor(tls=server_tls.context) as server:
        tls = client_context(ca=authority.file)
        ours = await request("127.0.0.1", server.port, "CT1", "ISOCENTER", PROPOSALS, tls=tls)
        ours.close_now()
        await ours.closed
        with pytest.raises(AssociationLost):
            await ours.exchange(ECHO_ID, {"CommandField": 0x30, "AffectedSOPClassUID": VERIFICATION})
        await until(lambda: server.recorder.endings)
