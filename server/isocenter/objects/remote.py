"""Objects in a bucket or any other file system that pyarrow knows (S3, GCS, Azure, HDFS).

An object streams into a local scratch folder, where its head is put before it, and is uploaded under its
own name when it is placed: object stores show an upload only when it is complete, and have no rename. Their
durability begins with the end of the upload, so there are no folders to make durable. The sweep lock is a
local file: one machine at a time may sweep a store that several use.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from pyarrow import fs

from isocenter.errors import NotFound
from isocenter.objects.faults import storage_errors
from isocenter.objects.incoming import Incoming
from isocenter.objects.local import LocalStore
from isocenter.objects.lock import Share
from isocenter.objects.paths import checked
from isocenter.objects.store import ObjectInfo

_CHUNK = 1024 * 1024


class RemoteStore:
    """The object store in `root` of a pyarrow file system.

    Args:
        filesystem: where objects are kept.
        root: bucket and prefix inside it.
        scratch: local folder for objects on their way in, and for the sweep lock.
    """

    def __init__(self, filesystem: fs.FileSystem, root: str, scratch: Path) -> None:
        self._fs = filesystem
        self._root = root.strip("/")
        self._scratch = LocalStore(scratch)
        with storage_errors("open the object store"):
            filesystem.create_dir(self._root, recursive=True)

    def create(self) -> Incoming:
        """A new incoming object."""
        return self._scratch.create()

    def place(self, incoming: Incoming, relpath: str, *, replace: bool = False) -> bool:
        """Upload a sealed object; False when the name is taken and not to be replaced."""
        if not replace and self.info(relpath) is not None:
            return False
        target = self._full(relpath)
        with storage_errors("upload an object"), incoming.file() as source:
            self._fs.create_dir(target.rpartition("/")[0], recursive=True)
            source.seek(0)
            with self._fs.open_output_stream(target) as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
        incoming.discard()
        return True

    def sync(self, incoming: Incoming, relpath: str) -> None:
        """Nothing to do: an upload is whole and durable, or not there."""

    def sync_directories(self, relpaths: Iterable[str]) -> None:
        """Nothing to do: see above."""

    def open(self, relpath: str) -> BinaryIO:
        """The object as a seekable binary file, read in ranges. Raises NotFound."""
        with storage_errors("open an object"):
            return cast(BinaryIO, self._fs.open_input_file(self._full(relpath)))

    def path(self, relpath: str) -> None:
        """There is no local file."""
        checked(relpath)

    def info(self, relpath: str) -> ObjectInfo | None:
        """Size and time of the object, None when it is not there."""
        with storage_errors("look for an object"):
            found = self._fs.get_file_info(self._full(relpath))
        return self._info(found) if found.type == fs.FileType.File else None

    def delete(self, relpath: str) -> None:
        """Remove the object and folders that this leaves empty, where the store has folders."""
        path = self._full(relpath)
        if self.info(relpath) is None:
            return
        with storage_errors("remove an object"):
            self._fs.delete_file(path)
            parent = path.rpartition("/")[0]
            while parent != self._root and not self._fs.get_file_info(fs.FileSelector(parent)):
                self._fs.delete_dir(parent)
                parent = parent.rpartition("/")[0]

    def list(self, under: str = "") -> Iterator[ObjectInfo]:
        """Every object, in no order, or those in one folder."""
        folder = self._full(under) if under else self._root
        with storage_errors("list the objects"):
            found = self._fs.get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=True))
        for each in found:
            if each.type == fs.FileType.File and "/." not in each.path[len(self._root) :]:
                yield self._info(each)

    def remove_leftovers(self) -> int:
        """Remove incoming objects of processes that are dead; how many there were."""
        return self._scratch.remove_leftovers()

    def hold(self) -> Share:
        """Keep the sweeper out until the share is released."""
        return self._scratch.hold()

    def lock_exclusive(self) -> AbstractContextManager[None]:
        """Sweep lock, exclusive, on this machine."""
        return self._scratch.lock_exclusive()

    def close(self) -> None:
        """Release the lock file."""
        self._scratch.close()

    def _full(self, relpath: str) -> str:
        return f"{self._root}/{checked(relpath)}"

    def _info(self, found: fs.FileInfo) -> ObjectInfo:
        if found.mtime_ns is None:
            raise NotFound("The object store tells no time for an object")
        return ObjectInfo(found.path[len(self._root) + 1 :], found.size, found.mtime_ns / 1e9)
