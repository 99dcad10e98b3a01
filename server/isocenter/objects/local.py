"""Objects as files of a local file system.

An object streams into `.incoming/`, is fsynced, and gets its name by a hard link (a rename where links are
not to be had), which is atomic and never overwrites. Names become durable by `sync_directories`, once a group
commit. A name may be given first, so that file and folder are synced at the same time: the disk then takes
both for one. Whoever finds an object by its name makes sure that it is durable before telling of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from isocenter.objects.direct import Buffers
from isocenter.objects.durable import fsync_folder, make_folder
from isocenter.objects.faults import storage_errors
from isocenter.objects.incoming import Incoming
from isocenter.objects.lock import Share, SweepLock
from isocenter.objects.paths import checked
from isocenter.objects.store import ObjectInfo

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}
_STALE_SECONDS = 3600.0


class LocalStore:
    """The object store in one folder.

    Args:
        root: the folder; made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._under = f"{root}/"
        self._incoming = root / ".incoming"
        with storage_errors("open the object folder"):
            make_folder(self._incoming)
        self._hashing = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="isocenter-hash")
        self._buffers = Buffers()
        self._lock = SweepLock(root)
        self._prefix = f"{os.getpid()}-{secrets.token_hex(3)}"
        self._mutex = threading.Lock()
        self._count = 0
        self._durable: set[str] = set()
        self._generation = self._lock.generation

    def create(self) -> Incoming:
        """A new incoming object."""
        with self._mutex:
            self._count += 1
            name = f"{self._prefix}-{self._count}"
        return Incoming(self._incoming / name, self._hashing, self._buffers)

    def place(self, incoming: Incoming, relpath: str, *, replace: bool = False) -> bool:
        """Give an object its name; False when the name is taken and not to be replaced."""
        target = self._file(relpath)
        with storage_errors("name an object"):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if replace:
                os.replace(incoming.path, target)
            elif not _link(incoming.path, target):
                return False
        if incoming.sealed:
            incoming.close()
        return True

    def sync(self, incoming: Incoming, relpath: str) -> None:
        """Make an object durable that has its name already; without the name when that fails."""
        try:
            incoming.sync()
        except BaseException:
            with storage_errors("remove an incoming object"), suppress(FileNotFoundError):
                os.unlink(self._file(relpath))
            raise
        incoming.close()

    def sync_directories(self, relpaths: Iterable[str]) -> None:
        """Fsync the folder of each object once, and the folders above those not yet known to be durable."""
        if self._generation != (generation := self._lock.generation):
            self._durable.clear()
            self._generation = generation
        folders = {relpath.rpartition("/")[0] for relpath in relpaths}
        above: set[str] = set()
        for folder in folders - self._durable:
            parts = folder.split("/")
            above.update("/".join(parts[:depth]) for depth in range(len(parts)))
        with storage_errors("make a folder durable"):
            for folder in sorted(folders | above, reverse=True):
                fsync_folder(self.root / folder)
        self._durable.update(folders)

    def open(self, relpath: str) -> BinaryIO:
        """The object as a seekable binary file. Raises NotFound."""
        with storage_errors("open an object"):
            return open(self._file(relpath), "rb")

    def path(self, relpath: str) -> Path:
        """The object as a local file."""
        return self.root / checked(relpath)

    def _file(self, relpath: str) -> str:
        """As text: making a Path takes longer than what is done with it."""
        return self._under + checked(relpath)

    def info(self, relpath: str) -> ObjectInfo | None:
        """Size and time of the object, None when it is not there."""
        try:
            found = os.stat(self._file(relpath))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ObjectInfo(relpath, found.st_size, found.st_mtime)

    def delete(self, relpath: str) -> None:
        """Remove the object, and folders that this leaves empty. Call it under the exclusive lock."""
        target = self.root / checked(relpath)
        with storage_errors("remove an object"):
            target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == self.root or not _remove_if_empty(parent):
                break
            self._lock.folders_removed()

    def list(self, under: str = "") -> Iterator[ObjectInfo]:
        """Every object, in no order, or those in one folder."""
        start = self.root / checked(under) if under else self.root
        pending = [str(start)]
        skip = len(str(self.root)) + 1
        while pending:
            with storage_errors("list the objects"):
                entries = _scan(pending.pop())
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    continue
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    yield ObjectInfo(entry.path[skip:], found.st_size, found.st_mtime)

    def remove_leftovers(self) -> int:
        """Remove incoming objects of processes that are dead; how many there were."""
        removed = 0
        for entry in os.scandir(self._incoming):
            if not entry.name.startswith(self._prefix) and _is_left_over(entry):
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)
                    removed += 1
        return removed

    def hold(self) -> Share:
        """Keep the sweeper out until the share is released."""
        return self._lock.share()

    def lock_exclusive(self) -> AbstractContextManager[None]:
        """Sweep lock, exclusive."""
        return self._exclusive()

    def close(self) -> None:
        """Release the lock file and end the threads."""
        self._hashing.shutdown()
        self._lock.close()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._lock.exclusive():
            yield


def _link(source: Path, target: str) -> bool:
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.exists(target):
            return False
        os.rename(source, target)
        return True
    os.unlink(source)
    return True


def _remove_if_empty(folder: Path) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:  # swept while we walked
        return []


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    """Whether nobody writes this file: its process is dead or the file old, and its lock is free.

    The lock of a file that a living process has just made is not touched: it is about to take it.
    """
    try:
        old = time.time() - entry.stat().st_mtime > _STALE_SECONDS
        if not old and _is_alive(entry.name.partition("-")[0]):
            return False
        file = os.open(entry.path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(file)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
