"""What bulk data is sent as: bodies whose bytes are read or made as they go out, alone or as parts.

A body knows its length before its bytes where that can be known, and can begin anywhere: so ranges work the
same for a stored value, a value that is turned into little endian, and frames that are decoded one by one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from isocenter import metrics
from isocenter.dicom.reencode import turned
from isocenter.dicomweb.frames import Cut, each_frame
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.media import OCTETS
from isocenter.http.conditional import not_modified, tell_range, tell_representation
from isocenter.http.context import Context
from isocenter.http.multipart import MultipartWriter
from isocenter.http.ranges import ByteRange
from isocenter.http.stream import read_segments


class Body(Protocol):
    """Something that can be sent."""

    @property
    def content_type(self) -> str:
        """Of a part or a single body."""

    @property
    def location(self) -> str:
        """The URL of it alone."""

    @property
    def length(self) -> int:
        """Bytes."""

    def pieces(self, context: Context, start: int, length: int) -> AsyncIterator[bytes]:
        """`length` bytes from `start` on."""


@dataclass(frozen=True)
class StoredBody:
    """Bytes of an open file; words of a big endian value are turned."""

    file: BinaryIO
    segments: Sequence[tuple[int, int]]
    location: str
    content_type: str = OCTETS
    vr: str = "OB"
    big_endian: bool = False

    @property
    def length(self) -> int:
        """Bytes of all segments."""
        return sum(length for _, length in self.segments)

    async def pieces(self, context: Context, start: int, length: int) -> AsyncIterator[bytes]:
        """Read in a thread, a piece at a time."""
        source = self._turned(start, length) if self.big_endian else self._plain(start, length)
        while piece := await context.short(next, source, b""):
            yield piece

    def _plain(self, start: int, length: int) -> Iterator[bytes]:
        return read_segments(self.file, _within(self.segments, start, length))

    def _turned(self, start: int, length: int) -> Iterator[bytes]:
        """From a whole word to a whole word; pieces are multiples of every word's size."""
        before = start % 8
        end = min(-(-(start + length) // 8) * 8, self.length)
        left = length
        for piece in self._plain(start - before, end - start + before):
            made = turned(piece, self.vr, True)[before : before + left]
            before, left = 0, left - len(made)
            if made:
                yield made


@dataclass(frozen=True)
class MadeBody:
    """Frames decoded one after another: the value that uncompressed Pixel Data has, of even length."""

    cut: Cut
    frame_length: int
    location: str

    @property
    def content_type(self) -> str:
        """Octets in Explicit VR Little Endian."""
        return self.cut.form.content_type

    @property
    def length(self) -> int:
        """Bytes of all frames, and of the padding."""
        frames = self.frame_length * len(self.cut.numbers)
        return frames + frames % 2

    async def pieces(self, context: Context, start: int, length: int) -> AsyncIterator[bytes]:
        """Only frames within are made."""
        first, left = start // self.frame_length, length
        skip = start - first * self.frame_length
        last = -(-(start + length) // self.frame_length)
        numbers = self.cut.numbers[first:last]
        if numbers:
            part = Cut(self.cut.instance, self.cut.file, self.cut.located, self.cut.form, numbers, None)
            async for frame in each_frame(context, part):
                piece = frame[skip : skip + left]
                skip, left = 0, left - len(piece)
                yield piece
        if left:
            yield bytes(left)


@dataclass(frozen=True)
class FrameBody:
    """One compressed frame, made already."""

    data: bytes
    content_type: str
    location: str

    @property
    def length(self) -> int:
        """Its bytes."""
        return len(self.data)

    async def pieces(self, context: Context, start: int, length: int) -> AsyncIterator[bytes]:
        """At once."""
        yield self.data[start : start + length]


def _within(segments: Sequence[tuple[int, int]], start: int, length: int) -> list[tuple[int, int]]:
    """The part of joined segments that is `length` bytes from `start` on."""
    found = []
    for offset, size in segments:
        skipped = min(start, size)
        taken = min(size - skipped, length)
        start, length = start - skipped, length - taken
        if taken:
            found.append((offset + skipped, taken))
    return found


async def send_body(handler: DicomwebHandler, body: Body, etag: str, received: int) -> None:
    """Send a body alone: whole, a range of it, or 304.

    Raises:
        RangeNotSatisfiable: the range begins behind its end.
    """
    handler.set_header("Content-Type", body.content_type)
    tell_representation(handler, etag, received)
    if not_modified(handler):
        return
    start, length = tell_range(handler, body.length, etag)
    if handler.request.method != "HEAD":
        await _write(handler, body, start, length)


async def send_parts(handler: DicomwebHandler, bodies: AsyncIterator[Body], media_type: str) -> None:
    """Send bodies as the parts of a multipart answer."""
    writer = MultipartWriter(media_type)
    handler.set_header("Content-Type", writer.content_type)
    handler.add_header("Vary", "Accept")
    if handler.request.method == "HEAD":
        await handler.flush()
        return
    async for body in bodies:
        handler.write(writer.head({"Content-Type": body.content_type, "Content-Location": body.location}))
        await _write(handler, body, 0, body.length)
    handler.write(writer.tail())


async def send_range(handler: DicomwebHandler, body: Body, wanted: ByteRange, media_type: str) -> None:
    """Send a range of one value as the only part: what Range means for bulk data (PS3.18 2016b 6.5.5.2.1)."""
    writer = MultipartWriter(media_type)
    head = {
        "Content-Type": body.content_type,
        "Content-Location": body.location,
        "Content-Range": wanted.content_range,
    }
    handler.set_status(206)
    handler.set_header("Content-Type", writer.content_type)
    handler.set_header("Content-Range", wanted.content_range)
    handler.add_header("Vary", "Accept")
    if handler.request.method == "HEAD":
        await handler.flush()
        return
    handler.write(writer.head(head))
    await _write(handler, body, wanted.start, wanted.length)
    handler.write(writer.tail())


async def _write(handler: DicomwebHandler, body: Body, start: int, length: int) -> None:
    async for piece in body.pieces(handler.context, start, length):
        handler.write(piece)
        await handler.flush()
        metrics.bytes_sent.labels(handler.face).inc(len(piece))
