"""How an association begins: requests good, strange, broken, late and too many (PS3.8 7.1, 9.3.2)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time

import pytest
from raw_peer import (
    ACCEPT,
    CT,
    PROPOSALS,
    REJECT,
    RELEASE_RQ,
    REQUEST,
    VERIFICATION,
    Peer,
    abort,
    acceptor,
    echo,
    nothing_left,
    until,
)
from situations import listening

from isocenter.network import negotiation, requestor
from isocenter.network.limits import Limits
from isocenter.network.problems import AssociationLost, AssociationRejected, Unreachable
from isocenter.network.requestor import request
from isocenter.network.service import End
from isocenter.network.state_table import State

SHORT = Limits(artim=0.3, closing=0.3, connect=0.3, accept=0.4)


async def test_who_connects_and_says_nothing_is_closed_after_artim_without_an_abort():
    async with acceptor(SHORT) as server:
        peer = await Peer.connect(server.port)
        begun = time.monotonic()
        assert await peer.pdu() == b""
        assert time.monotonic() - begun > 0.2
        await peer.close()


async def test_bytes_that_make_no_whole_request_do_not_stop_artim():
    async with acceptor(SHORT) as server:
        peer = await Peer.connect(server.port)
        for octet in REQUEST[:8]:
            await peer.send(bytes((octet,)))
            await asyncio.sleep(0.01)
        assert await peer.pdu() == b""
        await peer.close()


async def test_after_a_reject_the_peer_has_artim_to_close():
    strange = REQUEST.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9")
    async with acceptor(SHORT) as server:
        peer = await Peer.connect(server.port)
        await peer.send(strange)
        assert await peer.pdu() == bytes.fromhex("03000000000400010102")
        assert server.connection.state == State.AWAITING_CLOSE
        assert await peer.pdu() == b""
        await peer.close()


async def test_a_wrong_application_context_is_rejected_1_1_2():
    strange = REQUEST.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2")
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.send(strange)
        assert (await peer.pdu())[7:] == bytes((1, 1, 2))
        await peer.close()
        await until(lambda: not server.server._connections)


@pytest.mark.parametrize("version", [0x0001, 0x0003, 0xFFFF])
async def test_only_bit_0_of_the_protocol_version_counts(version):
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate(REQUEST[:6] + version.to_bytes(2, "big") + REQUEST[8:])
        await peer.close()


async def test_without_bit_0_of_the_protocol_version_it_is_rejected():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.send(REQUEST[:6] + bytes((0, 2)) + REQUEST[8:])
        assert (await peer.pdu())[:1] == b"\x03"
        await peer.close()


async def test_reserved_bytes_and_unknown_user_items_are_ignored():
    unknown = bytes.fromhex("5d 00 00 04 01 02 03 04")
    changed = bytearray(REQUEST + unknown)
    at = changed.index(b"\x50\x00", 74)  # the user information item is the last one
    user = int.from_bytes(changed[at + 2 : at + 4], "big")
    changed[at + 2 : at + 4] = (user + len(unknown)).to_bytes(2, "big")
    changed[2:6] = (len(changed) - 6).to_bytes(4, "big")
    changed[1] = 0xAA
    changed[8:10] = b"\xbb\xbb"
    changed[42:74] = b"\xcc" * 32
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        answer = await peer.associate(bytes(changed))
        assert answer[42:74] == b"\xcc" * 32  # given back as they came
        await peer.send(echo())
        assert (await peer.response())["Status"] == 0
        await peer.close()


@pytest.mark.parametrize("broken", ["even id", "same id twice", "cut item", "rubbish"])
async def test_a_request_that_makes_no_sense_is_aborted_by_the_provider(broken):
    rq = bytearray(REQUEST)
    first = rq.index(b"\x20\x00", 74)
    second = rq.index(b"\x20\x00", first + 8)
    if broken == "even id":
        rq[first + 4] = 2
    elif broken == "same id twice":
        rq[second + 4] = rq[first + 4]
    elif broken == "cut item":
        rq[first + 2 : first + 4] = b"\xff\xff"
    else:
        rq[74:] = b"\x99" * (len(rq) - 74)
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.send(bytes(rq))
        assert await peer.pdu() == abort(2, 6)
        await peer.close()


async def test_a_request_longer_than_256_kib_is_refused_by_its_header():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.send(bytes((1, 0)) + (256 * 1024 + 1).to_bytes(4, "big"))
        assert await peer.pdu() == abort(0, 0)  # AA-1: nothing was agreed yet
        await peer.close()


async def test_over_the_limit_of_associations_a_request_is_rejected_2_3_2_and_later_taken():
    async with acceptor(Limits(associations=2, closing=0.3)) as server:
        peers = [await Peer.connect(server.port) for _ in range(3)]
        await peers[0].associate()
        await peers[1].associate()
        await peers[2].send(REQUEST)
        assert (await peers[2].pdu())[7:] == bytes((2, 3, 2))
        await peers[0].send(RELEASE_RQ)
        await peers[0].pdu()
        again = await Peer.connect(server.port)
        await again.associate()
        for peer in (*peers, again):
            await peer.close()


async def test_over_the_limit_of_connections_one_is_closed_at_once():
    async with acceptor(Limits(connections=1)) as server:
        first = await Peer.connect(server.port)
        await until(lambda: server.server._connections)
        second = await Peer.connect(server.port)
        assert await second.pdu() == b""
        await first.associate()
        await first.close()
        await second.close()


async def test_when_the_peer_goes_while_we_decide_nothing_is_left():
    async with acceptor() as server:
        server.deciding.clear()
        peer = await Peer.connect(server.port)
        await peer.send(REQUEST)
        await until(lambda: server.server.associations)
        await peer.close()
        await until(lambda: not server.server._connections)
        assert not server.server.associations
        assert not server.recorders


async def test_a_decision_that_takes_longer_than_artim_is_an_abort():
    async with acceptor(SHORT) as server:
        server.deciding.clear()
        peer = await Peer.connect(server.port)
        await peer.send(REQUEST)
        assert (await peer.pdu())[:1] == b"\x07"
        await peer.close()


async def test_a_peer_that_cannot_be_reached_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with nothing_left():
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
            await request("127.0.0.1", port, "ME", "PEER", PROPOSALS)


async def test_connecting_takes_no_longer_than_its_limit():
    """Sta4: the peer takes the connection and never answers the TLS handshake."""
    tls = ssl.create_default_context()
    async with nothing_left():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with pytest.raises(Unreachable):
                await request("127.0.0.1", port, "ME", "PEER", PROPOSALS, tls=tls, limits=SHORT)


async def test_a_peer_that_does_not_answer_the_request_is_aborted():
    async with nothing_left(), listening() as (port, connected):
        asking = asyncio.create_task(request("127.0.0.1", port, "ME", "PEER", PROPOSALS, limits=SHORT))
        peer = await connected
        assert (await peer.pdu())[:1] == b"\x01"
        assert await peer.pdu() == abort(0, 0)
        with pytest.raises(AssociationLost) as problem:
            await asking
        assert problem.value.ending.kind == End.ABORTED
        await peer.close()


async def test_a_rejection_is_told_with_its_reason():
    async with nothing_left(), listening() as (port, connected):
        asking = asyncio.create_task(request("127.0.0.1", port, "ME", "PEER", PROPOSALS))
        peer = await connected
        await peer.pdu()
        await peer.send(REJECT)
        with pytest.raises(AssociationRejected) as problem:
            await asking
        assert problem.value.rejection == negotiation.Rejection(1, 1, 1)
        await peer.close()


async def test_an_answer_that_makes_no_sense_is_aborted():
    async with nothing_left(), listening() as (port, connected):
        asking = asyncio.create_task(request("127.0.0.1", port, "ME", "PEER", PROPOSALS, limits=SHORT))
        peer = await connected
        rq = await peer.pdu()
        await peer.send(bytes((2,)) + rq[1:74] + b"\x99" * (len(rq) - 74))
        assert await peer.pdu() == abort(2, 6)
        with pytest.raises(Exception, match="no sense"):
            await asking
        await peer.close()


async def test_giving_up_a_request_aborts_it():
    async with nothing_left(), listening() as (port, connected):
        asking = asyncio.create_task(request("127.0.0.1", port, "ME", "PEER", PROPOSALS, limits=SHORT))
        peer = await connected
        assert (await peer.pdu())[:1] == b"\x01"
        asking.cancel()
        assert await peer.pdu() == abort(0, 0)
        with pytest.raises(asyncio.CancelledError):
            await asking
        await peer.close()


async def test_what_was_negotiated_is_seen_on_both_sides():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "TESTER", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders and server.recorder.begun)
        theirs = server.connection
        for each in (ours, theirs):
            assert (each.calling_ae, each.called_ae) == ("TESTER", "ISOCENTER")
            assert {c.abstract_syntax for c in each.contexts.values()} == {
                p.abstract_syntax for p in PROPOSALS
            }
        assert theirs.peer.host == "127.0.0.1"
        assert theirs.peer.subject == ""
        assert ours.context_for(VERIFICATION).id == 1
        assert ours.context_for(CT, "1.2.840.10008.1.2.4.50") is None
        ending = await ours.release()
        assert ending.kind == End.RELEASED


async def test_a_peer_may_ask_right_after_its_accept_in_the_same_segment():
    """The accept is read in a thread; what follows it waits for that."""
    async with nothing_left(), listening() as (port, connected):
        asking = asyncio.create_task(request("127.0.0.1", port, "ME", "PEER", PROPOSALS, limits=SHORT))
        peer = await connected
        answer = await negotiation.negotiate(await peer.pdu(), negotiation.Policy())
        await peer.send(answer.pdu + echo())
        association = await asking
        assert (await peer.response())["Status"] == 0x0211  # nothing here answers requests
        association.abort()
        await peer.close()
        await association.closed


@pytest.mark.parametrize("said", [echo(), RELEASE_RQ, ACCEPT], ids=["data", "release", "accept"])
async def test_who_stays_after_it_began_with_anything_but_a_request_is_closed(said):
    async with acceptor(SHORT) as server:
        peer = await Peer.connect(server.port)
        await peer.send(said)
        assert await peer.pdu() == abort(0, 0)
        assert server.connection.state == State.AWAITING_CLOSE
        assert await peer.pdu() == b""
        assert not server.recorders


@contextlib.contextmanager
def unreachable():
    """A port that neither refuses nor takes connections: those that it keeps waiting are too many."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            full = stack.enter_context(socket.socket())
            full.setblocking(False)
            full.connect_ex(listener.getsockname())
        yield listener


