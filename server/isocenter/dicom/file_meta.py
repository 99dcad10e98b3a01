"""What stands before the data set of our Part 10 files (PS3.10 7.1): preamble, prefix, file meta group.

Not here: reading it (see `_meta`).
"""

from __future__ import annotations

import struct

from isocenter.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

LONG_FORMS = frozenset({b"OB", b"UN", b"OW", b"UT"})
"""VRs that may be in the group and whose length has four bytes (PS3.5 7.1.2)."""
_LONGEST_UID = 64


def file_head(group: bytes) -> bytes:
    """A preamble of zeros, the prefix, and a group of elements 0001 and on with its length before it."""
    return bytes(128) + b"DICM" + meta_element(0x0000, b"UL", struct.pack("<I", len(group))) + group


def meta_elements(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Elements 0001 to 0013 of the group: what the file holds, how it is encoded, and that it is ours.

    UIDs beyond the 64 bytes of PS3.5 9.1 are cut here, and only here.
    """
    return b"".join(
        (
            meta_element(0x0001, b"OB", b"\0\1"),
            meta_element(0x0002, b"UI", sop_class),
            meta_element(0x0003, b"UI", sop_instance),
            meta_element(0x0010, b"UI", transfer_syntax),
            meta_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            meta_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )


def meta_element(number: int, vr: bytes, value: bytes | str) -> bytes:
    """An element of group 0002, in Explicit VR Little Endian; a text is padded, and a UID cut, as it must."""
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
        if vr == b"UI":
            value = value[:_LONGEST_UID]
        if len(value) % 2:
            value += b"\0" if vr == b"UI" else b" "
    if vr in LONG_FORMS:
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value
