"""Memory that sockets read into and objects are sent from, lent and reused without copying.

What is lent is a view; the block is free again when nobody holds that view or a slice of it: a fragment may
be kept by whoever writes it to disk or hashes it in a thread, as long as needed. Idle associations hold none.
Not here: limits on how much is held (`Reception.backlog` and `pause_reading` do that).
"""

from __future__ import annotations

import threading
from typing import cast

BLOCK_SIZE = 528 * 1024
"""Four P-DATA-TF of the length that we announce, and a command before them."""
_KEPT = 16
"""Blocks kept by a thread; what is lent above it is dropped when its views die."""


class Blocks(threading.local):
    """The blocks of this thread."""

    def __init__(self) -> None:
        self._blocks: list[bytearray] = []

    def take(self) -> memoryview:
        """A view of a whole block that nobody holds; it is lent while this view or a slice of it lives."""
        block = next(filter(_is_free, self._blocks), None)
        if block is None:
            block = bytearray(BLOCK_SIZE)
            if len(self._blocks) >= _KEPT:
                del self._blocks[0]
            self._blocks.append(block)
        return memoryview(block)


def _is_free(block: bytearray) -> bool:
    """Whether no view of it lives: Python resizes a bytearray only then. Reference counts would not say it,
    since what counts as one differs between versions of Python."""
    try:
        block.append(0)
    except BufferError:
        return False
    block.pop()
    return True


BLOCKS = Blocks()


class ReadBuffer:
    """Where one connection's next read goes: a free block, or behind what is held of the last."""

    __slots__ = ("_filled", "_lent", "_room")

    _LEAST = 64 * 1024
    """Room that is worth a read."""

    def __init__(self) -> None:
        self._lent: memoryview | None = None  # the whole block
        self._room: memoryview | None = None
        self._filled = 0

    def room(self) -> memoryview:
        """Memory to read into."""
        if self._lent is None or BLOCK_SIZE - self._filled < self._LEAST:
            self._lent = None  # before take: it may be free by now
            self._lent = BLOCKS.take()
            self._filled = 0
        self._room = self._lent[self._filled :]
        return self._room

    def received(self, size: int) -> memoryview:
        """The `size` bytes that the last read put there."""
        assert self._lent is not None
        start = self._filled
        self._filled += size
        return self._lent[start : self._filled]

    def rest(self) -> None:
        """The read was dealt with: give the block back, unless somebody holds a part of it."""
        if self._room is not None:
            self._room.release()  # the event loop's own variable may still hold it
            self._room = None
        lent, self._lent = self._lent, None
        if lent is not None:
            block = cast(bytearray, lent.obj)
            lent.release()
            if not _is_free(block):
                self._lent = memoryview(block)  # held: go on behind it
