"""Sending bytes of stored files with back-pressure: read in a thread, wait for the socket to take them.

A slow client holds one piece in memory and no thread; one that went away ends the work with the next piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from isocenter import metrics
from isocenter.errors import Damaged
from isocenter.http.handler import Handler

PIECE = 1024 * 1024


class Opener(Protocol):
    """Opens stored objects by their relative path (`ObjectStore`)."""

    def open(self, relpath: str, /) -> BinaryIO:
        """A seekable file."""


def read_segments(file: BinaryIO, segments: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of (offset, length) segments, in pieces; Damaged when the file ends before they do."""
    for offset, length in segments:
        file.seek(offset)
        while length:
            piece = file.read(min(length, PIECE))
            if not piece:
                raise Damaged("A stored object is shorter than its index says", hint="run `isocenter verify`")
            length -= len(piece)
            yield piece


async def send_pieces(handler: Handler, pieces: Iterator[bytes]) -> int:
    """Write all that `pieces` gives, each made in a thread once the one before is out; returns bytes sent."""
    sent = 0
    while piece := await handler.context.short(next, pieces, b""):
        handler.write(piece)
        await handler.flush()
        sent += len(piece)
    metrics.bytes_sent.labels(handler.face).inc(sent)
    return sent


async def send_file(
    handler: Handler, opener: Opener, relpath: str, segments: Iterable[tuple[int, int]]
) -> int:
    """Send segments of a stored object."""
    file = await handler.context.short(opener.open, relpath)
    try:
        return await send_pieces(handler, read_segments(file, segments))
    finally:
        file.close()
