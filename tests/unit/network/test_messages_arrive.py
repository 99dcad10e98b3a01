"""Which fragments make a message, and which break the protocol (PS3.7 6.3.1, PS3.8 9.3.5, Annex E)."""

from __future__ import annotations

import struct

import pytest
from raw_peer import (
    CT_ID,
    ECHO_ID,
    FIND_ID,
    VERIFICATION,
    Peer,
    Recorder,
    abort,
    acceptor,
    cancel,
    command,
    echo,
    find,
    fragment,
    p_data,
    store,
    store_command,
    until,
)

from isocenter.network import messages
from isocenter.network.limits import Limits

INVALID = abort(2, 6)
ECHO = command(0x30, 1, VERIFICATION)
STORE = fragment(CT_ID, store_command(), command=True)


def raw_item(length: int, rest: bytes) -> bytes:
    return p_data(struct.pack(">L", length) + rest)


BROKEN = {
    "two messages interleaved in one context": [p_data(STORE), p_data(STORE)],
    "two contexts interleaved between command fragments": [
        p_data(fragment(CT_ID, store_command()[:20], command=True, last=False)),
        echo(),
    ],
    "two contexts interleaved in a data set": [
        p_data(STORE, fragment(CT_ID, b"ab", last=False)),
        p_data(fragment(FIND_ID, b"cd")),
    ],
    "a command fragment after the data set began": [
        p_data(STORE, fragment(CT_ID, b"ab", last=False)),
        p_data(fragment(CT_ID, store_command(), command=True)),
    ],
    "a data set fragment before the command is complete": [
        p_data(fragment(CT_ID, store_command()[:20], command=True, last=False), fragment(CT_ID, b"ab")),
    ],
    "a data set with no command": [p_data(fragment(CT_ID, b"ab"))],
    "a data set though the command says there is none": [p_data(fragment(ECHO_ID, b"ab"))],
    "a context that was never accepted": [p_data(fragment(99, ECHO, command=True))],
    "an even context id": [p_data(fragment(2, ECHO, command=True))],
    "a fragment of length zero": [raw_item(0, bytes(2))],
    "a fragment of length one": [raw_item(1, b"\x01\x03")],
    "a fragment longer than its PDU": [raw_item(1000, b"\x01\x03" + ECHO)],
    "a fragment of length FFFFFFFF": [raw_item(0xFFFFFFFF, b"\x01\x03" + ECHO)],
    "bytes after the last fragment": [p_data(fragment(ECHO_ID, ECHO, command=True), b"\0\0\0")],
    "a P-DATA-TF without a fragment": [bytes.fromhex("040000000000")],
    "a P-DATA-TF longer than announced": [struct.pack(">BxL", 4, 131073)],
    "a P-DATA-TF of length FFFFFFFF": [struct.pack(">BxL", 4, 0xFFFFFFFF)],
    "a command that is no command set": [p_data(fragment(ECHO_ID, b"\xff" * 50, command=True))],
    "a command without command field": [
        p_data(fragment(ECHO_ID, messages.pack_command({"CommandDataSetType": 0x0101}), command=True))
    ],
    "a request without message id": [
        p_data(
            fragment(
                ECHO_ID,
                messages.pack_command({"CommandField": 0x30, "CommandDataSetType": 0x0101}),
                command=True,
            )
        )
    ],
    "an empty command": [p_data(fragment(ECHO_ID, b"", command=True))],
    "a release request of another length": [bytes.fromhex("0500000000060000000000000000")],
    "an abort of another length": [bytes.fromhex("070000000000")],
}


@pytest.mark.parametrize("case", BROKEN)
async def test_what_breaks_the_rules_is_aborted_by_the_provider(case):
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(b"".join(BROKEN[case]))
        answer = await peer.pdu()
        if answer[:1] == b"\x04":  # the first of two messages was complete
            answer = await peer.pdu()
        assert answer == INVALID
        await peer.close()
        await until(lambda: server.recorder.endings)
        assert all(sink.aborted for sink in server.recorder.sinks)


async def test_a_response_that_nobody_asked_for_is_an_abort():
    told = {"CommandField": 0x8030, "MessageIDBeingRespondedTo": 7, "CommandDataSetType": 0x0101, "Status": 0}
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(p_data(fragment(ECHO_ID, messages.pack_command(told), command=True)))
        assert await peer.pdu() == abort(0, 0)
        await peer.close()


async def test_several_fragments_in_one_pdu_make_a_message():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(
            p_data(
                fragment(CT_ID, store_command()[:30], command=True, last=False),
                fragment(CT_ID, store_command()[30:], command=True),
                fragment(CT_ID, b"abc", last=False),
                fragment(CT_ID, b"", last=False),
                fragment(CT_ID, b"defg"),
            )
        )
        assert (await peer.response())["Status"] == 0
        assert server.recorder.sinks[0].got == b"abcdefg"
        await peer.close()


async def test_a_message_may_have_an_empty_last_fragment():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(p_data(STORE) + p_data(fragment(CT_ID, b"abc", last=False)))
        await peer.send(p_data(fragment(CT_ID, b"")))
        assert (await peer.response())["Status"] == 0
        assert server.recorder.sinks[0].got == b"abc"
        await peer.close()


async def test_bits_2_to_7_of_the_control_header_are_never_checked():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(p_data(struct.pack(">LBB", len(ECHO) + 2, ECHO_ID, 0xFF) + ECHO))
        assert (await peer.response())["Status"] == 0
        await peer.close()


async def test_a_data_set_of_zero_bytes_reaches_the_service_which_refuses_it():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(store(b""))
        assert (await peer.response())["Status"] == 0xC000
        assert not server.recorder.sinks[0].aborted
        await peer.close()


