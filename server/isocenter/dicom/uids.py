"""Unique identifiers: the registered ones (PS3.6 Annex A), validity (PS3.5 9), and 64-bit keys.

Not here: generating UIDs (de-identification has its own, keyed ones), nor what a server accepts of a
transfer syntax or SOP class (that is negotiation's).  Standard library only: the client imports it.
"""

from __future__ import annotations

import re
from hashlib import blake2b

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

_VALID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+").fullmatch

_JPIP = frozenset(
    {
        "1.2.840.10008.1.2.4.94",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.4.205",
    }
)
_JPIP_DEFLATED = frozenset({"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
_LOSSLESS = frozenset(
    {
        ENCAPSULATED_UNCOMPRESSED,
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.8.1",
        *(f"1.2.840.10008.1.2.4.{n}" for n in (57, 58, 65, 66, 70, 80, 90, 92, 110, 201, 202)),
    }
)
_PLAIN = frozenset(
    {IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN}
)
_STORED_WITHOUT_SAYING_SO = frozenset({"1.2.840.10008.5.1.4.1.1.12.77", "1.2.840.10008.5.1.4.1.1.40"})
_NOT_STORAGE = frozenset({"1.2.840.10008.1.20.1", "1.2.840.10008.1.20.2"})


def is_valid_uid(text: str) -> bool:
    """Whether `text` is a UID by PS3.5 9.1: dotted decimals, no leading zeros, 64 characters at most.

    One lone component passes the grammar of PS3.5 but is no UID anybody could own; it is refused here.
    """
    return len(text) <= 64 and _VALID(text) is not None


def key_of(uid: str) -> int:
    """The signed 64-bit key of a UID: the first eight bytes of its blake2b digest, big endian.

    Different UIDs may share a key: whoever looks up by key compares the UID as well.
    """
    digest = blake2b(uid.encode("utf-8", "surrogateescape"), digest_size=64).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def clean(uid: str) -> str:
    """The UID without the NUL and space padding that senders leave on it (PS3.5 9.4 pads with NUL)."""
    return uid.strip(" \0")


def name_of(uid: str) -> str:
    """The registered name of a UID, or the UID itself."""
    entry = _registered(uid)
    return entry[0] if entry and entry[0] else uid


def keyword_of(uid: str) -> str:
    """The registered keyword of a UID (`CTImageStorage`), or the UID itself."""
    entry = _registered(uid)
    return entry[2] if entry and entry[2] else uid


def uid_of(keyword: str) -> str | None:
    """The UID with this registered keyword (`CTImageStorage`), None when there is none."""
    from isocenter.dicom._uid_table import UIDS

    return next((uid for uid, entry in UIDS.items() if entry[2] == keyword), None)


def of_kind(kind: str) -> tuple[str, ...]:
    """All registered UIDs of a kind, retired ones included, e.g. `SOP Class`, `Transfer Syntax`."""
    from isocenter.dicom._uid_table import UIDS

    return tuple(uid for uid, entry in UIDS.items() if entry[1] == kind)


def is_storage_class(uid: str) -> bool:
    """Whether a registered SOP class is one of the Storage service (PS3.4 B.5), retired ones included."""
    entry = _registered(uid)
    if entry is None or entry[1] != "SOP Class" or uid in _NOT_STORAGE:
        return False
    return "Storage" in entry[0] or uid in _STORED_WITHOUT_SAYING_SO


def storage_classes() -> tuple[str, ...]:
    """Every registered storage SOP class, the DICOMDIR's (a file's, never a message's) left out."""
    return tuple(u for u in of_kind("SOP Class") if is_storage_class(u) and u != MEDIA_STORAGE_DIRECTORY)


def is_transfer_syntax(uid: str) -> bool:
    """Whether the UID is a registered transfer syntax."""
    entry = _registered(uid)
    return entry is not None and entry[1] == "Transfer Syntax"


def is_implicit_vr(transfer_syntax: str) -> bool:
    """Whether data sets of this transfer syntax carry no VRs."""
    return transfer_syntax == IMPLICIT_LITTLE_ENDIAN


def is_big_endian(transfer_syntax: str) -> bool:
    """Whether data sets of this transfer syntax are big endian."""
    return transfer_syntax == EXPLICIT_BIG_ENDIAN


def is_deflated(transfer_syntax: str) -> bool:
    """Whether the whole data set is deflated (PS3.5 A.5; the JPIP deflate syntaxes too)."""
    return transfer_syntax == DEFLATED_LITTLE_ENDIAN or transfer_syntax in _JPIP_DEFLATED


def is_jpip(transfer_syntax: str) -> bool:
    """Whether Pixel Data is a reference to a JPIP provider instead of pixels (PS3.5 A.6)."""
    return transfer_syntax in _JPIP


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether Pixel Data is a sequence of fragments (PS3.5 A.4); unknown syntaxes are taken to be."""
    return transfer_syntax not in _PLAIN and transfer_syntax not in _JPIP


def is_video(transfer_syntax: str) -> bool:
    """Whether Pixel Data is one video stream (MPEG-2, MPEG-4 AVC, HEVC): it has no frames to cut."""
    stem, _, last = transfer_syntax.removesuffix(".1").rpartition(".")
    return stem == "1.2.840.10008.1.2.4" and last.isdigit() and 100 <= int(last) <= 108


def is_lossless(transfer_syntax: str) -> bool:
    """Whether encoding into this syntax keeps every pixel: native, or a lossless-only compression."""
    return transfer_syntax in _PLAIN or transfer_syntax in _LOSSLESS


def _registered(uid: str) -> tuple[str, str, str, bool] | None:
    from isocenter.dicom._uid_table import UIDS

    return UIDS.get(uid)
