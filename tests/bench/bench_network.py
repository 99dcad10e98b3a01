"""The upper layer alone, over loopback, beside pynetdicom's in the same run: no disk, no hashing.

Each acceptor is a process of its own. Also: memory of idle associations, and the cost of a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import psutil
from harness import Row, report
from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt

from isocenter.network import messages, negotiation
from isocenter.network.acceptor import AssociationServer
from isocenter.network.association import Association
from isocenter.network.messages import Field
from isocenter.network.negotiation import Policy, Proposal
from isocenter.network.requestor import request
from isocenter.network.send import FileRange
from isocenter.network.service import Message

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"
PROPOSALS = (Proposal(VERIFICATION), Proposal(CT, (EXPLICIT,)), Proposal(FIND))
SIZE = 524_288
OBJECTS, ECHOES, MATCHES, IDLE, CONNECTIONS = 2000, 3000, 10_000, 200, 200
FEWER = 10
"""What pynetdicom does of these: it is slower, and the rate is the same."""
IDENTIFIER = bytes.fromhex("080052000600") + b"STUDY "


class Sink:
    """Takes a data set and drops it."""

    def feed(self, fragment: memoryview) -> None:
        """Dropped."""

    def abort(self) -> None:
        """Nothing was kept."""


class Service:
    """Answers with success; a C-FIND with many matches."""

    def established(self, association: Association) -> None:
        """Nothing to prepare."""

    def message_begin(self, association: Association, message: Message) -> Sink | None:
        return Sink() if message.command["CommandField"] == Field.C_STORE_RQ else None

    def message_end(self, association: Association, message: Message) -> Any:
        if message.command["CommandField"] == Field.C_FIND_RQ:
            return self.find(association, message)
        association.respond(message, messages.response(message.command, 0))
        return None

    async def find(self, association: Association, message: Message) -> None:
        pending = messages.response(message.command, 0xFF00, data_set=True)
        for _ in range(MATCHES):
            await association.answer_pending(message, pending, IDENTIFIER)
        association.respond(message, messages.response(message.command, 0))

    def ended(self, association: Association, ending: object) -> None:
        """Nothing to tidy up."""


def _ours(told: Connection) -> None:
    async def serve() -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        policy = Policy(services=frozenset({VERIFICATION, FIND}))
        server = AssociationServer(lambda rq, _: negotiation.negotiate(rq, policy), lambda _: Service())
        server.listen([listener])
        told.send(listener.getsockname()[1])
        await asyncio.to_thread(told.recv)
        await server.stop(0)
        listener.close()

    asyncio.run(serve())


def _theirs(told: Connection) -> None:
    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        match = Dataset()
        match.QueryRetrieveLevel = "STUDY"
        for _ in range(MATCHES // FEWER):
            yield 0xFF00, match

    entity = AE()
    entity.maximum_associations = 1000
    entity.network_timeout = None
    for syntax in (VERIFICATION, CT, FIND):
        entity.add_supported_context(syntax)
    entity.maximum_pdu_size = 131072
    handlers = [(evt.EVT_C_STORE, lambda _: 0), (evt.EVT_C_ECHO, lambda _: 0), (evt.EVT_C_FIND, find)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    told.send(server.server_address[1])
    told.recv()
    server.shutdown()


@contextlib.contextmanager
def acceptor(run: Callable[[Connection], None]) -> Iterator[tuple[int, psutil.Process]]:
    """Its port and its process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=run, args=(there,))
    process.start()
    try:
        yield here.recv(), psutil.Process(process.pid)
    finally:
        here.send(None)
        process.join(30)


@contextlib.asynccontextmanager
async def associated(port: int) -> Any:
    association = await request("127.0.0.1", port, "BENCH", "ANY", PROPOSALS)
    yield association
    await association.release()


async def stores(port: int, count: int) -> float:
    """Objects a second, cut from a file."""
    command: messages.Command = {
        "CommandField": 1,
        "AffectedSOPClassUID": CT,
        "AffectedSOPInstanceUID": "1.2.3.4",
        "Priority": 0,
    }
    with tempfile.TemporaryFile() as file:
        file.write(os.urandom(SIZE))
        file.flush()
        source = FileRange(file.fileno(), 0, SIZE)
        async with associated(port) as association:
            context = association.context_for(CT)
            begun = time.perf_counter()
            for _ in range(count):
                reply = await association.exchange(context, command, source)
                assert reply.status == 0
            return count / (time.perf_counter() - begun)


async def echoes(port: int, count: int) -> float:
    """C-ECHO round trips a second."""
    command: messages.Command = {"CommandField": 0x30, "AffectedSOPClassUID": VERIFICATION}
    async with associated(port) as association:
        begun = time.perf_counter()
        for _ in range(count):
            await association.exchange(1, command)
        return count / (time.perf_counter() - begun)


async def matches(port: int, expected: int) -> float:
    """C-FIND matches a second, read by us."""
    command: messages.Command = {"CommandField": 0x20, "AffectedSOPClassUID": FIND, "Priority": 0}
    async with associated(port) as association:
        begun = time.perf_counter()
        got = sum([1 async for _ in association.replies(5, command, IDENTIFIER)])
        assert got == expected + 1, got
        return got / (time.perf_counter() - begun)


