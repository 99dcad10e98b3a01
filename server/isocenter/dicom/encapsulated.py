"""Frames of encapsulated Pixel Data (PS3.5 A.4): fragments, and which of them make a frame.

Offset tables are believed where they agree with the fragments: the extended one (PS3.3 C.7.6.3.1.8) needs
no walk over the fragments, the basic one wraps at 4 GiB. Without a table, a frame is a fragment if there are
as many; if there are more, frames begin where a compressed stream of the JPEG family begins or the one
before has ended.

Not here: native frames (`frames`).
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct

from isocenter.dicom._windows import ReadAt
from isocenter.errors import UnreadableObject

Segments = list[tuple[int, int]]
Fragments = list[tuple[int, int]]

_ITEM = b"\xfe\xff\x00\xe0"
_HEAD = Struct("<4sI")
_MOST = 4_000_000
_BEGINNINGS = (
    b"\xff\xd8\xff",  # JPEG, JPEG-LS: SOI
    b"\xff\x4f\xff\x51",  # JPEG 2000, HTJ2K: SOC, SIZ
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000 in a JP2 box
    b"\xff\x0a",  # JPEG XL
    b"\x00\x00\x00\x0cJXL ",  # JPEG XL in a box
)
_END = b"\xff\xd9"


def frames(
    read: ReadAt, offset: int, count: int, transfer_syntax: str, extended: bytes = b"", lengths: bytes = b""
) -> list[Segments]:
    """The segments of each frame, fewer than `count` when the Pixel Data is cut off.

    Args:
        read: reads bytes of the file at an offset.
        offset: of the first item, the basic offset table's.
        count: Number of Frames.
        transfer_syntax: UID; tells whether a fragment is a frame by definition.
        extended: Extended Offset Table as encoded, empty when there is none.
        lengths: Extended Offset Table Lengths as encoded.

    Raises:
        UnreadableObject: no items, or frames cannot be told apart.
    """
    table_length = _item(read, offset)
    if table_length is None:
        raise UnreadableObject("The Pixel Data does not begin with an offset table")
    base = offset + 8 + table_length
    found = _by_extended_table(read, base, count, extended, lengths)
    if found is not None:
        return found
    fragments = _fragments(read, base)
    basic = _numbers(read(offset + 8, min(table_length, 4 * count)), "I") if table_length else []
    found = _by_basic_table(base, count, basic, fragments)
    if found is not None:
        return found
    if count == 1:
        return [fragments] if fragments else []
    if len(fragments) <= count or transfer_syntax == "1.2.840.10008.1.2.5":
        # RLE has one fragment a frame (PS3.5 A.4.2).
        return [[fragment] for fragment in fragments[:count]]
    return _by_markers(read, fragments, count)


def stream(read: ReadAt, offset: int) -> Segments:
    """The segments of all fragments behind the offset table: of a video, one stream (PS3.5 A.4.5 to A.4.9).

    Raises:
        UnreadableObject: no items.
    """
    table_length = _item(read, offset)
    if table_length is None:
        raise UnreadableObject("The Pixel Data does not begin with an offset table")
    return _fragments(read, offset + 8 + table_length)


def _item(read: ReadAt, offset: int) -> int | None:
    """The length of the item at `offset`, None when there is none."""
    head = read(offset, 8)
    if len(head) < 8:
        return None
    tag, length = _HEAD.unpack(head)
    return int(length) if tag == _ITEM and length != 0xFFFFFFFF else None


def _fragments(read: ReadAt, offset: int) -> Fragments:
    """(offset, length) of the value of every whole fragment."""
    found: Fragments = []
    while (length := _item(read, offset)) is not None:
        if len(found) == _MOST:
            raise UnreadableObject(f"The Pixel Data has more than {_MOST} fragments")
        found.append((offset + 8, length))
        offset += 8 + length
    # The last one may be cut off: its last byte tells.
    while found and found[-1][1] and not read(found[-1][0] + found[-1][1] - 1, 1):
        found.pop()
    return found


def _numbers(data: bytes, code: str) -> list[int]:
    size = {"I": 4, "Q": 8}[code]
    return list(Struct(f"<{len(data) // size}{code}").unpack_from(data))


def _by_extended_table(
    read: ReadAt, base: int, count: int, extended: bytes, lengths: bytes
) -> list[Segments] | None:
    """One fragment a frame, of which the table tells offset and length without padding."""
    starts, sizes = _numbers(extended, "Q"), _numbers(lengths, "Q")
    if len(starts) != count or len(sizes) != count:
        return None
    for start, size in ((starts[0], sizes[0]), (starts[-1], sizes[-1])):
        length = _item(read, base + start)
        if length is None or not size <= length <= size + 1:
            return None
    return [[(base + start + 8, size)] for start, size in zip(starts, sizes, strict=True)]


def _by_basic_table(base: int, count: int, table: list[int], fragments: Fragments) -> list[Segments] | None:
    """Frames begin at the items that the table names; None when it does not fit them.

    An entry is an offset of 32 bits, so that it names the next item whose offset has these lower bits.
    """
    if len(table) != count or not fragments:
        return None
    starts: list[int] = []
    index = 0
    for entry in table:
        while index < len(fragments) and (fragments[index][0] - 8 - base) & 0xFFFFFFFF != entry:
            index += 1
        if index == len(fragments):
            break
        starts.append(index)
        index += 1
    # Of Pixel Data that is cut off, the frames before the cut are still there.
    past = fragments[-1][0] + fragments[-1][1] - base
    if not starts or starts[0] != 0 or any(entry < past for entry in table[len(starts) :]):
        return None
    return _split(fragments, starts)


def _by_markers(read: ReadAt, fragments: Fragments, count: int) -> list[Segments]:
    """Frames of several fragments each, told apart by how compressed streams begin, or else end."""
    begins = [read(offset, 8).startswith(_BEGINNINGS) for offset, _ in fragments]
    if begins[0] and sum(begins) == count:
        return _split(fragments, [index for index, begin in enumerate(begins) if begin])
    ends = [_ends(read, offset, length) for offset, length in fragments]
    if sum(ends) == count and ends[-1]:
        return _split(fragments, [0, *(index + 1 for index, end in enumerate(ends[:-1]) if end)])
    raise UnreadableObject(
        f"{len(fragments)} fragments cannot be told apart into {count} frames",
        hint="the object has no usable offset table",
    )


def _split(fragments: Fragments, starts: list[int]) -> list[Segments]:
    return [fragments[a:b] for a, b in pairwise([*starts, len(fragments)])]


def _ends(read: ReadAt, offset: int, length: int) -> bool:
    """Whether a fragment ends with an end of image, padding aside."""
    tail = read(offset + max(length - 4, 0), min(length, 4))
    return tail.rstrip(b"\0").endswith(_END)
