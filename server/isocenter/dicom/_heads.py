"""The header of one data element: tag, VR and length, however badly written (PS3.5 7.1, 6.2.2).

Not here: its value (`_walker`), nor ordinary elements, which are read in runs (`_elements`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from isocenter.dicom._elements import IMPLICIT, Buffer, Syntax
from isocenter.dicom._vr import dictionary_vr

UNDEFINED = 0xFFFFFFFF
Problem = Callable[[str, int], None]


class Head(NamedTuple):
    """The beginning of one element: its value starts at `start` and is encoded by `syntax`."""

    tag: int
    vr: str
    start: int
    length: int
    syntax: Syntax


def read_head(buffer: Buffer, pos: int, syntax: Syntax, problem: Problem) -> Head | None:
    """The header of the element at `pos`, of which 8 bytes are there; None when it is cut off."""
    group, element, length = syntax.item.unpack_from(buffer, pos)
    tag = group << 16 | element
    if group == 0xFFFE:
        return Head(tag, "", pos + 8, length, syntax)
    if not syntax.explicit:
        return Head(tag, _implicit_vr(tag, length), pos + 8, length, syntax)
    _, _, letters, short = syntax.element.unpack_from(buffer, pos)
    vr = syntax.short.get(letters)
    if vr is not None:
        return Head(tag, vr, pos + 8, short, syntax)
    vr = syntax.long.get(letters)
    if vr is None:
        return _wrong_vr(buffer, pos, tag, syntax, problem)
    if pos + 12 > len(buffer):
        return None
    length = syntax.word.unpack_from(buffer, pos + 8)[0]
    if vr == "UN":
        # PS3.5 6.2.2: whatever is sent as UN is encoded as Implicit VR Little Endian.
        return Head(tag, _implicit_vr(tag, length), pos + 12, length, IMPLICIT)
    return Head(tag, vr, pos + 12, length, syntax)


def _wrong_vr(buffer: Buffer, pos: int, tag: int, syntax: Syntax, problem: Problem) -> Head | None:
    """An element whose VR letters are none: its VR is the dictionary's, its length is guessed."""
    problem(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has no valid VR", pos)
    length = syntax.item.unpack_from(buffer, pos)[2]
    short = syntax.element.unpack_from(buffer, pos)[3]
    letters = bytes(buffer[pos + 4 : pos + 6])
    if not (letters.isalpha() and letters.isupper()) and letters not in (b"??", b"  ", b"--"):
        # No letters at all: a writer that falls into implicit VR, mostly within sequences.
        return Head(tag, _implicit_vr(tag, length), pos + 8, length, syntax)
    if short:
        return Head(tag, dictionary_vr(tag), pos + 8, short, syntax)
    if pos + 12 > len(buffer):
        return None
    # VRs that are yet to be defined have the long form (PS3.5 6.2), with zero in between.
    following = syntax.word.unpack_from(buffer, pos + 8)[0]
    return Head(tag, _implicit_vr(tag, following), pos + 12, following, syntax)


def _implicit_vr(tag: int, length: int) -> str:
    """The VR of an element that does not tell it."""
    vr = dictionary_vr(tag)
    return "SQ" if vr == "UN" and length == UNDEFINED else vr
