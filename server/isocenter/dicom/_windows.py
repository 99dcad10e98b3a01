"""Where the walker's bytes come from: a stretch at a time, from memory, a file, or a deflated stream.

A window is a `bytes` (or a whole `mmap`) that holds the bytes from one offset on. Values that the walker
leaves where they are, are not read: the next window simply starts behind them. Only a deflated stream
(PS3.5 A.5) has to be inflated through.
"""

from __future__ import annotations

import io
import mmap
import os
import zlib
from collections.abc import Callable
from typing import Protocol

from isocenter.dicom._limits import Limits, UnreadableHeader

ReadAt = Callable[[int, int], bytes]
"""Reads (offset, length) of a file; fewer bytes at its end."""

NEXT = 64 * 1024


class Readable(Protocol):
    """A seekable binary file."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class Windows(Protocol):
    """A source of windows; `size` is None until the end is known."""

    size: int | None

    def at(self, offset: int) -> bytes:
        """The bytes from `offset` on: at least 4 KiB, fewer only at the end; empty beyond it."""
        ...


class Source(Windows, Protocol):
    """Windows that can be opened anywhere; see `windows_of`."""

    def head(self, length: int) -> bytes:
        """The first bytes."""
        ...


class Whole:
    """Bytes or an mmap, which are one window."""

    def __init__(self, buffer: bytes | mmap.mmap) -> None:
        self.buffer = buffer
        self.size: int | None = len(buffer)

    def at(self, offset: int) -> bytes:
        """The rest of the buffer, a stretch of it."""
        return self.buffer[offset : offset + NEXT]

    def head(self, length: int) -> bytes:
        """The first bytes."""
        return self.buffer[:length]


class Pieces:
    """A bytearray or memoryview, copied a window at a time."""

    def __init__(self, buffer: bytearray | memoryview) -> None:
        self.view = memoryview(buffer).cast("B")
        self.size: int | None = len(self.view)

    def at(self, offset: int) -> bytes:
        """One window."""
        return bytes(self.view[offset : offset + NEXT])

    def head(self, length: int) -> bytes:
        """The first bytes."""
        return bytes(self.view[:length])


class File:
    """A seekable binary file, read by position where the system can."""

    def __init__(self, file: Readable) -> None:
        self.file = file
        self.descriptor = _descriptor(file)
        if self.descriptor is None:
            self.size: int | None = file.seek(0, io.SEEK_END)
        else:
            self.size = os.fstat(self.descriptor).st_size

    def at(self, offset: int) -> bytes:
        """One window."""
        return self._read(offset, NEXT)

    def head(self, length: int) -> bytes:
        """The first bytes."""
        return self._read(0, length)

    def _read(self, offset: int, length: int) -> bytes:
        if self.descriptor is not None:
            return os.pread(self.descriptor, length, offset)
        self.file.seek(offset)
        return _read_fully(self.file, length)


class Inflated:
    """The inflated bytes of a deflated data set; offsets count from its start.

    Windows are asked for in rising order, each from within the one before or behind it; what lies between
    is inflated and dropped.
    """

    def __init__(self, source: Source, start: int, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.size: int | None = None
        self.next_in = start
        self.taken = self.made = 0
        self.stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self.wrapped = zlib.decompressobj()
        self.waiting = b""
        self.window = b""

    def at(self, offset: int) -> bytes:
        """One window; `size` is set when the stream has ended."""
        while offset >= self.made and self.size is None:
            self.window = self._inflate()
        begin = self.made - len(self.window)
        pieces = [self.window[offset - begin :]]
        have = len(pieces[0])
        while have < NEXT and self.size is None:
            pieces.append(self._inflate())
            have += len(pieces[-1])
        self.window = b"".join(pieces)
        return self.window

    def _inflate(self) -> bytes:
        """The next bytes of the stream, 64 KiB at most."""
        if not self.waiting:
            self.waiting = bytes(self.source.at(self.next_in))
            self.next_in += len(self.waiting)
            self.taken += len(self.waiting)
        ended = not self.waiting
        made = self._decompress()
        self.made += len(made)
        if self.made > self.limits.inflate_free + self.limits.inflate_ratio * self.taken:
            raise UnreadableHeader("The deflated data set inflates beyond its limit")
        if (ended and not made) or self.stream.eof:
            self.size = self.made
        return made

    def _decompress(self) -> bytes:
        try:
            made = self.stream.decompress(self.waiting, NEXT)
        except zlib.error:
            if self.made == 0 and self.waiting[:1] == b"\x78" and self.stream is not self.wrapped:
                # Some writers leave the zlib header in, against PS3.5 A.5.
                self.stream = self.wrapped
                return self._decompress()
            # What came out so far stands; the walker will find that the data set ends early.
            self.size, self.waiting = self.made, b""
            return b""
        self.waiting = self.stream.unconsumed_tail
        return made


def windows_of(source: object) -> Source:
    """The windows of whatever a caller may hand over."""
    if isinstance(source, (bytes, mmap.mmap)):
        return Whole(source)
    if isinstance(source, (bytearray, memoryview)):
        return Pieces(source)
    return File(source)  # type: ignore[arg-type]


def reader_of(source: bytes | bytearray | memoryview | mmap.mmap | Readable) -> ReadAt:
    """How to read single stretches of a source."""
    if isinstance(source, (bytes, bytearray, memoryview, mmap.mmap)):
        return lambda offset, length: bytes(source[offset : offset + length])
    descriptor = _descriptor(source)
    if descriptor is not None:
        return lambda offset, length: os.pread(descriptor, length, offset)

    def read(offset: int, length: int) -> bytes:
        source.seek(offset)
        return _read_fully(source, length)

    return read


def _descriptor(file: Readable) -> int | None:
    # Only these: a gzip file's descriptor is its compressed bytes, a writer's lacks what is not flushed.
    if isinstance(file, io.BufferedReader):
        file = file.raw
    return file.fileno() if isinstance(file, io.FileIO) else None


def _read_fully(file: Readable, length: int) -> bytes:
    """Raw files may answer with less than was asked for."""
    data = file.read(length)
    while 0 < len(data) < length:
        more = file.read(length - len(data))
        if not more:
            break
        data += more
    return data
