"""Data sets that are deflated as a whole (PS3.5 A.5): inflated into a file, and deflated from one."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from isocenter.dicom._limits import DEFAULT as LIMITS
from isocenter.dicom.reencode import PIECE, CannotTranscode


def inflate(file: BinaryIO, offset: int, target: BinaryIO) -> None:
    """The data set that is deflated from `offset` on, into a file of its own, which is at its start then.

    Raises:
        CannotTranscode: it is damaged, or inflates beyond the limits of headers.
    """
    try:
        try:
            made = _inflated(file, offset, target, -zlib.MAX_WBITS)
        except zlib.error:  # some writers leave the zlib header in, against PS3.5 A.5
            target.seek(0)
            made = _inflated(file, offset, target, zlib.MAX_WBITS)
    except zlib.error as error:
        raise CannotTranscode("The deflated data set is damaged") from error
    target.truncate(made)
    target.seek(0)


def _inflated(file: BinaryIO, offset: int, target: BinaryIO, wbits: int) -> int:
    """Inflate to the end of the stream; how many bytes it has."""
    stream = zlib.decompressobj(wbits)
    file.seek(offset)
    taken = made = 0
    piece = b""
    while not stream.eof:
        if not piece:
            piece = file.read(PIECE)
            taken += len(piece)
        inflated = stream.decompress(piece, PIECE)
        if not piece and not inflated:
            raise CannotTranscode("The deflated data set ends before its end")
        made += len(inflated)
        if made > LIMITS.inflate_free + LIMITS.inflate_ratio * taken:
            raise CannotTranscode("The deflated data set inflates beyond its limit")
        target.write(inflated)
        piece = stream.unconsumed_tail
    return made


def deflate(file: BinaryIO, target: BinaryIO) -> None:
    """The data set in `file` deflated: without the header of zlib, of even length."""
    stream = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    file.seek(0)
    while piece := file.read(PIECE):
        target.write(stream.compress(piece))
    target.write(stream.flush())
    target.write(bytes(target.tell() % 2))
