"""Data elements written again in Explicit or Implicit VR Little Endian, without a look at their meaning.

Values keep their bytes; only big endian numbers are turned. Sequences get undefined lengths, group lengths
are left out (retired, PS3.5 7.2). Large values go from file to file in pieces.
Not here: Pixel Data (:mod:`isocenter.dicom.transcode`).
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import BinaryIO

from isocenter.dicom._vr import LONG
from isocenter.dicom.header import Element
from isocenter.errors import UnreadableObject

PIECE = 1024 * 1024
UNDEFINED = 0xFFFFFFFF

_LONG = frozenset(LONG)
_WORD = {"US": 2, "SS": 2, "OW": 2, "AT": 2} | dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4)
_WORD |= dict.fromkeys(("FD", "SV", "UV", "OD", "OV"), 8)

_TAG = Struct("<HH")
_SHORT = Struct("<H")
_LENGTH = Struct("<L")
_ITEM = _TAG.pack(0xFFFE, 0xE000) + _LENGTH.pack(UNDEFINED)
_ITEM_END = _TAG.pack(0xFFFE, 0xE00D) + bytes(4)
_SEQUENCE_END = _TAG.pack(0xFFFE, 0xE0DD) + bytes(4)


class CannotTranscode(UnreadableObject):
    """This object cannot be written in the transfer syntax asked for."""

    code = "cannot-transcode"


class Writer:
    """Writes elements of one object to another file.

    Args:
        source: the file that elements without a value point into.
        target: where they go.
        explicit: Explicit VR; else Implicit VR.
    """

    def __init__(self, source: BinaryIO, target: BinaryIO, *, explicit: bool) -> None:
        self._source = source
        self._target = target
        self._explicit = explicit

    def elements(self, elements: Iterable[Element]) -> None:
        """Write these, and what is in them.

        Raises:
            CannotTranscode: compressed pixels within a sequence (an icon).
        """
        for element in elements:
            if element.tag & 0xFFFF == 0:
                continue
            if element.items is not None:
                self._sequence(element)
            elif element.value is not None:
                self.head(element.tag, element.vr, len(element.value))
                self._target.write(turned(element.value, element.vr, element.big_endian))
            else:
                self._large(element)

    def head(self, tag: int, vr: str, length: int) -> None:
        """The header of an element; a value that is too long for its VR goes as UN (PS3.5 6.2.2)."""
        write = self._target.write
        write(_TAG.pack(tag >> 16, tag & 0xFFFF))
        if not self._explicit:
            write(_LENGTH.pack(length))
        elif vr in _LONG:
            write(vr.encode("ascii") + b"\0\0" + _LENGTH.pack(length))
        elif length > 0xFFFF:
            write(b"UN\0\0" + _LENGTH.pack(length))
        else:
            write(vr.encode("ascii") + _SHORT.pack(length))

    def copy(self, offset: int, length: int, vr: str, big_endian: bool = False) -> None:
        """`length` bytes of the source, in pieces.

        Raises:
            CannotTranscode: the source ends before.
        """
        self._source.seek(offset)
        while length:
            piece = self._source.read(min(length, PIECE))
            if not piece:
                raise CannotTranscode("A value is cut off")
            self._target.write(turned(piece, vr, big_endian))
            length -= len(piece)

    def _sequence(self, element: Element) -> None:
        self.head(element.tag, "SQ", UNDEFINED)
        for item in element.items or ():
            self._target.write(_ITEM)
            self.elements(item)
            self._target.write(_ITEM_END)
        self._target.write(_SEQUENCE_END)

    def _large(self, element: Element) -> None:
        self._source.seek(element.offset - 4)
        if self._source.read(4) == b"\xff\xff\xff\xff":
            raise CannotTranscode("A sequence holds compressed pixels")
        self.head(element.tag, element.vr, element.length)
        self.copy(element.offset, element.length, element.vr, element.big_endian)


def turned(value: bytes, vr: str, big_endian: bool) -> bytes:
    """The value in little endian; words that are cut off stay as they are."""
    word = _WORD.get(vr, 1) if big_endian else 1
    if word == 1:
        return value
    whole = len(value) // word * word
    out = bytearray(value)
    for n in range(word):
        out[n:whole:word] = value[word - 1 - n : whole : word]
    return bytes(out)
