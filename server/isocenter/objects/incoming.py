"""An object on its way in: a local file, hashed while it is written, behind room for its head.

The data set is written first; the head when everything it says is known. What the data set means is not
known here.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import HEAD_SIZE

_IOV = 512


class Incoming:
    """An incoming object: a locked file in `.incoming/`, written behind room for its head.

    Args:
        path: the file to make.
        hashing: threads that hash while others write and fsync.
    """

    def __init__(self, path: Path, hashing: Executor) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._hashing = hashing
        self._hashed: Future[None] | None = None
        with storage_errors("receive an object"):
            self._file = _locked(path)

    def write(self, *pieces: bytes | bytearray | memoryview) -> None:
        """Append to the data set. The buffers must stay as they are until the next call returns."""
        self._wait_for_hash()
        self._hashed = self._hashing.submit(self._update, pieces)
        with storage_errors("store an object"):
            for first in range(0, len(pieces), _IOV):
                self._write_all(list(pieces[first : first + _IOV]))

    def digest(self, salt: bytes) -> bytes:
        """SHA-256 over the data set followed by `salt`."""
        self._wait_for_hash()
        running = self._hash.copy()
        running.update(salt)
        return running.digest()

    def file(self) -> BinaryIO:
        """The whole as a seekable file, room for the head included."""
        with storage_errors("read an incoming object"):
            return os.fdopen(os.dup(self._file), "rb")

    @contextmanager
    def data_set(self) -> Iterator[memoryview]:
        """The data set written so far, mapped into memory; not usable afterwards."""
        with storage_errors("read an incoming object"):
            mapped = mmap.mmap(self._file, HEAD_SIZE + self.size, access=mmap.ACCESS_READ)
        with mapped, memoryview(mapped) as whole, whole[HEAD_SIZE:] as data_set:
            yield data_set

    def seal(self, head: bytes) -> None:
        """Write the head and fsync."""
        if len(head) != HEAD_SIZE:
            raise ValueError(f"a head has {HEAD_SIZE} bytes, not {len(head)}")
        with storage_errors("store an object"):
            os.pwrite(self._file, head, 0)
            os.fsync(self._file)

    def discard(self) -> None:
        """Remove it. Does nothing once it was placed or discarded."""
        if self._file >= 0:
            self.close()
            with storage_errors("remove an incoming object"), suppress(FileNotFoundError):
                os.unlink(self.path)

    def close(self) -> None:
        """Give up the file, which by now has another name or none."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _update(self, pieces: tuple[bytes | bytearray | memoryview, ...]) -> None:
        for piece in pieces:
            self._hash.update(piece)

    def _wait_for_hash(self) -> None:
        hashed, self._hashed = self._hashed, None
        if hashed is not None:
            hashed.result()

    def _write_all(self, pieces: list[bytes | bytearray | memoryview]) -> None:
        wanted = sum(len(piece) for piece in pieces)
        at = HEAD_SIZE + self.size
        done = os.pwritev(self._file, pieces, at)
        if done < wanted:  # a full disk writes what fits first, and says ENOSPC only to the next call
            rest = memoryview(b"".join(pieces))
            while done < wanted:
                done += os.pwrite(self._file, rest[done:], at + done)
        self.size += wanted


def _locked(path: Path) -> int:
    """A new file that is ours: whoever looks for leftovers may have it locked for a moment, or have taken it
    for one between its making and its locking."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                return file
        except BaseException:
            os.close(file)
            with suppress(FileNotFoundError):
                os.unlink(path)
            raise
        os.close(file)
