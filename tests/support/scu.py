"""Our own requestor as a peer of a live server: finds, moves, gets and stores with a few words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from live_dicom import LiveServer
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from isocenter.network.association import Association
from isocenter.network.messages import Command, Field, response
from isocenter.network.negotiation import Proposal
from isocenter.network.requestor import request
from isocenter.network.service import Ending, Message, Reply

ECHO = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENT_FIND, PATIENT_MOVE, PATIENT_GET = (f"1.2.840.10008.5.1.4.1.2.1.{n}" for n in (1, 2, 3))
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))


@asynccontextmanager
async def association(
    port: int,
    *contexts: str | Proposal,
    calling: str = "SCU",
    called: str = "ISOCENTER",
    **more: Any,
) -> AsyncIterator[Association]:
    """An association with a server on this machine, released at the end."""
    proposals = [each if isinstance(each, Proposal) else Proposal(each) for each in contexts]
    asked = await request("127.0.0.1", port, calling, called, proposals, **more)
    try:
        yield asked
        if asked.established:
            await asked.release()
    finally:
        asked.abort()
        for _ in range(100):  # the other side closes, as it should, or we do: no test leaves a connection
            if asked._transport is None:
                break
            await asyncio.sleep(0.01)
        asked.close_now()
        await asyncio.sleep(0)


def encoded(data_set: Dataset, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> bytes:
    """A data set's bytes."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT_LITTLE_ENDIAN, True
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def decoded(data: bytes | None, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> Dataset:
    """The data set in these bytes, its text decoded."""
    data_set = read_dataset(BytesIO(data or b""), syntax == IMPLICIT_LITTLE_ENDIAN, True)
    data_set.decode()
    return data_set


def identifier(level: str, keys: Mapping[str, Any]) -> Dataset:
    """An identifier of these keys."""
    made = Dataset()
    for name, value in keys.items():
        setattr(made, name, value)
    if level:
        made.QueryRetrieveLevel = level
    return made


def command(field_: Field, sop_class: str, **more: Any) -> Command:
    """A request's command set."""
    made: Command = {"CommandField": field_, "AffectedSOPClassUID": sop_class, "Priority": 0}
    made.update(more)  # type: ignore[typeddict-item]
    return made


@dataclass
class Found:
    """The answers of a C-FIND."""

    matches: list[Dataset] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    final: Command = field(default_factory=lambda: Command())


async def find(
    asked: Association, level: str, keys: Mapping[str, Any], model: str = STUDY_FIND, *, most: int = 0
) -> Found:
    """Every match of a query; after `most` of them the query is cancelled."""
    context = asked.context_for(model)
    assert context is not None
    data = encoded(identifier(level, keys), context.transfer_syntax)
    found = Found()
    async for reply in asked.replies(context, command(Field.C_FIND_RQ, model), data):
        if reply.pending:
            found.statuses.append(reply.status)
            found.matches.append(decoded(reply.data, context.transfer_syntax))
            if len(found.matches) == most:
                asked.cancel(context, reply.command["MessageIDBeingRespondedTo"])
        else:
            found.final = reply.command
    return found


async def retrieve(
    asked: Association, model: str, level: str, keys: Mapping[str, Any], **more: Any
) -> list[Reply]:
    """Every response of a C-MOVE (with MoveDestination) or C-GET."""
    context = asked.context_for(model)
    assert context is not None
    kind = Field.C_MOVE_RQ if "MoveDestination" in more else Field.C_GET_RQ
    data = encoded(identifier(level, keys), context.transfer_syntax)
    return [reply async for reply in asked.replies(context, command(kind, model, **more), data)]


async def store(asked: Association, data_set: bytes, sop_instance: str, sop_class: str = CT) -> Reply:
    """The response to a C-STORE of a data set."""
    context = asked.context_for(sop_class)
    assert context is not None
    told = command(Field.C_STORE_RQ, sop_class, AffectedSOPInstanceUID=sop_instance)
    return await asked.exchange(context, told, data_set)


class Keeping:
    """Takes what is sent by C-STORE and keeps it; answers with `statuses` in turn, then with success."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.received: list[tuple[Command, str, bytes]] = []
        self._statuses = list(statuses)

    @property
    def instances(self) -> list[str]:
        """SOP Instance UIDs in the order of arrival."""
        return [told["AffectedSOPInstanceUID"] for told, _, _ in self.received]

    def established(self, asked: Association) -> None:
        """Nothing to do."""

    def message_begin(self, asked: Association, message: Message) -> None:
        """Have it collected."""

    def message_end(self, asked: Association, message: Message) -> None:
        """Keep it and answer."""
        assert isinstance(message.data, bytes)
        self.received.append((message.command, message.context.transfer_syntax, message.data))
        status = self._statuses.pop(0) if self._statuses else 0
        asked.respond(message, response(message.command, status))

    def ended(self, asked: Association, ending: Ending) -> None:
        """Nothing to do."""


async def asked(server: LiveServer, level: str, model: str = STUDY_FIND, **keys: Any) -> Found:
    async with association(server.port, model) as peer:
        return await find(peer, level, keys, model)


def values(found: Found, keyword: str) -> list[str]:
    return sorted(str(match.get(keyword) or "") for match in found.matches)