async def test_a_duplicate_stays_one_though_the_first_is_answered_while_its_data_set_arrives():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find(7) + p_data(fragment(CT_ID, store_command(7), command=True)))
        await until(lambda: server.recorder.messages and server.connection._incoming.under_way)
        server.recorder.gate.set()
        assert (await peer.response())["Status"] == 0
        await peer.send(p_data(fragment(CT_ID, b"abcd")))
        assert (await peer.response())["Status"] == 0x0210
        assert len(server.recorder.messages) == 1


async def test_a_message_id_may_come_again_after_its_answer():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        for _ in range(3):
            await peer.send(echo(1))
            assert (await peer.response())["MessageIDBeingRespondedTo"] == 1
        await peer.close()


@pytest.mark.parametrize("again", [find(5), echo(5), store(b"abc", 5)])
async def test_a_message_id_still_being_answered_is_a_duplicate_invocation(again):
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find(5))
        await until(lambda: server.recorder.messages)
        await peer.send(again)
        assert (await peer.response())["Status"] == 0x0210
        server.recorder.gate.set()
        answer = await peer.response()
        assert (answer["Status"], answer["CommandField"]) == (0, 0x8020)
        assert len(server.recorder.messages) == 1
        await peer.close()


async def test_a_cancel_for_an_unknown_request_is_ignored():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(cancel(77))
        assert await peer.quiet()
        await peer.send(echo())
        assert (await peer.response())["Status"] == 0
        await peer.close()


async def test_a_cancel_is_read_while_we_answer():
    async with acceptor() as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find(3))
        await until(lambda: server.recorder.messages)
        called = []
        server.recorder.messages[0].on_cancel(lambda: called.append(1))
        await peer.send(cancel(3))
        await until(lambda: called)
        server.recorder.messages[0].on_cancel(lambda: called.append(2))
        assert called == [1, 2]  # who asks later is told at once
        server.recorder.gate.set()
        assert (await peer.response())["Status"] == 0xFE00
        await peer.close()


async def test_a_cancel_is_read_though_the_peer_reads_none_of_many_answers():
    class Many(Recorder):
        def __init__(self, association) -> None:
            super().__init__(association)
            self.pending = 200_000
            self.gate.set()

    async with acceptor(service=Many) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find(1))
        await until(lambda: server.connection._stuck)
        await peer.send(cancel(1))
        await until(lambda: server.recorder.messages[0].cancelled)
        pending = 0
        while (await peer.response())["Status"] == 0xFF00:
            pending += 1
        assert 0 < pending < 200_000
        await peer.close()


async def test_a_command_may_not_grow_without_bound():
    async with acceptor(Limits(command=1000)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        for _ in range(3):
            await peer.send(p_data(fragment(ECHO_ID, bytes(400), command=True, last=False)))
        assert await peer.pdu() == abort(2, 0)
        await peer.close()


async def test_an_identifier_may_not_grow_without_bound():
    async with acceptor(Limits(collected=1000)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        asked = command(0x20, 1, VERIFICATION, data_set=True)
        await peer.send(p_data(fragment(FIND_ID, asked, command=True), fragment(FIND_ID, bytes(1002))))
        assert await peer.pdu() == abort(2, 0)
        await peer.close()


async def test_many_requests_at_once_are_answered_in_turn_and_reading_rests_meanwhile():
    async with acceptor(Limits(outstanding=4)) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        for message_id in range(1, 11):
            await peer.send(find(message_id))
        await until(lambda: server.connection.outstanding >= 4)
        server.recorder.gate.set()
        ids = {(await peer.response())["MessageIDBeingRespondedTo"] for _ in range(10)}
        assert ids == set(range(1, 11))
        await peer.close()


async def test_a_service_that_fails_at_the_begin_or_end_of_an_association_harms_nobody(caplog):
    class Failing(Recorder):
        def established(self, association, /):
            raise ZeroDivisionError

        def ended(self, association, ending, /):
            raise ZeroDivisionError

    async with acceptor(service=Failing) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        assert await peer.pdu() == abort(0, 0)
        await peer.close()
        await until(lambda: not server.server._connections)
        assert caplog.text.count("ERROR") == 2


async def test_an_answer_to_a_peer_that_went_is_no_error(caplog):
    class Careless(Recorder):
        async def find(self, message):
            await self.gate.wait()
            self.association.abort()
            await self.association.answer_pending(message, messages.response(message.command, 0xFF00))

    async with acceptor(service=Careless) as server:
        peer = await Peer.connect(server.port)
        await peer.associate()
        await peer.send(find())
        await until(lambda: server.recorders and server.recorder.messages)
        server.recorder.gate.set()
        assert await peer.pdu() == abort(0, 0)
        await peer.close()
        await until(lambda: not server.server._connections)
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize("broken", ["message_begin", "message_end", "feed", "coroutine"])
async def test_a_service_that_fails_aborts_its_association_and_no_other(broken, caplog):
    class Failing(Recorder):
        def message_begin(self, association, message, /):
            if broken == "message_begin":
                raise ZeroDivisionError
            sink = super().message_begin(association, message)
            if broken == "feed":
                sink.feed = lambda view: 1 / 0
            return sink

        def message_end(self, association, message, /):
            if broken == "message_end":
                raise ZeroDivisionError
            return self.fail() if broken == "coroutine" else super().message_end(association, message)

        async def fail(self):
            raise ZeroDivisionError

    async with acceptor(service=Failing) as server:
        peer, other = await Peer.connect(server.port), await Peer.connect(server.port)
        await other.associate()
        await peer.associate()
        await peer.send(store(b"abc"))
        assert await peer.pdu() == abort(0, 0)
        assert await other.quiet()
        assert "ZeroDivisionError" in caplog.text
        await peer.close()
        await other.close()
