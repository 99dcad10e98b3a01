"""Who may come in: called and calling titles, hosts, rights, identities."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from certificates import Authority
from data_sets import data_set
from live_dicom import LiveServer, live
from raw_peer import until
from scu import CT, ECHO, STUDY_FIND, association, command, find, store

from isocenter.dimse.identities import by_token
from isocenter.network.associate import Rejection, UserIdentity
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal
from isocenter.network.problems import AssociationRejected, Unreachable
from isocenter.network.tls import client_context
from isocenter.security import Tokens
from isocenter.state import open_state

LOCAL = {"host": "127.0.0.1"}
MAIN = "ISOCENTER"
ELSEWHERE = {"host": "192.0.2.1", "check_host": True}


async def rejected(port: int, **who: str) -> Rejection:
    with pytest.raises(AssociationRejected) as problem:
        async with association(port, ECHO, **who):
            pass
    return problem.value.rejection


async def echo(port: int, **who: str) -> int:
    async with association(port, ECHO, **who) as peer:
        context = peer.context_for(ECHO)
        assert context is not None
        return (await peer.exchange(context, command(Field.C_ECHO_RQ, ECHO))).status


async def test_an_echo_is_answered(server: LiveServer) -> None:
    assert await echo(server.port) == 0


async def test_an_unknown_called_title_is_rejected_for_good(server: LiveServer) -> None:
    assert await rejected(server.port, called="NOBODY") == Rejection(1, 1, 7)


async def test_strangers_on_this_machine_come_in_by_default_and_not_when_settings_say_so(
    tmp_path: Path,
) -> None:
    with live(tmp_path, dicom__loopback_promiscuous=False, peers={"KNOWN": LOCAL}) as server:
        assert await rejected(server.port, calling="STRANGER") == Rejection(1, 1, 3)
        assert await echo(server.port, calling="KNOWN") == 0


async def test_a_known_peer_that_calls_from_another_host_is_rejected(tmp_path: Path) -> None:
    peers = {"AWAY": ELSEWHERE, "HERE": {"host": "localhost", "check_host": True}}
    with live(tmp_path, peers=peers) as server:
        assert await rejected(server.port, calling="AWAY") == Rejection(1, 1, 3)
        assert await echo(server.port, calling="HERE") == 0


async def test_a_peer_may_only_what_its_rights_say(tmp_path: Path) -> None:
    with live(tmp_path, peers={"ONLY": {"host": "127.0.0.1", "rights": ["store"]}}) as server:
        assert await echo(server.port, calling="ONLY") == 0x0124
        async with association(server.port, STUDY_FIND, CT, calling="ONLY") as peer:
            found = await find(peer, "STUDY", {"StudyInstanceUID": ""})
            assert found.final["Status"] == 0x0124


async def test_the_called_title_picks_the_dataset(tmp_path: Path) -> None:
    with live(tmp_path, datasets={"lab": {"ae_title": "LAB"}}) as server:
        async with association(server.port, Proposal(CT), called="LAB") as peer:
            assert (await store(peer, data_set(SOPInstanceUID="1.2.3.4"), "1.2.3.4")).status == 0
        assert len(server.archive.datasets["lab"].index.reader.instances()) == 1
        assert server.dataset.index.reader.instances() == []


async def test_above_the_limit_associations_are_rejected_for_now(tmp_path: Path) -> None:
    with live(tmp_path, dicom__limits__associations=2) as server:
        async with association(server.port, ECHO), association(server.port, ECHO):
            assert await rejected(server.port) == Rejection(2, 3, 2)
        await until(lambda: not server.server.associations)
        assert await echo(server.port) == 0


async def test_a_passcode_is_a_token_and_a_wrong_one_is_refused_for_good(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    try:
        tokens = Tokens(state)
        with live(tmp_path, authenticate=by_token(tokens), datasets={"lab": {"ae_title": "LAB"}}) as server:

            async def outcome(
                kind: int, name: bytes, passcode: bytes = b"", called: str = "ISOCENTER"
            ) -> int:
                try:
                    identity = UserIdentity(kind, name, passcode)
                    async with association(server.port, ECHO, called=called, identity=identity):
                        return 0
                except AssociationRejected as problem:
                    return problem.rejection.result

            assert await outcome(2, b"jane", b"anything") == 0  # no token exists
            secret = tokens.create("jane", datasets=["main"])[0].encode()
            assert await outcome(2, b"jane", secret) == 0
            assert await outcome(5, secret) == 0
            assert await outcome(1, b"jane") == 0
            assert await outcome(2, b"jane", b"wrong") == 1
            assert await outcome(5, b"wrong") == 1
            assert await outcome(2, b"jane", secret, called="LAB") == 1
    finally:
        state.close()


async def test_new_certificates_are_taken_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.dimse.server.RELOAD_EVERY", 0.05)
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    trusted = client_context(ca=authority.file)
    with live(tmp_path / "data", dicom__tls={"certificate": certificate, "key": key}) as server:
        before = server.server.certificates
        assert before is not None
        first = before.context
        async with association(server.tls_port, ECHO, tls=trusted) as standing:
            certificate.write_bytes(b"half a file")
            await asyncio.sleep(0.3)
            assert before.context is first
            other = tmp_path / "other"
            other.mkdir()
            renewed = Authority(other)
            for old, new in zip((certificate, key), renewed.issue("server"), strict=True):
                old.write_bytes(new.read_bytes())
            while before.context is first:
                await asyncio.sleep(0.02)
            context = standing.context_for(ECHO)
            assert context is not None
            assert (await standing.exchange(context, command(Field.C_ECHO_RQ, ECHO))).status == 0
        with pytest.raises(Unreachable):
            async with association(server.tls_port, ECHO, tls=trusted):
                pass
        async with association(server.tls_port, ECHO, tls=client_context(ca=renewed.file)):
            pass


async def test_an_operation_that_nobody_serves_is_refused(server: LiveServer) -> None:
    async with association(server.port, ECHO) as peer:
        context = peer.context_for(ECHO)
        assert context is not None
        unknown = {"CommandField": 0x0140, "AffectedSOPClassUID": ECHO}  # N-CREATE
        reply = await peer.exchange(context, unknown)  # type: ignore[arg-type]
    assert reply.status == 0x0211


async def test_a_peers_own_order_of_transfer_syntaxes_is_taken(tmp_path: Path) -> None:
    explicit, jpeg = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
    peers = {"ODD": {"host": "127.0.0.1", "transfer_syntax_order": [explicit]}}
    with live(tmp_path, peers=peers) as server:
        for calling, chosen in (("ODD", explicit), ("EVEN", jpeg)):
            async with association(server.port, Proposal(CT, (jpeg, explicit)), calling=calling) as peer:
                assert [each.transfer_syntax for each in peer.contexts.values()] == [chosen]
