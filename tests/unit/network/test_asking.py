"""What we ask of a peer, small and large, and what comes back, by both ends of ours (PS3.7 6.3, 9.1)."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Iterator

import pytest
from raw_peer import (
    CT,
    CT_ID,
    ECHO_ID,
    FIND,
    FIND_ID,
    PROPOSALS,
    VERIFICATION,
    Peer,
    Recorder,
    acceptor,
    until,
)
from situations import SITUATIONS

from isocenter.errors import Damaged
from isocenter.network import messages, requestor
from isocenter.network.limits import Limits
from isocenter.network.negotiation import Policy, Proposal
from isocenter.network.problems import AssociationLost
from isocenter.network.requestor import Asked, RequestedAssociation, request
from isocenter.network.send import FileRange
from isocenter.network.service import End

STORE = {"CommandField": 1, "AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2.3", "Priority": 0}
ECHO = {"CommandField": 0x30, "AffectedSOPClassUID": VERIFICATION}
ASK = {"CommandField": 0x20, "AffectedSOPClassUID": FIND, "Priority": 0}
IDENTIFIER = b"\x08\0\x52\0\0\0\0\0"
DATA = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def file() -> Iterator[int]:
    with tempfile.TemporaryFile() as opened:
        opened.write(b"preamble" + DATA)
        opened.flush()
        yield opened.fileno()


async def test_an_echo_is_answered():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        reply = await ours.exchange(ECHO_ID, ECHO)
        assert (reply.status, reply.data, reply.command["CommandField"]) == (0, None, 0x8030)
        await ours.release()


@pytest.mark.parametrize("max_length", [0, 64, 4096, 16384, 131072, 2_000_000])
@pytest.mark.parametrize("length", [0, 1, 58, 65536, 524_288, 3_000_000])
async def test_a_data_set_is_cut_from_its_file_as_the_peer_can_take_it(file, max_length, length):
    if length > 100_000 and max_length == 64:
        length = 100_000
    limits = Limits(max_length=2_000_000 + 6)
    async with acceptor(limits, policy=Policy(max_length=max_length)) as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        assert (await ours.exchange(CT_ID, STORE, FileRange(file, 8, length))).status == (
            0 if length else 0xC000
        )
        assert server.recorder.sinks[0].got == DATA[:length]
        await ours.release()


@pytest.mark.parametrize("length", [1000, 70_000, 3_000_000])
async def test_a_data_set_in_memory_is_sent_too(length):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        assert (await ours.exchange(CT_ID, STORE, DATA[:length])).status == 0
        assert server.recorder.sinks[0].got == DATA[:length]
        await ours.release()


async def test_a_file_shorter_than_its_range_is_damage_and_never_half_an_object(file):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        with pytest.raises(Damaged):
            await ours.exchange(CT_ID, STORE, FileRange(file, 8, len(DATA) + 10))
        await until(lambda: server.recorder.endings)
        assert server.recorder.sinks[0].aborted
        assert not server.recorder.messages
        await ours.closed


async def test_damage_seen_before_a_byte_left_spares_the_association(file):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        with pytest.raises(Damaged):
            await ours.exchange(CT_ID, STORE, FileRange(file, len(DATA), 1000))
        assert (await ours.exchange(CT_ID, STORE, FileRange(file, 8, 1000))).status == 0
        await ours.release()


async def test_requests_at_the_same_time_are_sent_one_after_the_other(file):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        whole = FileRange(file, 8, len(DATA))
        asked = [ours.exchange(CT_ID, STORE, whole) for _ in range(3)] + [ours.exchange(ECHO_ID, ECHO)]
        assert [reply.status for reply in await asyncio.gather(*asked)] == [0] * 4
        assert all(sink.got == DATA for sink in server.recorder.sinks)
        await ours.release()


async def test_who_gives_up_waiting_for_its_turn_harms_nobody(file):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders)
        server.connection.pause_reading()
        whole = FileRange(file, 8, len(DATA))
        first = asyncio.create_task(ours.exchange(CT_ID, STORE, bytes(20_000_000)))
        await until(lambda: ours._stuck)
        second = asyncio.create_task(ours.exchange(CT_ID, STORE, whole))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        server.connection.resume_reading()
        assert (await first).status == 0
        assert (await ours.exchange(ECHO_ID, ECHO)).status == 0
        await ours.release()


async def test_who_gives_up_in_the_middle_of_sending_ends_the_association(file):
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders)
        server.connection.pause_reading()
        sending = asyncio.create_task(ours.exchange(CT_ID, STORE, bytes(20_000_000)))
        await until(lambda: ours._stuck)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        server.connection.resume_reading()
        await until(lambda: server.recorder.endings)
        assert server.recorder.sinks[0].aborted
        await ours.closed


async def test_every_pending_response_is_given_and_then_the_final_one():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders)
        server.recorder.pending = 500
        server.recorder.gate.set()
        statuses = [reply.status async for reply in ours.replies(FIND_ID, ASK, IDENTIFIER)]
        assert statuses == [0xFF00] * 500 + [0]
        assert (await ours.exchange(FIND_ID, ASK, IDENTIFIER)).status == 0
        await ours.release()


async def test_leaving_the_responses_early_cancels_and_leaves_the_association_usable():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders)
        server.recorder.pending = 100_000
        server.recorder.gate.set()
        replies = ours.replies(FIND_ID, ASK, IDENTIFIER)
        async for _ in replies:
            break
        await replies.aclose()
        assert (await ours.exchange(ECHO_ID, ECHO)).status == 0
        assert server.recorder.messages[0].cancelled
        await ours.release()


async def test_a_reader_slower_than_the_peer_makes_the_peer_wait():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        await until(lambda: server.recorders)
        server.recorder.pending = 30_000
        server.recorder.gate.set()
        replies = ours.replies(FIND_ID, ASK, IDENTIFIER)
        await anext(replies)
        await asyncio.sleep(0.2)
        (exchange,) = ours._exchanges.values()
        assert len(exchange._replies) < 20_000
        assert sum([1 async for _ in replies]) == 30_000
        await ours.release()


@pytest.mark.parametrize("how", ["abort", "reset"])
async def test_when_the_peer_goes_who_waits_is_told(how):
    _, setting = SITUATIONS["Sta6 as requestor"]
    async with setting(Limits()) as there:
        waiting = asyncio.create_task(there.association.exchange(ECHO_ID, ECHO))
        await there.peer.pdu()
        if how == "abort":
            await there.peer.send(bytes.fromhex("07000000000400000202"))
        else:
            there.peer.reset()
        with pytest.raises(AssociationLost) as problem:
            await waiting
        assert problem.value.ending.kind == End.PROVIDER_ABORTED
        assert problem.value.detail["reason"] == (2 if how == "abort" else 0)


async def test_when_the_peer_goes_while_we_send_the_sender_is_told(file):
    _, setting = SITUATIONS["Sta6 as requestor"]
    async with setting(Limits()) as there:
        big = bytes(50_000_000)
        sending = asyncio.create_task(there.association.exchange(CT_ID, STORE, big))
        await there.peer.pdu()
        there.peer.reset()
        with pytest.raises(AssociationLost):
            await sending


async def test_an_answer_may_come_before_all_is_sent():
    """A peer that is out of space may say so at once; the rest of the data set follows all the same."""
    _, setting = SITUATIONS["Sta6 as requestor"]
    async with setting(Limits()) as there:
        sending = asyncio.create_task(there.association.exchange(CT_ID, STORE, bytes(20_000_000)))
        asked = messages.parse_command((await there.peer.pdu())[12:])
        told = messages.pack_command(messages.response(asked, 0xA700))
        size = len(told) + 2
        await there.peer.send(
            bytes((4, 0)) + (size + 4).to_bytes(4, "big") + size.to_bytes(4, "big") + bytes((CT_ID, 3)) + told
        )
        received = 0
        while received < 20_000_000:
            received += len(await there.peer.pdu()) - 12
        assert (await sending).status == 0xA700


async def test_the_acceptor_may_ask_too_where_roles_were_agreed():
    """As a C-GET does: the storing end is who asked for the association."""

    class Getting(Recorder):
        def message_end(self, association, message, /):
            return self.get(message)

        async def get(self, message):
            ours = self.association
            context = ours.context_for(CT)
            reply = await ours.exchange(context, STORE, DATA[:200_000])
            ours.respond(message, messages.response(message.command, reply.status))

    class Storing:
        def __init__(self) -> None:
            self.recorder = None

        def __getattr__(self, name):
            return getattr(self.recorder, name)

        def established(self, association, /):
            self.recorder = Recorder(association)

    storing = Storing()
    policy = Policy(services=frozenset({FIND}))
    proposals = [Proposal(FIND), Proposal(CT, scu=False, scp=True)]
    async with acceptor(service=Getting, policy=policy) as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", proposals, service=storing)
        assert (await ours.exchange(1, ASK, IDENTIFIER)).status == 0
        assert storing.sinks[0].got == DATA[:200_000]
        await ours.release()


async def test_message_ids_wrap_and_skip_those_in_use():
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        ours._last_id = 0xFFFE
        await until(lambda: server.recorders)
        waiting = asyncio.create_task(ours.exchange(FIND_ID, ASK, IDENTIFIER))
        await until(lambda: server.recorder.messages)
        ours._last_id = 0xFFFE
        assert (await ours.exchange(ECHO_ID, ECHO)).command["MessageIDBeingRespondedTo"] == 1
        server.recorder.gate.set()
        assert (await waiting).command["MessageIDBeingRespondedTo"] == 0xFFFF
        await ours.release()


async def test_each_fragment_is_even_and_fits_the_length_that_the_peer_announced(file):
    _, setting = SITUATIONS["Sta6 as requestor"]
    async with setting(Limits()) as there:
        there.association._outbox.payload = 4097 - 6 & ~1
        sending = asyncio.create_task(there.association.exchange(CT_ID, STORE, FileRange(file, 8, 100_000)))
        await there.peer.pdu()
        got = b""
        while len(got) < 100_000:
            pdu = await there.peer.pdu()
            assert len(pdu) - 6 <= 4097
            assert len(pdu) % 2 == 0
            assert (pdu[11] == 2) == (len(got) + len(pdu) - 12 == 100_000)
            got += pdu[12:]
        assert got == DATA[:100_000]
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_cold_files_are_read_in_a_thread_and_arrive_whole(file, monkeypatch):
    """What the page cache does not hold, or file systems that cannot say."""

    real = os.preadv

    def sometimes(fd, buffers, offset, flags=0):
        if flags:
            if offset % 3 == 0:
                raise BlockingIOError(11, "not in the cache")
            return real(fd, [buffers[0][:1000]], offset)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", sometimes)
    async with acceptor() as server:
        ours = await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
        assert (await ours.exchange(CT_ID, STORE, FileRange(file, 8, len(DATA)))).status == 0
        assert server.recorder.sinks[0].got == DATA
        await ours.release()


async def test_raw_peers_see_command_and_data_set_as_pdus_of_their_own(file):
    _, setting = SITUATIONS["Sta6 as requestor"]
    async with setting(Limits()) as there:
        sending = asyncio.create_task(there.association.exchange(CT_ID, STORE, IDENTIFIER))
        first, second = await there.peer.pdu(), await there.peer.pdu()
        assert (first[10], first[11], second[10], second[11]) == (CT_ID, 3, CT_ID, 2)
        assert second[12:] == IDENTIFIER
        assert isinstance(there.peer, Peer)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_connection_that_is_lost_while_the_answer_is_read_is_no_association(monkeypatch):
    async with acceptor() as server:
        loop = asyncio.get_running_loop()
        made: list[RequestedAssociation] = []
        read = Asked.read

        class Noted(RequestedAssociation):
            def __init__(self, *told) -> None:
                super().__init__(*told)
                made.append(self)

        def slowly(asked: Asked, answer: bytes):
            loop.call_soon_threadsafe(made[0].close_now)
            asyncio.run_coroutine_threadsafe(asyncio.wait([made[0].closed]), loop).result()
            return read(asked, answer)

        monkeypatch.setattr(requestor, "RequestedAssociation", Noted)
        monkeypatch.setattr(Asked, "read", slowly)
        with pytest.raises(AssociationLost):
            await request("127.0.0.1", server.port, "ME", "ISOCENTER", PROPOSALS)
