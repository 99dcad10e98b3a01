"""Statuses of the DIMSE services that we answer with (PS3.7 Annex C, PS3.4 B.2.3 and C.4), by error.

An error comment has at most 64 characters and no patient data: it names what is wrong, never a value.
"""

from __future__ import annotations

from isocenter.archive.ingest import Mismatch
from isocenter.errors import (
    Conflict,
    Forbidden,
    IsocenterError,
    NoSpace,
    Unavailable,
    UnreadableObject,
)

MOST = 64
"""Characters of an error comment (LO)."""

SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING = 0xFF00
PENDING_WITHOUT_OPTIONAL_KEYS = 0xFF01

PROCESSING_FAILURE = 0x0110
DUPLICATE_INVOCATION = 0x0210
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORIZED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211

OUT_OF_RESOURCES = 0xA700
"""C-STORE: no space, or the index is locked. C-FIND: more matches than allowed, or no resources."""
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_SEND = 0xA702
"""C-MOVE, C-GET: unable to perform sub-operations."""
DESTINATION_UNKNOWN = 0xA801
DOES_NOT_MATCH_SOP_CLASS = 0xA900
COERCED = 0xB000
SOME_FAILED = 0xB000
"""C-MOVE, C-GET: complete, with one or more failures."""
CANNOT_UNDERSTAND = 0xC000
CONFLICT = 0xC001
"""C-STORE: other bytes are stored under this SOP Instance UID, and the dataset rejects."""

UNABLE_TO_PROCESS = 0xC001
"""C-FIND, C-MOVE, C-GET: failed here, for no reason that has a status of its own."""

_OF_ERROR: tuple[tuple[type[IsocenterError], int, str], ...] = (
    (NoSpace, OUT_OF_RESOURCES, "no space"),
    (Unavailable, OUT_OF_RESOURCES, "busy, try again later"),
    (UnreadableObject, CANNOT_UNDERSTAND, "the data set cannot be read"),
    (Mismatch, DOES_NOT_MATCH_SOP_CLASS, "command and data set disagree"),
    (Conflict, CONFLICT, "another object is stored under this UID"),
    (Forbidden, NOT_AUTHORIZED, "not authorized"),
)


def is_warning(status: int) -> bool:
    """Whether a final status says that it was done, with a remark (PS3.7 C.3)."""
    return status & 0xF000 == 0xB000 or status in (0x0001, 0x0107, 0x0116)


def of_query_error(error: BaseException) -> tuple[int, str]:
    """Status and error comment of a C-FIND that failed."""
    code, comment = of_error(error)
    return (UNABLE_TO_PROCESS if code == PROCESSING_FAILURE else code), comment


def of_retrieve_error(error: BaseException) -> tuple[int, str]:
    """Status and error comment of a C-MOVE or C-GET that failed before its first sub-operation."""
    code, comment = of_query_error(error)
    return (CANNOT_COUNT_MATCHES if code == OUT_OF_RESOURCES else code), comment


def of_error(error: BaseException) -> tuple[int, str]:
    """Status and error comment of a C-STORE that failed; 0110 for what has no status of its own."""
    for kind, status, comment in _OF_ERROR:
        if isinstance(error, kind):
            # What makes an object unreadable is said in our own words, which hold no value of it.
            told = error.message if isinstance(error, UnreadableObject) else comment
            return status, told[:MOST]
    return PROCESSING_FAILURE, "processing failure"