async def connections(port: int, count: int) -> float:
    """Associations a second, one after the other: request, accept, release."""
    begun = time.perf_counter()
    for _ in range(count):
        async with associated(port):
            pass
    return count / (time.perf_counter() - begun)


async def idle(port: int, process: psutil.Process, count: int = IDLE) -> float:
    """KiB of the acceptor's RSS for each of many idle associations that have stored an object each."""
    await stores(port, 1)
    before = process.memory_info().rss
    standing = [await request("127.0.0.1", port, "BENCH", "ANY", PROPOSALS) for _ in range(count)]
    for association in standing:
        command: messages.Command = {"CommandField": 1, "AffectedSOPClassUID": CT, "Priority": 0}
        await association.exchange(3, {**command, "AffectedSOPInstanceUID": "1.2.3"}, bytes(100_000))
    await asyncio.sleep(0.5)
    after = process.memory_info().rss
    await asyncio.gather(*(association.release() for association in standing))
    return (after - before) / count / 1024


def their_stores(port: int, count: int) -> float:
    """Objects a second, sent by pynetdicom."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = EXPLICIT
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = CT, "1.2.3.4"
    image.Rows = image.Columns = 512
    image.BitsAllocated = 16
    image.add_new(0x7FE00010, "OW", os.urandom(SIZE))
    entity = AE()
    entity.add_requested_context(CT, EXPLICIT)
    association = entity.associate("127.0.0.1", port)
    begun = time.perf_counter()
    for _ in range(count):
        assert association.send_c_store(image).Status == 0
    took = time.perf_counter() - begun
    association.release()
    return count / took


def their_echoes(port: int, count: int) -> float:
    """C-ECHO round trips a second, asked by pynetdicom."""
    entity = AE()
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", port)
    begun = time.perf_counter()
    for _ in range(count):
        association.send_c_echo()
    took = time.perf_counter() - begun
    association.release()
    return count / took


def response_cost() -> float:
    """Microseconds to make and pack a C-STORE-RSP and its PDU."""
    from isocenter.network import send

    asked: messages.Command = {
        "CommandField": 1,
        "MessageID": 7,
        "AffectedSOPClassUID": CT,
        "AffectedSOPInstanceUID": "1.2.3.4.5.6.7",
    }
    count = 50_000
    begun = time.perf_counter()
    for _ in range(count):
        send.pack_message(3, messages.pack_command(messages.response(asked, 0)), None, 16378)
    return (time.perf_counter() - begun) / count * 1e6


Measure = Callable[[int, psutil.Process], Awaitable[float] | float]


def measured(run: Callable[[Connection], None], measure: Measure) -> float:
    """One figure, with a fresh acceptor."""
    with acceptor(run) as (port, process):

        async def ask() -> float:
            told = measure(port, process)
            return told if isinstance(told, float) else await told

        return asyncio.run(ask())


def main() -> int:
    """Measure and print."""
    rows = []

    def pair(what: str, unit: str, mine: float, other: float) -> None:
        rows.append(Row(what, mine, unit, f"pynetdicom ({other:,.1f})", mine / other))

    few = OBJECTS // FEWER
    mine = measured(_ours, lambda port, _: stores(port, OBJECTS))
    pair(
        "C-STORE 0.5 MB, sender and receiver alike",
        "objects/s",
        mine,
        measured(_theirs, lambda port, _: their_stores(port, few)),
    )
    rows.append(Row("  the same", mine * SIZE / 1e6, "MB/s"))
    sending = measured(_theirs, lambda port, _: stores(port, few))
    receiving = measured(_ours, lambda port, _: their_stores(port, few))
    rows.append(Row("C-STORE 0.5 MB, ours to pynetdicom", sending, "objects/s"))
    rows.append(Row("C-STORE 0.5 MB, pynetdicom to ours", receiving, "objects/s"))
    pair(
        "C-ECHO",
        "messages/s",
        measured(_ours, lambda port, _: echoes(port, ECHOES)),
        measured(_theirs, lambda port, _: their_echoes(port, ECHOES // FEWER)),
    )
    pair(
        "C-FIND matches (read by us)",
        "matches/s",
        measured(_ours, lambda port, _: matches(port, MATCHES)),
        measured(_theirs, lambda port, _: matches(port, MATCHES // FEWER)),
    )
    pair(
        "associations, request to release",
        "1/s",
        measured(_ours, lambda port, _: connections(port, CONNECTIONS)),
        measured(_theirs, lambda port, _: connections(port, CONNECTIONS)),
    )
    pair(
        f"RSS of an idle association, of {IDLE}",
        "KiB",
        measured(_ours, idle),
        measured(_theirs, lambda port, process: idle(port, process, IDLE // FEWER)),
    )
    rows.append(Row("C-STORE-RSP made and packed", response_cost(), "us"))
    report("The upper layer over loopback, no disk", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
