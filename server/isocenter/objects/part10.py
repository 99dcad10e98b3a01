"""The head of a stored object (PS3.10 7.1): zero preamble, prefix, and a file meta group of our own.

The data set behind it stays as it was received. The head has a fixed size, so that the data set is written
while it arrives and the head last, when everything it says is known. Private information (0002,0102) holds,
as JSON padded with spaces, what a rebuild of index and catalog needs and what the data set does not say.
This module does not read data sets: that is `dicom.header`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, fields
from typing import Any, BinaryIO

from isocenter.dicom.file_meta import LONG_FORMS, file_head, meta_element, meta_elements
from isocenter.dicom.implementation import IMPLEMENTATION_CLASS_UID
from isocenter.errors import Damaged

HEAD_SIZE = 1536
"""Bytes before the data set: preamble, prefix and file meta, padded."""

PRIVATE_CREATOR = IMPLEMENTATION_CLASS_UID
"""Private Information Creator UID (0002,0100) is a UID (PS3.10 Table 7.1-1)."""

_CREATOR = meta_element(0x0100, b"UI", PRIVATE_CREATOR)
_CHUNK = 1024 * 1024
LONGEST_NAME = 32
"""Characters of an AE title, or of the name of a user in its place, that a head keeps."""

_LONGEST = {"source_aet": LONGEST_NAME, "called_aet": LONGEST_NAME, "dataset": 64}


@dataclass(frozen=True)
class Provenance:
    """What is known about the arrival of an object, and stands in the index too: so a head can be made again.

    `received` is in microseconds since 1970 (UTC) and strictly increasing within a process: it is the
    sequence of arrival.
    """

    source_aet: str = ""
    called_aet: str = ""
    dataset: str = "main"
    received: int = 0


@dataclass(frozen=True)
class Head:
    """A head that was read back."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    provenance: Provenance


def build_head(sop_class: str, sop_instance: str, transfer_syntax: str, provenance: Provenance) -> bytes:
    """The `HEAD_SIZE` bytes before the data set."""
    group = meta_elements(sop_class, sop_instance, transfer_syntax) + _CREATOR
    room = HEAD_SIZE - len(file_head(group + meta_element(0x0102, b"OB", b"")))
    return file_head(group + meta_element(0x0102, b"OB", _told(provenance).ljust(room)))


def read_head(file: BinaryIO) -> Head:
    """Read a head of ours from the start of `file`. Raises Damaged for any other start."""
    return parse_head(file.read(HEAD_SIZE))


def parse_head(raw: bytes) -> Head:
    """The same from its bytes."""
    if len(raw) != HEAD_SIZE or raw[128:132] != b"DICM" or any(raw[:128]):
        raise Damaged("The object does not begin with a head of this archive")
    try:
        meta = _meta_elements(raw)
        told = json.loads(meta[0x0102])
        known = {field.name for field in fields(Provenance)}
        provenance = Provenance(**{key: value for key, value in told.items() if key in known})
        sop_class, instance, syntax = (
            meta[number].rstrip(b"\0").decode(errors="replace") for number in (2, 3, 0x10)
        )
        return Head(sop_class, instance, syntax, provenance)
    except (KeyError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise Damaged("The head of the object cannot be read") from error


def file_digest(head: bytes, identity: bytes) -> str:
    """Digest of the whole file, hex: SHA-256 over the head and the identity digest of what follows it.

    It changes with any byte of the file, and costs no second pass over the data set.
    """
    return hashlib.sha256(head + identity).hexdigest()


def measure(file: BinaryIO) -> tuple[Head, str, str]:
    """Read a whole object: its head, identity digest and file digest (hex).

    Raises Damaged for a broken head.
    """
    raw = file.read(HEAD_SIZE)
    head = parse_head(raw)
    running = hashlib.sha256()
    while piece := file.read(_CHUNK):
        running.update(piece)
    running.update(head.transfer_syntax.encode())
    return head, running.hexdigest(), file_digest(raw, running.digest())


def _told(provenance: Provenance) -> bytes:
    values: dict[str, Any] = dict(vars(provenance))
    for name, longest in _LONGEST.items():
        values[name] = values[name][:longest]
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _meta_elements(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 132
    while at < len(raw):
        group, element, vr, length = struct.unpack_from("<HH2sH", raw, at)
        if group != 2:
            raise ValueError("not file meta information")
        at += 8
        if vr in LONG_FORMS:
            (length,) = struct.unpack_from("<I", raw, at)
            at += 4
        found[element] = raw[at : at + length]
        at += length
    return found
