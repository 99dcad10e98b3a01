"""An object on its way in: its data set, hashed, behind room for its head.

What comes at once and is small waits in a page-aligned buffer and is written, head and all, in one go past
the page cache; what comes in parts is written as it comes. The head is known when everything it says is.
What the data set means is not known here.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from isocenter.objects.direct import Buffer, Buffers, write_whole
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import HEAD_SIZE

_IOV = 512

Piece = bytes | bytearray | memoryview


class Incoming:
    """An incoming object; once it has a file, that is a locked one in `.incoming/`.

    Args:
        path: the file to make.
        hashing: threads that hash what is written as it comes.
        buffers: where small objects wait.
    """

    sealed: bool
    """Whether its head is written and all of it durable."""

    def __init__(self, path: Path, hashing: Executor, buffers: Buffers) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._hashing = hashing
        self._hashed: Future[None] | None = None
        self._unhashed: memoryview | None = None
        self._mutex = threading.Lock()
        self._buffers = buffers
        self._buffer: Buffer | None = None
        self._file = -1
        self.sealed = False

    def write(self, *pieces: Piece) -> None:
        """Append to the data set. The pieces must stay as they are until the next call returns."""
        self._wait_for_hash()
        if self._file < 0 and self._buffer is None and self._hold(pieces):
            return
        self._need_file()
        self._hashed = self._hashing.submit(self._update, pieces)
        with storage_errors("store an object"):
            for first in range(0, len(pieces), _IOV):
                self._write_all(list(pieces[first : first + _IOV]))

    @property
    def waits_in_memory(self) -> bool:
        """Whether nothing of it is written yet: it came at once and is small."""
        return self._buffer is not None

    def digest(self, salt: bytes) -> bytes:
        """SHA-256 over the data set followed by `salt`. Two threads may ask; one of them hashes."""
        self._wait_for_hash()
        running = self._hash.copy()
        running.update(salt)
        return running.digest()

    def file(self) -> BinaryIO:
        """The whole as a seekable file, room for the head included."""
        self._need_file()
        with storage_errors("read an incoming object"):
            return os.fdopen(os.dup(self._file), "rb")

    @contextmanager
    def data_set(self) -> Iterator[memoryview]:
        """The data set so far, in memory or mapped into it; not usable afterwards."""
        if self._buffer is not None:
            with self._buffer.memory[HEAD_SIZE : HEAD_SIZE + self.size] as data_set:
                yield data_set
            return
        self._need_file()
        with storage_errors("read an incoming object"):
            mapped = mmap.mmap(self._file, HEAD_SIZE + self.size, access=mmap.ACCESS_READ)
        with mapped, memoryview(mapped) as whole, whole[HEAD_SIZE:] as data_set:
            yield data_set

    def seal(self, head: bytes) -> None:
        """Write the head, with all that waits, and fsync."""
        self.finish(head)
        self.sync()

    def finish(self, head: bytes) -> None:
        """Write the head, with all that waits."""
        if len(head) != HEAD_SIZE:
            raise ValueError(f"a head has {HEAD_SIZE} bytes, not {len(head)}")
        with storage_errors("store an object"):
            if self._buffer is not None:
                self._buffer.memory[:HEAD_SIZE] = head
                self._file = _locked(self.path)
                write_whole(self._file, self._buffer.memory[: HEAD_SIZE + self.size])
                self._let_go()
            else:
                self._need_file()
                os.pwrite(self._file, head, 0)

    def sync(self) -> None:
        """Make what was written durable."""
        with storage_errors("store an object"):
            os.fsync(self._file)
        self.sealed = True

    def discard(self) -> None:
        """Remove it. Does nothing once it was placed or discarded."""
        with self._mutex:
            self._unhashed = None
        self._let_go()
        if self._file >= 0:
            self.close()
            with storage_errors("remove an incoming object"), suppress(FileNotFoundError):
                os.unlink(self.path)

    def close(self) -> None:
        """Give up the file, which by now has another name or none."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _hold(self, pieces: tuple[Piece, ...]) -> bool:
        """Take them into a buffer, if they are small and one is free."""
        size = sum(len(piece) for piece in pieces)
        buffer = self._buffers.take(HEAD_SIZE + size)
        if buffer is None:
            return False
        at = HEAD_SIZE
        for piece in pieces:
            buffer.memory[at : at + len(piece)] = piece
            at += len(piece)
        self._buffer, self.size = buffer, size
        self._unhashed = buffer.memory[HEAD_SIZE:at]
        return True

    def _need_file(self) -> None:
        """Have a file from here on, with what waits in it."""
        if self._file >= 0:
            return
        with storage_errors("receive an object"):
            self._file = _locked(self.path)
        if self._buffer is not None:
            with storage_errors("store an object"):
                held, self.size = self.size, 0
                self._write_all([self._buffer.memory[HEAD_SIZE : HEAD_SIZE + held]])
            self._let_go()

    def _let_go(self) -> None:
        """Give the buffer back, once it is hashed."""
        if self._buffer is not None:
            self._wait_for_hash()
            self._buffers.give_back(self._buffer)
            self._buffer = None

    def _update(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            self._hash.update(piece)

    def _wait_for_hash(self) -> None:
        if self._hashed is not None:  # kept, since two threads may wait for it
            self._hashed.result()
        with self._mutex:
            if self._unhashed is not None:
                self._hash.update(self._unhashed)
                self._unhashed = None

    def _write_all(self, pieces: list[Piece]) -> None:
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
