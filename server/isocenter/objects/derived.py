"""Files made from stored objects: a frame in another transfer syntax, a whole object, an inflated data set.

Objects never change, so what was made of one holds as long as the object does. The folder of an object is
named by its digest; all processes of a server share it. A file gets its name when it is whole. Who makes one
holds a lock of that name, so that two processes asked for the same make it once. What was not used for
longest goes first when the folder is over its size, and after a day anyhow.

Not here: what is made, and the processes that make it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "1"
"""Part of every path: what another version made may differ."""
UNUSED_SECONDS = 86400.0
_SLACK = 0.9


class Derived(NamedTuple):
    """The name of a derived file: the digest of its object, and what was made of it."""

    sha256: str
    what: str


def path_of(folder: Path, name: Derived) -> Path:
    """Where a derived file is, when it is there."""
    return folder / VERSION / name.sha256[:2] / name.sha256 / name.what


def make(
    folder: str, scratch: str, name: Derived, work: Callable[..., None], arguments: tuple[Any, ...]
) -> int:
    """Make a derived file by `work(path, *arguments)` unless it is there; returns its size, bytes.

    Meant for a process pool. What `work` writes has no name in `folder` until it is whole.

    Args:
        folder: of derived files.
        scratch: folder for what is not whole, in the same file system.
        name: of the file.
        work: writes an empty file that is there.
        arguments: for it.
    """
    target = path_of(Path(folder), name)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(Path(folder), name):
        with suppress(FileNotFoundError):
            return target.stat().st_size
        unfinished = Path(scratch) / f"{secrets.token_hex(8)}.derived"
        try:
            unfinished.touch(mode=0o600)
            work(str(unfinished), *arguments)
            size = unfinished.stat().st_size
            _name(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
        return size


def _name(unfinished: Path, target: Path) -> None:
    try:
        os.replace(unfinished, target)
    except FileNotFoundError:  # trimmed meanwhile, since it was empty
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.replace(unfinished, target)


@contextmanager
def _lock(folder: Path, name: Derived) -> Iterator[None]:
    """One byte of a lock file for each name: nothing to be removed afterwards."""
    place = int.from_bytes(blake2b(repr(name).encode(), digest_size=7).digest(), "big")
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, place)
        yield
    finally:
        os.close(descriptor)


def trim(folder: Path, most: int, *, unused: float = UNUSED_SECONDS) -> int:
    """Remove what was not used for `unused` seconds, and what is over `most` bytes; returns bytes that stay.

    Does nothing while another process does it.
    """
    try:
        lock = os.open(folder / "trim.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _trim(folder, most, time.time() - unused)
    except BlockingIOError:
        return most
    finally:
        os.close(lock)


def _trim(folder: Path, most: int, oldest: float) -> int:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False) and entry.name != VERSION:
            shutil.rmtree(entry.path, ignore_errors=True)
    found = sorted(_files(folder / VERSION))
    total = sum(size for _, size, _ in found)
    wanted = int(most * _SLACK) if total > most else total
    for used, size, path in found:
        if total <= wanted and used >= oldest:
            break
        with suppress(OSError):
            os.unlink(path)
            total -= size
            os.rmdir(os.path.dirname(path))
    return total


def _files(folder: Path) -> Iterator[tuple[float, int, str]]:
    """(last use, bytes, path) of every derived file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with suppress(FileNotFoundError):
                found = os.stat(path)
                yield found.st_mtime, found.st_blocks * 512, path
