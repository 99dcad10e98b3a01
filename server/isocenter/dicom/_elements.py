"""Data elements, how they are encoded, and the walk over runs of ordinary ones (PS3.5 7.1).

An element is ordinary when its VR is known, its value is at most 1 KiB long and lies within what holds it,
and it is no sequence. All others are `_walker`'s.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection
from struct import Struct
from typing import NamedTuple

from isocenter.dicom._vr import LONG_BIG, LONG_LITTLE, PLAIN, SHORT_BIG, SHORT_LITTLE

Buffer = bytes | mmap.mmap

LARGE = 1024
"""Values longer than this, in bytes, are left where they are."""


class Element(NamedTuple):
    """One data element, undecoded.

    Attributes:
        tag: the 32-bit tag.
        vr: two letters; by the dictionary where the encoding does not tell it.
        value: the value as encoded, padding included; None of sequences and of values over 1 KiB.
        offset: where the value begins, in bytes: in the file, or in the inflated stream when deflated.
        length: bytes of the value in the file, delimiters of undefined lengths not counted.
        items: the items of a sequence, each a list of elements; None of anything else.
        big_endian: how numbers in `value` are written.
    """

    tag: int
    vr: str
    value: bytes | None
    offset: int
    length: int
    items: list[list[Element]] | None = None
    big_endian: bool = False


Pick = tuple[int, str, bytes | None, int, int, list[list[Element]] | None, bool]
"""What an `Element` holds, as the plain tuple that costs a third of it."""


class Pixels(NamedTuple):
    """Where top-level Pixel Data is: `length` is None when it is encapsulated."""

    tag: int
    vr: str
    offset: int
    length: int | None


class Syntax(NamedTuple):
    """How elements are encoded: `element` unpacks a header's first 8 bytes, `item` an item's.

    `quick` does what `element` does, with the tag as one number (groups and elements swapped when little).
    """

    explicit: bool
    big: bool
    element: Struct
    quick: Struct
    item: Struct
    word: Struct
    short: dict[int, str]
    long: dict[int, str]


IMPLICIT = Syntax(False, False, Struct("<HHI"), Struct("<II"), Struct("<HHI"), Struct("<I"), {}, {})
EXPLICIT = Syntax(
    True, False, Struct("<HHHH"), Struct("<IHH"), Struct("<HHI"), Struct("<I"), SHORT_LITTLE, LONG_LITTLE
)
BIG = Syntax(True, True, Struct(">HHHH"), Struct(">IHH"), Struct(">HHI"), Struct(">I"), SHORT_BIG, LONG_BIG)


class Wanted:
    """Tags to be picked, as the first four bytes of an element read as one number."""

    def __init__(self, tags: Collection[int]) -> None:
        self.tags = frozenset(tags)
        self.little = {_swapped(tag): tag for tag in self.tags}
        self.big = {tag: tag for tag in self.tags}


def _swapped(tag: int) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16


NOTHING = Wanted(())
_PLAIN_LITTLE = {_swapped(tag): vr for tag, vr in PLAIN.items()}
_new = tuple.__new__


def pick_explicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax,
    wanted: Wanted, picks: list[Pick], budget: int,
) -> tuple[int, int]:  # fmt: skip
    """Walk over elements with a 16-bit length; keeps the wanted ones.

    Returns the position where the run ends and the number of elements walked over.
    """
    unpack, short, big = syntax.quick.unpack_from, syntax.short, syntax.big
    tags = wanted.big if big else wanted.little
    walked = 0
    try:
        for walked in range(budget):  # noqa: B007 (it is the answer)
            number, letters, length = unpack(buffer, pos)
            following = pos + 8 + length
            if letters not in short or length > 1024 or following > stop:
                break
            if number in tags:
                value, offset = buffer[pos + 8 : following], pos + 8 + shift
                picks.append((tags[number], short[letters], value, offset, length, None, big))
            pos = following
    except struct.error:
        # Not even a header is left: cheaper than asking each time.
        pass
    return pos, walked


def pick_implicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax,
    wanted: Wanted, picks: list[Pick], budget: int,
) -> tuple[int, int]:  # fmt: skip
    """Walk over elements of at most 1 KiB that are known to be no sequence; keeps the wanted ones."""
    unpack, plain, tags = syntax.quick.unpack_from, _PLAIN_LITTLE, wanted.little
    walked = 0
    try:
        for walked in range(budget):  # noqa: B007 (it is the answer)
            number, length = unpack(buffer, pos)
            following = pos + 8 + length
            if length > 1024 or following > stop or number not in plain:
                break
            if number in tags:
                value, offset = buffer[pos + 8 : following], pos + 8 + shift
                picks.append((tags[number], plain[number], value, offset, length, None, False))
            pos = following
    except struct.error:
        pass
    return pos, walked


def build_explicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax, out: list[Element], budget: int
) -> int:
    """Like `pick_explicit`, but makes an `Element` of each."""
    unpack, short, big = syntax.element.unpack_from, syntax.short, syntax.big
    append, kind, shift = out.append, Element, shift + 8
    try:
        for _ in range(budget):
            group, element, letters, length = unpack(buffer, pos)
            following = pos + 8 + length
            if letters not in short or length > 1024 or following > stop:
                break
            value, tag = buffer[pos + 8 : following], group << 16 | element
            append(_new(kind, (tag, short[letters], value, pos + shift, length, None, big)))
            pos = following
    except struct.error:
        pass
    return pos


def build_implicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax, out: list[Element], budget: int
) -> int:
    """Like `pick_implicit`, but makes an `Element` of each."""
    unpack, plain = syntax.element.unpack_from, PLAIN
    append, kind, shift = out.append, Element, shift + 8
    try:
        for _ in range(budget):
            group, element, length = unpack(buffer, pos)
            tag = group << 16 | element
            following = pos + 8 + length
            if length > 1024 or following > stop or tag not in plain:
                break
            append(
                _new(kind, (tag, plain[tag], buffer[pos + 8 : following], pos + shift, length, None, False))
            )
            pos = following
    except struct.error:
        pass
    return pos
