"""A peer that says whatever bytes a test wants, and a service that notes what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from isocenter.network import associate, messages, negotiation
from isocenter.network.acceptor import AssociationServer
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.negotiation import Policy, Proposal
from isocenter.network.service import Ending, Message

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PROPOSALS = (Proposal(VERIFICATION), Proposal(CT), Proposal(FIND))
ECHO_ID, CT_ID, FIND_ID = 1, 3, 5

RELEASE_RQ = bytes.fromhex("05000000000400000000")
RELEASE_RP = bytes.fromhex("06000000000400000000")
ABORT = bytes.fromhex("07000000000400000000")
REJECT = bytes.fromhex("03000000000400010101")
UNKNOWN_PDU = bytes.fromhex("08000000000400000000")
REQUEST = negotiation.propose("ISOCENTER", "TESTER", PROPOSALS)
POLICY = Policy(services=frozenset({VERIFICATION, FIND}))
ACCEPT = associate.pack_accept(
    associate.split(REQUEST).titles, negotiation._decide(associate.split(REQUEST).variable, POLICY).items
)

WAIT = 60.0
"""Seconds for what should come at once, on a busy machine."""


def abort(source: int, reason: int) -> bytes:
    return bytes((7, 0, 0, 0, 0, 4, 0, 0, source, reason))


def fragment(context_id: int, data: bytes, *, command: bool = False, last: bool = True) -> bytes:
    """One presentation data value item."""
    return struct.pack(">LBB", len(data) + 2, context_id, command | last << 1) + data


def p_data(*fragments: bytes) -> bytes:
    return struct.pack(">BxL", 4, sum(map(len, fragments))) + b"".join(fragments)


def command(field_: int, message_id: int, sop_class: str, *, data_set: bool = False, **more: object) -> bytes:
    told = {
        "CommandField": field_,
        "MessageID": message_id,
        "AffectedSOPClassUID": sop_class,
        "CommandDataSetType": 1 if data_set else 0x0101,
        **more,
    }
    return messages.pack_command(told)


def echo(message_id: int = 1) -> bytes:
    return p_data(fragment(ECHO_ID, command(0x30, message_id, VERIFICATION), command=True))


def store_command(message_id: int = 1) -> bytes:
    return command(1, message_id, CT, data_set=True, AffectedSOPInstanceUID="1.2.3", Priority=0)


def store(data: bytes, message_id: int = 1) -> bytes:
    """A whole C-STORE-RQ, one PDU for the command, one for the data set."""
    return p_data(fragment(CT_ID, store_command(message_id), command=True)) + p_data(fragment(CT_ID, data))


def find(message_id: int = 1) -> bytes:
    asked = command(0x20, message_id, FIND, data_set=True, Priority=0)
    return p_data(fragment(FIND_ID, asked, command=True), fragment(FIND_ID, b"\x08\x00\x52\x00\0\0\0\0"))


def cancel(message_id: int) -> bytes:
    told = {"CommandField": 0x0FFF, "MessageIDBeingRespondedTo": message_id, "CommandDataSetType": 0x0101}
    return p_data(fragment(FIND_ID, messages.pack_command(told), command=True))


class Peer:
    """One end of a connection, PDU by PDU."""

    made: ClassVar[list[Peer]] = []
    """Those of the test that runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.made.append(self)

    @classmethod
    async def connect(cls, port: int) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    def abort_all(cls) -> None:
        """Close those that the test left open."""
        for peer in cls.made:
            peer.writer.transport.abort()
        cls.made.clear()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def pdu(self) -> bytes:
        """The next PDU; b"" when the other side closed."""
        async with asyncio.timeout(WAIT):
            try:
                header = await self.reader.readexactly(6)
                return header + await self.reader.readexactly(int.from_bytes(header[2:], "big"))
            except asyncio.IncompleteReadError as rest:
                if rest.partial:
                    raise AssertionError("half a PDU") from rest
                return b""
            except ConnectionResetError:
                return b""

    async def response(self) -> messages.Command:
        """The command set of the next message, which is one fragment."""
        got = await self.pdu()
        assert got[:1] == b"\x04", got[:10]
        assert got[11] == 3
        return messages.parse_command(got[12:])

    async def associate(self, request: bytes = REQUEST) -> bytes:
        await self.send(request)
        answer = await self.pdu()
        assert answer[:1] == b"\x02", answer[:10]
        return answer

    async def quiet(self, seconds: float = 0.05) -> bool:
        """Nothing comes and the connection stays open."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Close by RST."""
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()


