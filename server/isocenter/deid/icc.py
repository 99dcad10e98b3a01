"""ICC profiles (ISO 15076-1) without words: text is blanked in place, numbers that make the colours stay.

Profiles of displays and scanners may carry names of sites, serial numbers and paths of files.
"""

from __future__ import annotations

from struct import Struct

_LONG = Struct(">I")
_ENTRY = Struct(">4sII")
_NUMBERS = frozenset(
    {b"curv", b"para", b"XYZ ", b"sf32", b"uf32", b"mft1", b"mft2", b"mAB ", b"mBA ", b"chrm", b"sig "}
    | {b"view", b"meas", b"cicp", b"mpet", b"ui08", b"ui16", b"ui32"}
)
_HEADER, _IDENTIFIER, _MOST = 128, slice(84, 100), 200


def without_text(profile: bytes) -> bytes | None:
    """The profile of the same size without text; None when it is none."""
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None
    made = bytearray(profile)
    (count,) = _LONG.unpack_from(made, _HEADER)
    if count > _MOST or len(made) < _HEADER + 4 + 12 * count:
        return None
    entries = [_ENTRY.unpack_from(made, _HEADER + 4 + 12 * number) for number in range(count)]
    end = _HEADER + 4 + 12 * count
    covered = bytearray(len(made))
    for _, offset, size in entries:
        if offset < end or size < 8 or offset + size > len(made):
            return None
        covered[offset : offset + size] = b"\1" * size
        _blank(made, offset, offset + size)
    for at in range(end, len(made)):
        if not covered[at]:
            made[at] = 0  # what no tag names
    made[_IDENTIFIER] = bytes(16)  # a digest of what it was
    return bytes(made)


def _blank(made: bytearray, start: int, end: int) -> None:
    kind = bytes(made[start : start + 4])
    if kind in _NUMBERS:
        return
    if kind == b"mluc" and end - start >= 16:
        _blank_localised(made, start, end)
    elif kind == b"desc" and end - start >= 12:
        length = min(_LONG.unpack_from(made, start + 8)[0], end - start - 12)
        made[start + 12 : end] = _spaces(length) + bytes(end - start - 12 - length)
    elif kind == b"text":
        made[start + 8 : end] = _spaces(end - start - 8)
    else:
        made[start + 8 : end] = bytes(end - start - 8)


def _blank_localised(made: bytearray, start: int, end: int) -> None:
    """Text in languages, UTF-16 big endian (10.15): every character a space."""
    records, size = _LONG.unpack_from(made, start + 8)[0], _LONG.unpack_from(made, start + 12)[0]
    first = start + 16 + records * size
    if size != 12 or first > end:
        made[start + 8 : end] = bytes(end - start - 8)
        return
    made[first:end] = (b"\0 " * ((end - first + 1) // 2))[: end - first]


def _spaces(length: int) -> bytes:
    return b" " * (length - 1) + b"\0" if length else b""
