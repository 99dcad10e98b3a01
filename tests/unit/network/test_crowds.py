"""Many peers at once: associations, accept loop, memory (`Limits`)."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket

import psutil
import pytest
from raw_peer import CT, CT_ID, ECHO_ID, PROPOSALS, VERIFICATION, Peer, acceptor, echo, store, until

from isocenter.network import blocks
from isocenter.network.acceptor import AssociationServer
from isocenter.network.blocks import BLOCK_SIZE, BLOCKS, ReadBuffer
from isocenter.network.limits import Limits
from isocenter.network.requestor import request

ECHO = {"CommandField": 0x30, "AffectedSOPClassUID": VERIFICATION}
STORE = {"CommandField": 1, "AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2.3", "Priority": 0}


async def test_200_peers_at_once_are_all_served():
    async def talk(port: int) -> None:
        ours = await request("127.0.0.1", port, "ME", "ISOCENTER", PROPOSALS)
        for _ in range(3):
            assert (await ours.exchange(CT_ID, STORE, bytes(100_000))).status == 0
            assert (await ours.exchange(ECHO_ID, ECHO)).status == 0
        await ours.release()

    async with acceptor() as server:
        await asyncio.gather(*(talk(server.port) for _ in range(200)))
        assert len(server.recorders) == 200
        assert all(len(sink.got) == 100_000 for each in server.recorders for sink in each.sinks)


async def test_200_idle_associations_cost_little_memory():
    async with acceptor() as server:
        peers = [await Peer.connect(server.port) for _ in range(200)]
        await peers[0].associate()
        gc.collect()
        before = psutil.Process().memory_info().rss
        for n, peer in enumerate(peers):
            if n:
                await peer.associate()
            await peer.send(store(bytes(50_000)))
            assert (await peer.response())["Status"] == 0
        for each in server.recorders:
            each.sinks.clear()
            each.messages.clear()
        gc.collect()
        # both ends of the connections are in this process, asyncio's streams too
        assert psutil.Process().memory_info().rss - before < 30_000_000
        assert all(each._buffer._lent is None for each in server.server._connections)


async def test_one_slow_negotiation_holds_up_nobody():
    async with acceptor() as server:
        server.deciding.clear()
        waiting = await Peer.connect(server.port)
        await waiting.send(echo())  # aborted at once
        assert (await waiting.pdu())[:1] == b"\x07"
        asking = asyncio.create_task(request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS))
        await until(lambda: server.server.associations)
        server.deciding.set()
        ours = await asking
        await ours.release()


async def test_without_file_descriptors_accepting_rests_and_goes_on(monkeypatch, caplog):
    monkeypatch.setattr("isocenter.network.acceptor._RETRY_ACCEPT", 0.05)

    class Exhausted:
        """A listener whose first accept finds no descriptor."""

        def __init__(self, real: socket.socket) -> None:
            self.real, self.failed = real, False

        def __getattr__(self, name):
            return getattr(self.real, name)

        def accept(self):
            if not self.failed:
                self.failed = True
                raise OSError(errno.EMFILE, "too many open files")
            return self.real.accept()

    async with acceptor() as server:
        loop = asyncio.get_running_loop()
        loop.remove_reader(server.socket)
        server.server._listening.clear()
        listener = Exhausted(server.socket)
        server.server.listen([listener])
        peer = await Peer.connect(server.port)
        await peer.associate()
        assert listener.failed
        assert "cannot be accepted" in caplog.text


async def test_servers_that_share_a_socket_serve_each_connection_once():
    """As the worker processes do."""
    async with acceptor() as first:
        listener = first.socket.dup()
        second = AssociationServer(first._negotiate, first._service, Limits())
        second.listen([listener])
        peers = [await Peer.connect(first.port) for _ in range(20)]
        for peer in peers:
            await peer.associate()
            await peer.send(echo())
            assert (await peer.response())["Status"] == 0
        assert len(first.server.associations) + len(second.associations) == 20
        Peer.abort_all()
        await second.stop(0)
        listener.close()


def test_a_block_is_lent_again_only_when_nobody_holds_a_part_of_it():
    pool = blocks.Blocks()
    lent = pool.take()
    part = lent[10:20][2:4]
    block = part.obj
    del lent
    other = pool.take()
    assert other.obj is not block
    more = memoryview(part)  # as a transport keeps what it is given
    del part, other
    assert pool.take().obj is not block
    del more
    assert pool.take().obj is block


def test_reads_go_behind_what_is_held_and_into_a_new_block_when_it_is_full():
    buffer = ReadBuffer()
    kept = []
    for _ in range(20):
        room = buffer.room()
        room[:100_000] = bytes((len(kept),)) * 100_000
        kept.append(buffer.received(100_000)[:])
        del room
        buffer.rest()
    assert [bytes(view) for view in kept] == [bytes((n,)) * 100_000 for n in range(20)]
    assert len({id(view.obj) for view in kept}) == 20 // (BLOCK_SIZE // 100_000)
    kept.clear()


def test_a_read_that_was_dealt_with_gives_its_block_back():
    buffer = ReadBuffer()
    room = buffer.room()
    identity = id(room.obj)
    view = buffer.received(100)
    del view
    buffer.rest()
    with pytest.raises(ValueError, match="released"):
        room.obj  # noqa: B018
    assert buffer._lent is None
    assert id(BLOCKS.take().obj) == identity


def test_memory_of_a_connection_is_not_lent_to_another_while_it_reads_on_behind_what_was_held():
    one, other = ReadBuffer(), ReadBuffer()
    one.room()
    held = one.received(100)
    one.rest()
    del held
    assert other.room().obj is not one.room().obj
