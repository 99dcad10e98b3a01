"""However the bytes of a connection are cut, delayed or ended, the same messages come of them (PS3.8 9.1)."""

from __future__ import annotations

import asyncio
import random

import pytest
from raw_peer import (
    CT_ID,
    RELEASE_RP,
    RELEASE_RQ,
    REQUEST,
    Peer,
    Recorder,
    abort,
    acceptor,
    echo,
    fragment,
    p_data,
    store,
    store_command,
    until,
)

from isocenter.network.limits import Limits
from isocenter.network.pdu import Malformed
from isocenter.network.service import End
from isocenter.network.stream import PduStream

CONVERSATION = echo(1) + store(bytes(range(256)) * 4, 2) + echo(3)


async def send_in_pieces(peer: Peer, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        await peer.send(data[start : start + size])
        await asyncio.sleep(0)


async def test_a_sender_of_one_byte_at_a_time_is_understood():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await send_in_pieces(peer, REQUEST, 1)
        assert (await peer.pdu())[:1] == b"\x02"
        await send_in_pieces(peer, CONVERSATION + RELEASE_RQ, 1)
        assert [(await peer.response())["MessageIDBeingRespondedTo"] for _ in range(3)] == [1, 2, 3]
        assert await peer.pdu() == RELEASE_RP
        assert server.recorder.sinks[0].got == bytes(range(256)) * 4


async def test_a_pdu_in_three_tcp_segments_is_one_pdu():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        third = len(REQUEST) // 3
        for piece in (REQUEST[:third], REQUEST[third : 2 * third], REQUEST[2 * third :]):
            await peer.send(piece)
            await asyncio.sleep(0.02)
        assert (await peer.pdu())[:1] == b"\x02"
        data = p_data(fragment(CT_ID, b"x" * 3000))
        await peer.send(p_data(fragment(CT_ID, store_command(), command=True)))
        for piece in (data[:1000], data[1000:2000], data[2000:]):
            await peer.send(piece)
            await asyncio.sleep(0.02)
        assert (await peer.response())["Status"] == 0
        assert server.recorder.sinks[0].got == b"x" * 3000


async def test_many_pdus_in_one_segment_are_all_read():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(b"".join(echo(n) for n in range(1, 31)) + RELEASE_RQ)
        assert [(await peer.response())["MessageIDBeingRespondedTo"] for _ in range(30)] == list(range(1, 31))
        assert await peer.pdu() == RELEASE_RP


@pytest.mark.parametrize("when", ["idle", "in a data set", "in a header", "after its release request"])
async def test_a_half_closed_connection_is_over(when):
    said = {
        "idle": b"",
        "in a data set": p_data(
            fragment(CT_ID, store_command(), command=True), fragment(CT_ID, b"abc", last=False)
        ),
        "in a header": b"\x04\x00\x00",
        "after its release request": RELEASE_RQ,
    }[when]
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(said)
        peer.writer.write_eof()
        if when == "after its release request":
            assert await peer.pdu() == RELEASE_RP
        assert await peer.pdu() == b""
        await until(lambda: server.recorder.endings)
        released = server.recorder.endings[0].kind == End.RELEASED
        assert released == (when == "after its release request")
        assert all(sink.aborted for sink in server.recorder.sinks)


async def test_reading_rests_while_the_consumer_cannot_take_more():
    class Slow(Recorder):
        most = 0

        def message_begin(self, association, message, /):
            sink = super().message_begin(association, message)
            original = sink.feed

            def feed(view):
                original(view)
                association.pause_reading()
                Slow.most = max(Slow.most, len(view))
                asyncio.get_running_loop().call_later(0.002, association.resume_reading)

            sink.feed = feed
            return sink

    data = random.Random(1).randbytes(4_000_000)
    pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    async with acceptor(service=Slow) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(p_data(fragment(CT_ID, store_command(), command=True)))
        for piece in pieces:
            await peer.send(p_data(fragment(CT_ID, piece, last=piece is pieces[-1])))
        assert (await peer.response())["Status"] == 0
        assert server.recorder.sinks[0].got == data


async def test_fragments_may_be_kept_as_long_as_the_receiver_likes():
    """They are views of the memory that was read into; it must not be read into again."""

    class Keeping(Recorder):
        def message_begin(self, association, message, /):
            sink = super().message_begin(association, message)
            sink.kept = []
            sink.feed = sink.kept.append
            return sink

        def message_end(self, association, message, /):
            message.data.got += b"."
            return super().message_end(association, message)

    data = [random.Random(seed).randbytes(300_000) for seed in range(20)]
    async with acceptor(Limits(max_length=400_000), service=Keeping) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        for n, each in enumerate(data, 1):
            await peer.send(store(each, n))
            assert (await peer.response())["Status"] == 0
        for sink, each in zip(server.recorder.sinks, data, strict=True):
            assert b"".join(sink.kept) == each


class Noting:
    """What a stream calls, as a list."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def pdu_header(self, kind: int, length: int) -> bool:
        self.calls.append(("header", kind, length))
        return kind != 9

    def pdu_body(self, kind: int, body: bytes) -> None:
        self.calls.append(("body", kind, body))

    def fragment_header(self, context_id: int, control: int) -> None:
        self.calls.append(("fragment", context_id, control, bytearray()))

    def fragment_data(self, view: memoryview) -> None:
        self.calls[-1][3].extend(view)

    def fragment_end(self) -> None:
        self.calls.append(("end",))

    def malformed(self, problem: Malformed) -> None:
        self.calls.append(("malformed", problem.reason))


SPOKEN = (
    RELEASE_RQ
    + p_data(fragment(1, b"abc"), fragment(3, b""), fragment(5, b"defgh", last=False))
    + b"\x09\0\0\0\0\x05\1\2\3\4\5"
    + p_data(fragment(1, b"abc")[:3] + b"\x99" + fragment(1, b"abc")[4:])
    + b"\x09\0\0\0\0\0"
    + p_data(fragment(1, b"abc"), b"rest")
    + abort(2, 6)
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 13, 1000])
def test_a_stream_is_cut_the_same_however_it_arrives(size):
    whole, pieces = Noting(), Noting()
    assert PduStream(whole).feed(memoryview(SPOKEN)) == len(SPOKEN)
    stream = PduStream(pieces)
    for at in range(0, len(SPOKEN), size):
        stream.feed(memoryview(SPOKEN[at : at + size]))
    assert stream.between_pdus
    assert pieces.calls == whole.calls
    assert sum(call[0] == "malformed" for call in whole.calls) == 2
