"""The PDUs that have one shape, and which lengths a PDU may have (PS3.8 9.3).

Not here: A-ASSOCIATE-RQ and -AC (:mod:`isocenter.network.negotiation`), P-DATA-TF
(:mod:`isocenter.network.send` writes it, :mod:`isocenter.network.stream` reads it).
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from isocenter.network.limits import Limits
from isocenter.network.state_table import Event


class Pdu(IntEnum):
    """PDU types (PS3.8 9.3.2 to 9.3.8)."""

    A_ASSOCIATE_RQ = 1
    A_ASSOCIATE_AC = 2
    A_ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    A_RELEASE_RQ = 5
    A_RELEASE_RP = 6
    A_ABORT = 7


EVENTS: dict[int, Event] = {
    Pdu.A_ASSOCIATE_RQ: Event.RQ_RECEIVED,
    Pdu.A_ASSOCIATE_AC: Event.AC_RECEIVED,
    Pdu.A_ASSOCIATE_RJ: Event.RJ_RECEIVED,
    Pdu.P_DATA_TF: Event.DATA_RECEIVED,
    Pdu.A_RELEASE_RQ: Event.RELEASE_RQ_RECEIVED,
    Pdu.A_RELEASE_RP: Event.RELEASE_RP_RECEIVED,
    Pdu.A_ABORT: Event.ABORT_RECEIVED,
}
"""What it means to the state machine that a PDU arrived."""


class Source(IntEnum):
    """Who aborts (PS3.8 9.3.8)."""

    USER = 0
    PROVIDER = 2


class Reason(IntEnum):
    """Why the provider aborts (PS3.8 9.3.8)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class Malformed(Exception):
    """What arrived breaks the protocol: abort with this reason (source: provider)."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


HEADER = Struct(">BxL")
"""Type and length of a PDU."""

LAST = 0x02
"""Message control header: last fragment (PS3.8 E.2)."""
COMMAND = 0x01
"""Message control header: command, not data set."""

RELEASE_RQ = bytes.fromhex("05000000000400000000")
RELEASE_RP = bytes.fromhex("06000000000400000000")

_FIXED = {Pdu.A_ASSOCIATE_RJ, Pdu.A_RELEASE_RQ, Pdu.A_RELEASE_RP, Pdu.A_ABORT}
_SMALLEST_ASSOCIATE = 68


def abort_pdu(source: int, reason: int) -> bytes:
    """A-ABORT (PS3.8 9.3.8)."""
    return bytes((Pdu.A_ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason))


def reject_pdu(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return bytes((Pdu.A_ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, reason))


def check_header(kind: int, length: int, limits: Limits) -> None:
    """Refuse a PDU by its first six bytes, before any of it is kept.

    Raises:
        Malformed: type unknown (1), or a length that this type cannot have or that we did not announce (6).
    """
    if kind == Pdu.P_DATA_TF:
        fits = length <= limits.max_length
    elif kind in _FIXED:
        fits = length == 4
    elif kind in (Pdu.A_ASSOCIATE_RQ, Pdu.A_ASSOCIATE_AC):
        fits = _SMALLEST_ASSOCIATE <= length <= limits.request
    else:
        raise Malformed(Reason.UNRECOGNIZED_PDU, f"PDU type {kind:02X}H")
    if not fits:
        raise Malformed(Reason.INVALID_PARAMETER, f"PDU type {kind:02X}H of {length} bytes")
