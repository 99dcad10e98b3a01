"""Memory that sockets read into and objects are sent from, lent and reused without copying.

A block is free again when nobody holds a view of it: a fragment may be kept by whoever writes it to
disk or hashes it in a thread, as long as needed. Idle associations hold no block.
Not here: limits on how much is held (`Reception.backlog` and `pause_reading` do that).
"""

from __future__ import annotations

import sys
import threading

BLOCK_SIZE = 528 * 1024
"""Four P-DATA-TF of the length that we announce, and a command before them."""
_KEPT = 16
"""Blocks kept by a thread; what is lent above it is dropped when its views die."""

_FREE = 3
"""References to a block of the list that nobody uses: the list, our variable, getrefcount's argument.
A memoryview counts as one however often it is sliced, and goes when its last slice goes."""


class Blocks(threading.local):
    """The blocks of this thread."""

    def __init__(self) -> None:
        self._blocks: list[bytearray] = []

    def take(self) -> bytearray:
        """A block that nobody holds; it is lent for as long as the caller holds it or a view of it."""
        for block in self._blocks:
            if sys.getrefcount(block) == _FREE:
                return block
        block = bytearray(BLOCK_SIZE)
        if len(self._blocks) >= _KEPT:
            del self._blocks[0]
        self._blocks.append(block)
        return block


BLOCKS = Blocks()


class ReadBuffer:
    """Where one connection's next read goes: a free block, or behind what is held of the last."""

    __slots__ = ("_block", "_filled", "_room")

    _LEAST = 64 * 1024
    """Room that is worth a read."""

    def __init__(self) -> None:
        self._block: bytearray | None = None
        self._room: memoryview | None = None
        self._filled = 0

    def room(self) -> memoryview:
        """Memory to read into."""
        if self._block is None or BLOCK_SIZE - self._filled < self._LEAST:
            self._block = None  # before take: it may be free by now
            self._block = BLOCKS.take()
            self._filled = 0
        self._room = memoryview(self._block)[self._filled :]
        return self._room

    def received(self, size: int) -> memoryview:
        """The `size` bytes that the last read put there."""
        assert self._block is not None
        start = self._filled
        self._filled += size
        return memoryview(self._block)[start : self._filled]

    def rest(self) -> None:
        """The read was dealt with: give the block back, unless somebody holds a part of it."""
        if self._room is not None:
            self._room.release()  # the event loop's own variable may still hold it
            self._room = None
        block, self._block = self._block, None
        if block is not None and sys.getrefcount(block) > _FREE:
            self._block = block  # held: go on behind it
