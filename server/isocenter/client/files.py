"""`RemoteFile`: an object on the server as a seekable binary file, read by HTTP ranges (RFC 9110 14).

`pydicom.dcmread` and `highdicom.imread` take it and fetch what they touch: blocks are kept in a bounded
cache, and reading on and on fetches ever larger pieces ahead. Not here: whole files to disk (`download`).
"""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from isocenter.errors import Conflict, Timeout, Unavailable

if TYPE_CHECKING:
    from isocenter.client.transport import Response, Transport

Answer = TypeVar("Answer")

AS_STORED = "application/dicom; transfer-syntax=*"
BLOCK = 1 << 16
MEMORY = 16 << 20
_AHEAD = 4 << 20
_TRIES = 3
_PAUSE = 0.2


def patiently(ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives; asked again, after a moment, when the connection broke or the server was busy.

    Raises:
        Unavailable: still, after three times; a server that was silent is not asked again.
    """
    for attempt in range(1, _TRIES):
        try:
            return ask()
        except Timeout:
            raise
        except Unavailable:
            time.sleep(_PAUSE * attempt)
    return ask()


def read_whole(transport: Transport, path: str, accept: str = AS_STORED) -> bytes:
    """The whole answer to a GET."""

    def ask() -> bytes:
        with transport.request("GET", path, headers={"Accept": accept}) as response:
            return response.readall()

    return patiently(ask)


class RemoteFile(io.BufferedIOBase):
    """A read-only file on the server; safe to use from several threads, though they share its position.

    It is one state of the object: when that is replaced while it is read, reading raises Conflict.

    Args:
        transport: to the server.
        path: below the server's URL.
        accept: media type that is asked for; by default the file in the transfer syntax it is stored in.
        block: bytes; what is fetched begins and ends at multiples of it.
        memory: bytes of blocks that are kept.

    Attributes:
        size: in bytes.
        etag: of the state that is read.
        transferred: bytes of the file that were fetched so far.
        requests: how many were made.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        *,
        accept: str = AS_STORED,
        block: int = BLOCK,
        memory: int = MEMORY,
    ) -> None:
        self.transport, self.path, self.accept = transport, path, accept
        self.block = min(max(block, 1), _AHEAD)
        self._most = max(memory // self.block, 2)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()
        self._position = self._after = 0
        self._ahead = 1
        self.transferred = self.requests = self.size = 0
        self.etag = ""
        self._fetch(0, 1)  # so that what is not there is said here

    def readable(self) -> bool:
        """Until it is closed."""
        return not self.closed

    def seekable(self) -> bool:
        """Until it is closed."""
        return not self.closed

    def tell(self) -> int:
        """The position, bytes from the start."""
        self._check()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position; nothing is fetched."""
        self._check()
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, fewer only at the end; all that is left without a size."""
        self._check()
        with self._lock:
            start = self._position
            stop = self.size if size is None or size < 0 else min(start + size, self.size)
            if start >= stop:
                return b""
            data = self._bytes(start, stop)
            self._position = stop
            return data

    def read1(self, size: int = -1, /) -> bytes:
        """As `read`."""
        return self.read(size)

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    readinto1 = readinto

    def close(self) -> None:
        """Forget what was read."""
        self._blocks.clear()
        super().close()

    def __repr__(self) -> str:
        return f"<{self.path.rpartition('/')[2]}: {self.transferred:,} of {self.size:,} bytes fetched>"

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _bytes(self, start: int, stop: int) -> bytes:
        first, last = start // self.block, (stop - 1) // self.block
        kept = self._blocks.get(first)
        if first == last and kept is not None:  # the usual case: a few bytes of a header
            self._blocks.move_to_end(first)
            return kept[start % self.block : start % self.block + stop - start]
        pieces = []
        at = first
        while at <= last:
            blocks = self._run(at, last)
            pieces.extend(blocks)
            at += len(blocks)
        data = b"".join(pieces)
        return data[start - first * self.block :][: stop - start]

    def _run(self, at: int, last: int) -> list[bytes]:
        """The block `at`, and those behind it that come with it."""
        kept = self._blocks.get(at)
        if kept is not None:
            self._blocks.move_to_end(at)
            return [kept]
        wanted = at
        while wanted < last and wanted + 1 not in self._blocks:
            wanted += 1
        self._ahead = self._ahead * 2 if at == self._after and at else 1
        ahead = self._ahead = min(self._ahead, self._most // 2, _AHEAD // self.block)
        return self._fetch(at, max(wanted - at + 1, ahead))[: last - at + 1]

    def _fetch(self, first: int, count: int) -> list[bytes]:
        """Blocks from the server, of which as many as fit are kept."""
        start = first * self.block
        size = min(count, _AHEAD // self.block) * self.block
        data = patiently(lambda: self._range(start, start + size))
        blocks = [data[at : at + self.block] for at in range(0, len(data), self.block)]
        for number, one in enumerate(blocks[-self._most :], first + max(len(blocks) - self._most, 0)):
            self._blocks[number] = one
            self._blocks.move_to_end(number)
        while len(self._blocks) > self._most:
            self._blocks.popitem(last=False)
        self._after = first + len(blocks)
        return blocks

    def _range(self, start: int, stop: int) -> bytes:
        headers = {"Accept": self.accept, "Range": f"bytes={start}-{stop - 1}"}
        if self.etag:
            headers["If-Range"] = self.etag
        with self.transport.request("GET", self.path, headers=headers) as response:
            self.requests += 1
            self._see(response)
            data = response.readall()
        self.transferred += len(data)
        return data

    def _see(self, response: Response) -> None:
        """Learn size and state from the first answer; later ones are of the same state."""
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status != 206 or not total.isdecimal():
            if self.etag:
                raise Conflict("The object was replaced while it was read", hint="open it again")
            raise Unavailable("The server sends no ranges of this", hint="download it instead")
        self.size, self.etag = int(total), response.headers.get("ETag", "")
