"""Slow, silent and stuck peers are told to go, patient work is not (PS3.8 9.1.5; `Limits`)."""

from __future__ import annotations

import asyncio
import socket

import pytest
from raw_peer import (
    CT_ID,
    FIND_ID,
    PROPOSALS,
    Peer,
    Recorder,
    abort,
    acceptor,
    echo,
    find,
    fragment,
    p_data,
    store_command,
    until,
)
from situations import SITUATIONS

from isocenter.errors import Timeout
from isocenter.network import messages
from isocenter.network.limits import Limits
from isocenter.network.requestor import request
from isocenter.network.service import End

STORE = p_data(fragment(CT_ID, store_command(), command=True))


async def test_an_idle_association_is_aborted():
    async with acceptor(Limits(idle=0.2, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        assert await peer.pdu() == abort(0, 0)
        await until(lambda: server.recorder.endings)
        assert server.recorder.endings[0].kind == End.ABORTED


async def test_messages_keep_an_association_alive():
    async with acceptor(Limits(idle=1.5, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        for n in range(8):
            await asyncio.sleep(0.25)
            await peer.send(echo(n + 1))
            assert (await peer.response())["Status"] == 0


@pytest.mark.parametrize(
    "begun",
    [STORE, STORE + p_data(fragment(CT_ID, b"abc", last=False)), STORE[:50], b"\x04", b"\x05\0\0\0\0\4\0"],
    ids=["a command", "a part of a data set", "a part of a command", "a byte", "a part of a release"],
)
async def test_the_rest_of_a_message_must_come_in_time(begun):
    async with acceptor(Limits(message=0.2, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(begun)
        assert await peer.pdu() == abort(0, 0)
        await until(lambda: server.recorder.endings)
        assert all(sink.aborted for sink in server.recorder.sinks)


async def test_a_byte_now_and_then_is_no_progress():
    async with acceptor(Limits(message=0.3, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        slow = p_data(fragment(CT_ID, bytes(1000)))
        await peer.send(STORE)
        for octet in slow[:100]:
            peer.writer.write(bytes((octet,)))
            await asyncio.sleep(0.02)
        assert server.recorder.endings
        assert server.recorder.sinks[0].aborted


async def test_a_slow_sender_of_whole_pdus_is_borne():
    async with acceptor(Limits(message=1.5, idle=1.5, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(STORE)
        for n in range(8):
            await asyncio.sleep(0.25)
            await peer.send(p_data(fragment(CT_ID, b"abc", last=n == 7)))
        assert (await peer.response())["Status"] == 0


async def test_the_peers_idle_time_rests_while_we_work():
    async with acceptor(Limits(idle=0.5, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find())
        await asyncio.sleep(1)
        server.recorder.gate.set()
        assert (await peer.response())["Status"] == 0


async def test_the_time_rests_while_we_do_not_read():
    async with acceptor(Limits(message=0.5, closing=0.2)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(STORE)
        await until(lambda: server.recorder.sinks)
        server.connection.pause_reading()
        await peer.send(p_data(fragment(CT_ID, b"abc")))
        await asyncio.sleep(1)
        assert not server.recorder.endings
        server.connection.resume_reading()
        assert (await peer.response())["Status"] == 0


async def test_a_peer_that_does_not_read_our_answers_is_aborted():
    class Many(Recorder):
        def __init__(self, association) -> None:
            super().__init__(association)
            self.pending = 10_000_000
            self.gate.set()

    async with acceptor(Limits(message=0.3, closing=0.2), service=Many) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find())
        await until(lambda: server.recorder.endings)
        assert "does not read" in server.recorder.endings[0].text
        await until(lambda: server.recorder.cancelled_tasks == 1)
        await until(lambda: not server.server._connections)


async def test_a_peer_that_reads_slowly_but_steadily_is_borne():
    """Also when more and more waits to be sent to it."""

    class Steady(Recorder):
        async def find(self, message) -> None:
            pending = messages.response(message.command, 0xFF00, data_set=True)
            while True:
                self.association.respond(message, pending, bytes(1_000_000), final=False)
                await asyncio.sleep(0.01)

    async with acceptor(Limits(message=1.5, closing=0.2), service=Steady) as server:
        peer = await Peer.connect(server.port)
        tcp = peer.writer.get_extra_info("socket")
        tcp.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024
        )  # else megabytes leave at a time, seldom
        await peer.associate()
        await peer.send(find())
        started = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < started + 2:
            await peer.reader.readexactly(100_000)
            await asyncio.sleep(0.01)
        assert not server.recorder.endings


async def test_an_answer_that_does_not_come_in_time_is_an_abort():
    async with acceptor(Limits(closing=0.2)) as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        with pytest.raises(Timeout):
            await ours.exchange(
                FIND_ID, {"CommandField": 0x20, "Priority": 0}, b"\x08\0\x52\0\0\0\0\0", timeout=0.1
            )
        await until(lambda: server.recorder.endings)
        assert server.recorder.endings[0].kind == End.ABORTED
        await ours.closed


@pytest.mark.parametrize("where", ["Sta13 as acceptor", "Sta13 as requestor"])
async def test_a_peer_that_does_not_close_after_the_end_is_closed(where):
    _, setting = SITUATIONS[where]
    async with setting(Limits(closing=0.15)) as there:
        assert await there.peer.pdu() == b""
        await there.ended()


async def test_rubbish_after_the_end_is_answered_a_few_times_and_then_not():
    _, setting = SITUATIONS["Sta13 as acceptor"]
    async with setting(Limits(closing=0.3)) as there:
        await there.peer.send(bytes(6) * 1000)
        answers = 0
        while await there.peer.pdu():
            answers += 1
        assert answers == 3
