"""Messages cut into P-DATA-TF PDUs (PS3.8 9.3.5, Annex E), small ones at once, large ones as they are sent.

The data set of a stored object is read from its file straight into the place behind its fragment's header;
header and payload of several fragments leave in one write. Not here: back-pressure and order of messages
(``association``).
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from struct import Struct

from isocenter.errors import Damaged
from isocenter.network.blocks import BLOCK_SIZE, BLOCKS
from isocenter.network.pdu import COMMAND, LAST, Pdu

_FRAGMENT = Struct(">BxLLBB")
"""Header of a P-DATA-TF with one item: type, length; item length, context id, message control header."""
_OVERHEAD = _FRAGMENT.size
_ITEM_HEADER = 6
_MOST_VECTORS = 512  # below IOV_MAX
_FIRST = 64 * 1024

_NOT_CACHED = {errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class FileRange:
    """A data set in an open file; who opened it closes it, after the message was sent."""

    fd: int
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Data = bytes | bytearray | memoryview | FileRange


def payload_size(max_length: int, ours: int) -> int:
    """Bytes of a message in one P-DATA-TF: even, the item header counts (PS3.8 D.1.1).

    Args:
        max_length: what the peer announced, 0 for no limit.
        ours: more we never send.
    """
    limit = min(max_length, ours) if max_length else ours
    return max(2, (limit - _ITEM_HEADER) & ~1)


def pack(context_id: int, message: bytes | memoryview, control: int, payload: int) -> bytes:
    """One command set or data set that is at hand, as P-DATA-TF PDUs.

    Args:
        context_id: of the message.
        message: the whole command set or data set.
        control: `COMMAND` or 0; `LAST` is added where it belongs.
        payload: as `payload_size` says.
    """
    length = len(message)
    if length <= payload:
        return _header(context_id, length, control | LAST) + bytes(message)
    parts: list[bytes | memoryview] = []
    view = memoryview(message)
    for start in range(0, length, payload):
        size = min(payload, length - start)
        last = LAST if start + size == length else 0
        parts += (_header(context_id, size, control | last), view[start : start + size])
    return b"".join(parts)


def pack_message(context_id: int, command: bytes, data: bytes | memoryview | None, payload: int) -> bytes:
    """A whole message: command set and data set each in PDUs of their own, in one piece to write."""
    packed = pack(context_id, command, COMMAND, payload)
    return packed if data is None else packed + pack(context_id, data, 0, payload)


def _header(context_id: int, size: int, control: int) -> bytes:
    return _FRAGMENT.pack(Pdu.P_DATA_TF, size + _ITEM_HEADER, size + 2, context_id, control)


async def chunks(context_id: int, command: bytes, data: Data, payload: int) -> AsyncIterator[memoryview]:
    """A message as pieces to write one after the other, each of whole PDUs, at most a block or one PDU.

    The first piece is short: the peer reads it while the next is fetched. A piece may be reused once nobody
    holds it.

    Raises:
        Damaged: the file is shorter than its range.
    """
    lead = pack(context_id, command, COMMAND, payload)
    done, length = 0, len(data)
    while True:
        block = _block(len(lead) + _OVERHEAD + min(payload, length - done))
        if lead:
            block = block[: max(_FIRST, len(lead) + _OVERHEAD + min(payload, length - done))]
        block[: len(lead)] = lead
        end, slots, covered = _lay_out(block, len(lead), context_id, payload, done, length)
        if slots:
            await _fill(data, done, slots)
        done += covered
        yield block[:end]
        del block, slots  # free for the next round unless the transport kept it
        lead = b""
        if done >= length:
            return


def _block(least: int) -> memoryview:
    return BLOCKS.take() if least <= BLOCK_SIZE else memoryview(bytearray(least))


def _lay_out(
    block: memoryview, at: int, context_id: int, payload: int, done: int, length: int
) -> tuple[int, list[memoryview], int]:
    """Headers into the block: where it ends, the slots for the payload, how many bytes they hold."""
    slots: list[memoryview] = []
    start = done
    while len(slots) < _MOST_VECTORS:
        size = min(payload, length - done)
        if at + _OVERHEAD + size > len(block):
            break
        done += size
        last = LAST if done == length else 0
        _FRAGMENT.pack_into(block, at, Pdu.P_DATA_TF, size + _ITEM_HEADER, size + 2, context_id, last)
        at += _OVERHEAD + size
        if size:
            slots.append(block[at - size : at])
        if last:
            break
    return at, slots, done - start


async def _fill(data: Data, offset: int, slots: list[memoryview]) -> None:
    if isinstance(data, FileRange):
        await _read(data, offset, slots)
        return
    view = memoryview(data)
    for slot in slots:
        slot[:] = view[offset : offset + len(slot)]
        offset += len(slot)


async def _read(data: FileRange, offset: int, slots: list[memoryview]) -> None:
    """Read what the page cache has at once, the rest in a thread: the loop never waits for a disk."""
    wanted = sum(map(len, slots))
    try:
        got = os.preadv(data.fd, slots, data.offset + offset, os.RWF_NOWAIT)
    except OSError as problem:
        if problem.errno not in _NOT_CACHED:
            raise
        got = 0
    if got < wanted:
        await asyncio.to_thread(_read_rest, data.fd, slots, data.offset + offset, got)


def _read_rest(fd: int, slots: list[memoryview], offset: int, got: int) -> None:
    """Fill the slots from their byte number `got` on."""
    position = offset + got
    for slot in slots:
        if got >= len(slot):
            got -= len(slot)
            continue
        rest = slot[got:]
        got = 0
        while rest:
            size = os.preadv(fd, [rest], position)
            if not size:
                raise Damaged("A stored object is shorter than its index says", detail={"offset": position})
            rest = rest[size:]
            position += size
