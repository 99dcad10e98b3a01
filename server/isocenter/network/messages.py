"""Command sets packed and parsed by a table of our own (PS3.7 chapters 6.3 and 9.3, Annex E).

A command set is a plain dict from DICOM keyword to value (:class:`Command`), always Implicit VR
Little Endian. Every form is proved byte-equal to pynetdicom's encoder by a test; it is written by
hand because pynetdicom takes 310 us for a C-STORE-RSP.

Not here: the fragments that carry it (:mod:`isocenter.network.association`), the data set after it
(:mod:`isocenter.network.identifiers`), DIMSE-N.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import Any, TypedDict, cast

NO_DATA_SET = 0x0101
"""CommandDataSetType when no data set follows (PS3.7 E.1); any other value says that one does."""

WITH_DATA_SET = 0x0001
"""The value that we, like pynetdicom, send when one follows."""

COMMENT_LIMIT = 64
"""Characters in ErrorComment, a Long String (PS3.7 E.1)."""


class Field(IntEnum):
    """Values of CommandField (PS3.7 E.1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    C_CANCEL_RQ = 0x0FFF


class Priority(IntEnum):
    """Values of Priority (PS3.7 E.1)."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


class Command(TypedDict, total=False):
    """One command set: keyword to value; what is absent in the message is absent here."""

    AffectedSOPClassUID: str
    RequestedSOPClassUID: str
    CommandField: int
    MessageID: int
    MessageIDBeingRespondedTo: int
    MoveDestination: str
    Priority: int
    CommandDataSetType: int
    Status: int
    OffendingElement: tuple[int, ...]
    ErrorComment: str
    ErrorID: int
    AffectedSOPInstanceUID: str
    RequestedSOPInstanceUID: str
    NumberOfRemainingSuboperations: int
    NumberOfCompletedSuboperations: int
    NumberOfFailedSuboperations: int
    NumberOfWarningSuboperations: int
    MoveOriginatorApplicationEntityTitle: str
    MoveOriginatorMessageID: int


class MalformedCommand(ValueError):
    """These bytes are no command set: the association is to be aborted."""


# keyword -> (element number in group 0000, VR), in the order of the message (PS3.7 E.1)
ELEMENTS: dict[str, tuple[int, str]] = {
    "AffectedSOPClassUID": (0x0002, "UI"),
    "RequestedSOPClassUID": (0x0003, "UI"),
    "CommandField": (0x0100, "US"),
    "MessageID": (0x0110, "US"),
    "MessageIDBeingRespondedTo": (0x0120, "US"),
    "MoveDestination": (0x0600, "AE"),
    "Priority": (0x0700, "US"),
    "CommandDataSetType": (0x0800, "US"),
    "Status": (0x0900, "US"),
    "OffendingElement": (0x0901, "AT"),
    "ErrorComment": (0x0902, "LO"),
    "ErrorID": (0x0903, "US"),
    "AffectedSOPInstanceUID": (0x1000, "UI"),
    "RequestedSOPInstanceUID": (0x1001, "UI"),
    "NumberOfRemainingSuboperations": (0x1020, "US"),
    "NumberOfCompletedSuboperations": (0x1021, "US"),
    "NumberOfFailedSuboperations": (0x1022, "US"),
    "NumberOfWarningSuboperations": (0x1023, "US"),
    "MoveOriginatorApplicationEntityTitle": (0x1030, "AE"),
    "MoveOriginatorMessageID": (0x1031, "US"),
}

_HEAD = Struct("<LL")  # element number in the high half (the group is 0), length
_SHORT = Struct("<H")
_TAG = Struct("<HH")
_GROUP_LENGTH = Struct("<LLL")


def pack_command(command: Command | Mapping[str, Any]) -> bytes:
    """The encoded command set, CommandGroupLength included; keys may come in any order."""
    values = cast(Mapping[str, Any], command)
    parts = [pack(head, values[keyword]) for keyword, head, pack in _plan(tuple(values))]
    body = b"".join(parts)
    return _GROUP_LENGTH.pack(0, 4, len(body)) + body


_Pack = Callable[[bytes, Any], bytes]


@lru_cache(256)
def _plan(keywords: tuple[str, ...]) -> tuple[tuple[str, bytes, _Pack], ...]:
    """How to write a command set of these keywords: in tag order, what is constant made already."""
    ordered = sorted(keywords, key=lambda keyword: ELEMENTS[keyword][0])
    return tuple((keyword, *_packing(*ELEMENTS[keyword])) for keyword in ordered)


def _packing(element: int, vr: str) -> tuple[bytes, _Pack]:
    if vr == "US":
        return _HEAD.pack(element << 16, 2), _pack_short
    return (element << 16).to_bytes(4, "little"), _PACKERS[vr]


def _pack_short(head: bytes, value: int) -> bytes:
    return head + _SHORT.pack(value)


def _pack_uid(tag: bytes, value: str) -> bytes:
    raw = value.encode("latin-1", "replace")
    if len(raw) & 1:
        raw += b"\0"
    return tag + len(raw).to_bytes(4, "little") + raw


def _pack_text(tag: bytes, value: str) -> bytes:
    raw = value.encode("ascii", "replace")[:COMMENT_LIMIT]
    if len(raw) & 1:
        raw += b" "
    return tag + len(raw).to_bytes(4, "little") + raw


def _pack_title(tag: bytes, value: str) -> bytes:
    raw = value.encode("latin-1", "replace")
    if len(raw) & 1:
        raw += b" "
    return tag + len(raw).to_bytes(4, "little") + raw


def _pack_tags(tag: bytes, value: tuple[int, ...]) -> bytes:
    raw = b"".join(_TAG.pack(each >> 16, each & 0xFFFF) for each in value)
    return tag + len(raw).to_bytes(4, "little") + raw


_PACKERS: dict[str, _Pack] = {"UI": _pack_uid, "LO": _pack_text, "AE": _pack_title, "AT": _pack_tags}


def parse_command(data: bytes) -> Command:
    """The command set in `data`; elements that we do not know are passed over.

    Text loses its padding (NUL and space) and nothing else: broken UIDs and titles stay as sent.

    Raises:
        MalformedCommand: an element does not fit its length or the data, or CommandField or
            CommandDataSetType is missing.
    """
    command: dict[str, Any] = {}
    at, end = 0, len(data)
    while at < end:
        if end - at < 8:
            raise MalformedCommand("the command set ends inside an element")
        tag, length = _HEAD.unpack_from(data, at)
        at += 8
        if length > end - at:
            raise MalformedCommand("an element is longer than the command set")
        known = _READERS.get(tag)
        if known is not None and length:
            keyword, read = known
            command[keyword] = read(data, at, length)
        at += length
    if "CommandField" not in command or "CommandDataSetType" not in command:
        raise MalformedCommand("CommandField or CommandDataSetType is missing")
    return cast(Command, command)


_Read = Callable[[bytes, int, int], Any]


def _read_short(data: bytes, at: int, length: int) -> int:
    if length != 2:
        raise MalformedCommand("a number does not have two bytes")
    value: int = _SHORT.unpack_from(data, at)[0]
    return value


def _read_text(data: bytes, at: int, length: int) -> str:
    return data[at : at + length].decode("latin-1").strip(" \0")


def _read_tags(data: bytes, at: int, length: int) -> tuple[int, ...]:
    if length % 4:
        raise MalformedCommand("a list of tags does not have whole tags")
    return tuple(group << 16 | element for group, element in _TAG.iter_unpack(data[at : at + length]))


def _reader(vr: str) -> _Read:
    return {"US": _read_short, "AT": _read_tags}.get(vr, _read_text)


_READERS: dict[int, tuple[str, _Read]] = {
    element << 16: (keyword, _reader(vr)) for keyword, (element, vr) in ELEMENTS.items()
}


def has_data_set(command: Command) -> bool:
    """Whether a data set follows this command set."""
    return command["CommandDataSetType"] != NO_DATA_SET


def response(request: Command, status: int, *, data_set: bool = False, comment: str = "") -> Command:
    """The response to `request`: same SOP class, its message id, this status.

    Args:
        request: as parsed; MessageID missing counts as 0.
        status: of PS3.7 Annex C or PS3.4.
        data_set: whether one follows.
        comment: ErrorComment, cut at 64 characters; must hold no patient data.
    """
    answer: Command = {
        "CommandField": request["CommandField"] | 0x8000,
        "MessageIDBeingRespondedTo": request.get("MessageID", 0),
        "CommandDataSetType": WITH_DATA_SET if data_set else NO_DATA_SET,
        "Status": status,
    }
    if "AffectedSOPClassUID" in request:
        answer["AffectedSOPClassUID"] = request["AffectedSOPClassUID"]
    if request["CommandField"] == Field.C_STORE_RQ and "AffectedSOPInstanceUID" in request:
        answer["AffectedSOPInstanceUID"] = request["AffectedSOPInstanceUID"]
    if comment:
        answer["ErrorComment"] = comment
    return answer