@dataclass
class Sink:
    """Notes a data set."""

    got: bytearray = field(default_factory=bytearray)
    aborted: bool = False

    def feed(self, view: memoryview, /) -> None:
        self.got += view

    def abort(self) -> None:
        self.aborted = True


class Recorder:
    """A service that answers C-ECHO and C-STORE, and C-FIND as its `gate` lets it."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self.begun = False
        self.messages: list[Message] = []
        self.sinks: list[Sink] = []
        self.endings: list[Ending] = []
        self.gate = asyncio.Event()
        self.pending = 0
        """Pending answers before the final one of a C-FIND, after the gate."""
        self.cancelled_tasks = 0

    def established(self, association: Association, /) -> None:
        assert association is self.association
        self.begun = True

    def message_begin(self, association: Association, message: Message, /) -> Sink | None:
        if message.command["CommandField"] != messages.Field.C_STORE_RQ:
            return None
        self.sinks.append(Sink())
        return self.sinks[-1]

    def message_end(self, association: Association, message: Message, /):
        self.messages.append(message)
        if message.command["CommandField"] == messages.Field.C_FIND_RQ:
            return self.find(message)
        empty = isinstance(message.data, Sink) and not message.data.got
        association.respond(message, messages.response(message.command, 0xC000 if empty else 0))
        return None

    async def find(self, message: Message) -> None:
        try:
            await self.gate.wait()
            for _ in range(self.pending):
                if message.cancelled:
                    break
                await self.association.answer_pending(message, messages.response(message.command, 0xFF00))
            status = 0xFE00 if message.cancelled else 0
            self.association.respond(message, messages.response(message.command, status))
        except asyncio.CancelledError:
            self.cancelled_tasks += 1
            raise

    def ended(self, association: Association, ending: Ending, /) -> None:
        self.endings.append(ending)


class Acceptor:
    """A server of associations on a free port, whose services note what happens."""

    def __init__(
        self,
        limits: Limits,
        service: Callable[[Association], Recorder],
        policy: Policy,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.recorders: list[Recorder] = []
        self.deciding = asyncio.Event()
        self.deciding.set()
        self.policy = policy
        self._make = service
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.server = AssociationServer(self._negotiate, self._service, limits)
        self.server.listen([self.socket], tls)

    async def _negotiate(self, request: bytes, peer: object) -> negotiation.Answer:
        await self.deciding.wait()
        return await negotiation.negotiate(request, self.policy)

    def _service(self, association: Association) -> Recorder:
        self.recorders.append(self._make(association))
        return self.recorders[-1]

    @property
    def recorder(self) -> Recorder:
        """Of the newest association."""
        return self.recorders[-1]

    @property
    def connection(self) -> Association:
        """The only connection there is."""
        (only,) = self.server._connections
        return only


@contextlib.asynccontextmanager
async def acceptor(
    limits: Limits | None = None,
    service: Callable[[Association], Recorder] = Recorder,
    policy: Policy = POLICY,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Acceptor]:
    """An acceptor that must leave no descriptor, task or timer behind."""
    async with nothing_left():
        made = Acceptor(limits or Limits(closing=2), service, policy, tls)
        try:
            yield made
        finally:
            Peer.abort_all()
            await made.server.stop(0)
            made.socket.close()


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def _timers() -> int:
    loop = asyncio.get_running_loop()
    return sum(not each.cancelled() for each in loop._scheduled)


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No descriptor, task or timer more after than before."""
    descriptors, tasks, timers = _descriptors(), asyncio.all_tasks(), _timers()
    try:
        yield
    finally:
        Peer.abort_all()
    for _ in range(1500):
        left = asyncio.all_tasks() - tasks
        if not left and len(_descriptors()) <= len(descriptors) and _timers() <= timers:
            return
        await asyncio.sleep(0.02)
    assert not left
    assert len(_descriptors()) <= len(descriptors)
    assert _timers() <= timers


async def until(condition: Callable[[], object], seconds: float = WAIT) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
