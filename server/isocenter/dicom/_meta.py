"""The beginning of a Part 10 file: preamble, prefix and File Meta Information (PS3.10 7.1).

Tolerant: the preamble, the prefix or the whole group may be missing, its length may lie, it may be in
implicit VR. Not here: writing it (see `objects.part10`).
"""

from __future__ import annotations

import mmap
from struct import Struct

from isocenter.dicom._dictionary_table import TAGS
from isocenter.dicom._vr import LONG_LITTLE, SHORT_LITTLE
from isocenter.dicom._windows import Source
from isocenter.dicom.uids import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

_EXPLICIT = Struct("<HHHH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_WORD = Struct("<I").unpack_from
# Most headers fit the first; no File Meta Information is larger than the second.
_HEADS = (16 * 1024, 1024 * 1024)
_PRIVATE = 0x00020102
_KEYWORDS = {tag: entry[2] for tag, entry in TAGS.items() if 0x00020001 < tag < 0x00030000}


def find_meta(source: Source) -> tuple[dict[str, str], int, bytes]:
    """What `read_meta` finds at the start of a source, and the bytes that were read for it."""
    for length in _HEADS:
        head = source.head(length)
        meta, start, whole = read_meta(head)
        if whole or len(head) < length:
            break
    return meta, start, head


def read_meta(buffer: bytes) -> tuple[dict[str, str], int, bool]:
    """The File Meta Information at the start of `buffer`, and the offset of the data set behind it.

    Values are text by keyword; private information (0002,0102) is Latin-1, byte for byte, and the group's
    length and version are left out. The last answer is false when an element goes beyond the buffer.
    """
    pos = 0
    if buffer[128:132] == b"DICM":
        pos = 132
    elif buffer[:4] == b"DICM":
        pos = 4
    pos = _behind_command(buffer, pos)
    meta: dict[str, str] = {}
    while buffer[pos : pos + 2] == b"\x02\x00":
        tag, start, length = _head(buffer, pos)
        following = start + length
        if following > len(buffer):
            return meta, pos, False
        keyword = _KEYWORDS.get(tag)
        if keyword is not None:
            text = buffer[start:following].decode("latin-1")
            meta[keyword] = text if tag == _PRIVATE else text.strip(" \0")
        pos = following
    return meta, pos, True


def _behind_command(buffer: bytes, pos: int) -> int:
    """Some programs dump a whole message: the command set (PS3.7 6.3.1), then the data set."""
    if buffer[pos : pos + 8] != b"\0\0\0\0\x04\0\0\0":
        return pos
    while pos + 8 <= len(buffer):
        group, element, length = _IMPLICIT(buffer, pos)
        if group or element not in TAGS or pos + 8 + length > len(buffer):
            break
        pos += 8 + length
    return pos


def _head(buffer: bytes, pos: int) -> tuple[int, int, int]:
    """Tag, start and length of the meta element at `pos`; a length beyond the buffer when it is cut off."""
    if pos + 12 > len(buffer):
        return 0, pos, 12
    group, element, letters, length = _EXPLICIT(buffer, pos)
    tag = group << 16 | element
    if letters in SHORT_LITTLE:
        return tag, pos + 8, length
    if letters in LONG_LITTLE:
        return tag, pos + 12, _WORD(buffer, pos + 8)[0]
    return tag, pos + 8, _IMPLICIT(buffer, pos)[2]


def look(buffer: bytes | mmap.mmap, pos: int) -> str | None:
    """The uncompressed transfer syntax that the element at `pos` is written in; None when it is no element.

    A length that reads as two capitals would be over 16 KiB, which the first element never is.
    """
    if pos + 8 > len(buffer):
        return None
    little, element, letters, _ = _EXPLICIT(buffer, pos)
    big = (little & 0xFF) << 8 | little >> 8
    if letters in SHORT_LITTLE or letters in LONG_LITTLE:
        return EXPLICIT_BIG_ENDIAN if big < little else EXPLICIT_LITTLE_ENDIAN
    tag, length = little << 16 | element, _IMPLICIT(buffer, pos)[2]
    if (tag in TAGS or element == 0 or little & 1) and (length < 1 << 24 or length == 0xFFFFFFFF):
        return IMPLICIT_LITTLE_ENDIAN if 8 <= little < 0x7FE1 else None
    return None
