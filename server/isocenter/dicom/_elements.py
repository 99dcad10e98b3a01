"""Data elements, how they are encoded, and the walk over runs of ordinary ones (PS3.5 7.1).

An element is ordinary when its VR is known, its value is at most 1 KiB long and lies within what holds it,
and it is no sequence. All others are `_walker`'s.
"""

from __future__ import annotations

import mmap
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


class Pixels(NamedTuple):
    """Where top-level Pixel Data is: `length` is None when it is encapsulated."""

    tag: int
    vr: str
    offset: int
    length: int | None


class Syntax(NamedTuple):
    """How elements are encoded: `element` unpacks a header's first 8 bytes, `item` an item's."""

    explicit: bool
    big: bool
    element: Struct
    item: Struct
    word: Struct
    short: dict[int, str]
    long: dict[int, str]


IMPLICIT = Syntax(False, False, Struct("<HHI"), Struct("<HHI"), Struct("<I"), {}, {})
EXPLICIT = Syntax(True, False, Struct("<HHHH"), Struct("<HHI"), Struct("<I"), SHORT_LITTLE, LONG_LITTLE)
BIG = Syntax(True, True, Struct(">HHHH"), Struct(">HHI"), Struct(">I"), SHORT_BIG, LONG_BIG)


def pick_explicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax,
    wanted: Collection[int], picks: list[Element], budget: int,
) -> tuple[int, int]:  # fmt: skip
    """Walk over elements with a 16-bit length; keeps the wanted ones."""
    unpack, short, big = syntax.element.unpack_from, syntax.short.get, syntax.big
    last = stop - 8
    walked = 0
    for walked in range(budget):
        if pos > last:
            return pos, walked
        group, element, letters, length = unpack(buffer, pos)
        vr = short(letters)
        following = pos + 8 + length
        if vr is None or length > LARGE or following > stop:
            return pos, walked
        tag = group << 16 | element
        if tag in wanted:
            value = buffer[pos + 8 : following]
            picks.append(Element(tag, vr, value, pos + 8 + shift, length, None, big))
        pos = following
    return pos, walked


def pick_implicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax,
    wanted: Collection[int], picks: list[Element], budget: int,
) -> tuple[int, int]:  # fmt: skip
    """Walk over elements of at most 1 KiB that are known to be no sequence; keeps the wanted ones."""
    unpack, plain = syntax.element.unpack_from, PLAIN
    last = stop - 8
    walked = 0
    for walked in range(budget):
        if pos > last:
            return pos, walked
        group, element, length = unpack(buffer, pos)
        tag = group << 16 | element
        following = pos + 8 + length
        if length > LARGE or following > stop or tag not in plain:
            return pos, walked
        if tag in wanted:
            value = buffer[pos + 8 : following]
            picks.append(Element(tag, plain[tag], value, pos + 8 + shift, length, None, False))
        pos = following
    return pos, walked


def build_explicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax, out: list[Element], budget: int
) -> int:
    """Like `pick_explicit`, but makes an `Element` of each."""
    unpack, short, big = syntax.element.unpack_from, syntax.short.get, syntax.big
    make, append = Element._make, out.append
    last = stop - 8
    shift += 8
    for _ in range(budget):
        if pos > last:
            break
        group, element, letters, length = unpack(buffer, pos)
        vr = short(letters)
        following = pos + 8 + length
        if vr is None or length > LARGE or following > stop:
            break
        append(make((group << 16 | element, vr, buffer[pos + 8 : following], pos + shift, length, None, big)))
        pos = following
    return pos


def build_implicit(
    buffer: Buffer, pos: int, stop: int, shift: int, syntax: Syntax, out: list[Element], budget: int
) -> int:
    """Like `pick_implicit`, but makes an `Element` of each."""
    unpack, plain = syntax.element.unpack_from, PLAIN.get
    make, append = Element._make, out.append
    last = stop - 8
    shift += 8
    for _ in range(budget):
        if pos > last:
            break
        group, element, length = unpack(buffer, pos)
        tag = group << 16 | element
        vr = plain(tag)
        following = pos + 8 + length
        if vr is None or length > LARGE or following > stop:
            break
        append(make((tag, vr, buffer[pos + 8 : following], pos + shift, length, None, False)))
        pos = following
    return pos