@contextlib.contextmanager
def noted(monkeypatch):
    """The associations that we ask for."""
    made = []

    class Noted(requestor.RequestedAssociation):
        def __init__(self, *told) -> None:
            super().__init__(*told)
            made.append(self)

    with monkeypatch.context() as patched:
        patched.setattr(requestor, "RequestedAssociation", Noted)
        yield made


async def test_giving_up_while_tcp_connects_leaves_nothing(monkeypatch):
    with unreachable() as listener, noted(monkeypatch) as made:
        async with nothing_left():
            asking = asyncio.create_task(request(*listener.getsockname(), "ME", "PEER", PROPOSALS))
            await until(lambda: made and made[0].state == State.CONNECTING)
            assert not (await asyncio.wait([asking], timeout=0.05))[0]
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert made[0].state == State.IDLE
            assert (await made[0].closed).kind == End.ABORTED


async def test_who_neither_refuses_nor_takes_a_connection_is_unreachable():
    with unreachable() as listener:
        async with nothing_left():
            with pytest.raises(Unreachable):
                await request(*listener.getsockname(), "ME", "PEER", PROPOSALS, limits=SHORT)


async def test_a_connection_that_comes_after_a_local_abort_is_closed(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener, noted(monkeypatch) as made:
        listener.setblocking(False)
        async with nothing_left():
            asking = asyncio.create_task(request(*listener.getsockname(), "ME", "PEER", PROPOSALS))
            while not made:
                await asyncio.sleep(0)  # the connection is there in less than a millisecond
            assert made[0].state == State.CONNECTING
            made[0].abort()
            with pytest.raises(AssociationLost):
                await asking
            theirs, _ = await asyncio.get_running_loop().sock_accept(listener)
            with theirs, contextlib.suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(theirs, 1000) == b""
            assert (await made[0].closed).kind == End.ABORTED
