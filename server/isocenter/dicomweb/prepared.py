"""Answers that are prepared once, kept gzip-compressed in the data folder, and shared by all workers.

A file is named by the digest of all that its content depends on, so that nothing is ever invalid: what
changed has another name. The folder stays below a size: what was not asked for the longest goes first, and
what nobody asked for in a day goes anyway. Every method may block. Not here: what is prepared (`metadata`).
"""

from __future__ import annotations

import os
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO

_LEVEL = 1  # headers of one series are alike: more effort gains a tenth and takes three times as long
_PIECE = 256 * 1024
_UNUSED = 24 * 3600.0
_TOUCH = 600.0
_SCAN_SHARE = 16
_MTIME = struct.Struct("<4xI")


@dataclass(frozen=True)
class Prepared:
    """An open answer: the gzip file, its size, and when what it says was last changed (0: not known)."""

    file: BinaryIO
    size: int
    modified: int

    def compressed(self) -> Iterator[bytes]:
        """As it is kept."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece

    def plain(self) -> Iterator[bytes]:
        """Inflated, in pieces of bounded size."""
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        for piece in self.compressed():
            while piece:
                if made := inflate.decompress(piece, _PIECE):
                    yield made
                piece = inflate.unconsumed_tail


Make = Callable[[], tuple[Iterable[bytes], int]]
"""Makes an answer: its pieces, and when what it says was last changed (seconds since 1970, 0: not known)."""


class PreparedAnswers:
    """The folder of prepared answers.

    Args:
        folder: where; made when it is needed.
        most: bytes that it may hold; 0 keeps nothing.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most
        self._mutex = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._unscanned = most  # the first that is kept looks at the folder

    def find(self, digest: str) -> Prepared | None:
        """What is kept under this digest."""
        path = self._path(digest)
        try:
            file = open(path, "rb")  # noqa: SIM115 (it is handed on)
        except OSError:
            return None
        head = file.read(_MTIME.size)
        if len(head) < _MTIME.size:
            file.close()
            return None
        status = os.fstat(file.fileno())
        if time.time() - status.st_mtime > _TOUCH:
            with suppress(OSError):
                os.utime(path)
        return Prepared(file, status.st_size, _MTIME.unpack(head)[0])

    def get(self, digest: str, make: Make, still: Callable[[], bool]) -> Prepared:
        """What is kept under this digest, or made now; several who ask at once wait for one.

        Args:
            digest: names it.
            make: makes it.
            still: whether what was made is what the digest names; asked afterwards. If not, it is not kept.

        Raises:
            OSError: it cannot be written; what `make` raises.
        """
        with self._turn(digest):
            return self.find(digest) or self._make(digest, make, still)

    def _make(self, digest: str, make: Make, still: Callable[[], bool]) -> Prepared:
        folder = self._path(digest).parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Closed by whoever sends it; its name goes where nobody else is to have it.
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".")
        file = os.fdopen(handle, "w+b")
        try:
            pieces, modified = make()
            with GzipFile("", "wb", _LEVEL, file, mtime=modified) as packed:
                for piece in pieces:
                    packed.write(piece)
            file.flush()
            size = file.tell()
            if self.most and still():
                os.replace(name, self._path(digest))
                self._kept(size)
            else:
                os.unlink(name)
        except BaseException:
            file.close()
            with suppress(OSError):
                os.unlink(name)
            raise
        return Prepared(file, size, modified)

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.gz"

    def _turn(self, digest: str) -> threading.Lock:
        with self._mutex:
            if len(self._making) > 1000:
                self._making = {name: lock for name, lock in self._making.items() if lock.locked()}
            return self._making.setdefault(digest, threading.Lock())

    def _kept(self, size: int) -> None:
        with self._mutex:
            self._unscanned += size
            if self._unscanned * _SCAN_SHARE < self.most:
                return
            self._unscanned = 0
        self.trim()

    def trim(self) -> None:
        """Delete what was not asked for in a day, then the oldest until a tenth of the room is free."""
        now, found = time.time(), []
        for path in self.folder.glob("*/*.gz"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        found.sort(reverse=True, key=lambda one: one[0])
        room = self.most - self.most // 10
        for used, size, path in found:
            room -= size
            if room < 0 or now - used > _UNUSED:
                with suppress(OSError):
                    path.unlink()
        self._drop_leftovers(now)

    def _drop_leftovers(self, now: float) -> None:
        """What processes that were killed left half made."""
        for path in self.folder.glob(".*"):
            with suppress(OSError):
                if now - path.stat().st_mtime > _UNUSED:
                    path.unlink()
