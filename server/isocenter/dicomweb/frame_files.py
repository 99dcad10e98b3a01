"""Where the pixels of stored objects are, and their frames as derived files: decoded or encoded one by one.

A frame is read by its recorded byte ranges, found once and kept while the object is in use. A deflated data
set is inflated into a derived file first; a remote object that the pool is to read is fetched into one.
Not here: which form a client takes, and sending.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import BinaryIO

from isocenter.dicom import frames, making, pixels, uids
from isocenter.dicom.frames import FrameTable
from isocenter.dicom.header import Header, read_header
from isocenter.dicom.pixels import Image
from isocenter.dicomweb.derived import DerivedFiles
from isocenter.http.closing import closed_on_error
from isocenter.http.context import Context
from isocenter.index.records import StoredInstance
from isocenter.objects.derived import Derived

_KEPT = 512
_LONG_KEPT = 64
_LONG = 4096


@dataclass(frozen=True)
class Located:
    """The pixels of an object: what they are, and where each frame is."""

    image: Image
    table: FrameTable


class FrameTables:
    """Where the frames of objects are: objects never change, so what was found once holds for ever."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._mutex = threading.Lock()
        self._tables: OrderedDict[str, Located] = OrderedDict()

    def of(self, path: str, file: BinaryIO, transfer_syntax: str | None = None) -> Located:
        """The pixels of the object at `path`, found in `file` the first time.

        Args:
            path: in the object store.
            file: the object, or with `transfer_syntax` its bare data set.

        Raises:
            NoFrames: none can be cut out.
            UnreadableObject: the header does not say how.
        """
        with self._mutex:
            found = self._tables.get(path)
            if found is not None:
                self._tables.move_to_end(path)
                return found
        header = read_header(file, transfer_syntax=transfer_syntax)
        made = Located(pixels.describe(header), frames.locate(file, header))
        with self._mutex:
            self._tables[path] = made
            while len(self._tables) > self._most or self._too_long():
                self._tables.popitem(last=False)
        return made

    def _too_long(self) -> bool:
        """Whether tables of many frames, a megabyte each, take too much."""
        long = sum(len(each.table.encapsulated or ()) > _LONG for each in self._tables.values())
        return long > _LONG_KEPT


async def open_readable(context: Context, instance: StoredInstance) -> tuple[BinaryIO, Header]:
    """A file in which offsets of the metadata hold, and its header; a deflated data set is inflated."""
    if not uids.is_deflated(instance.transfer_syntax):
        file = await context.short(context.archive.objects.open, instance.object)
        with closed_on_error(file):
            return file, await context.short(read_header, file)
    file = await open_inflated(context, instance)
    plain = uids.EXPLICIT_LITTLE_ENDIAN
    with closed_on_error(file):
        return file, await context.short(lambda: read_header(file, transfer_syntax=plain))


async def open_inflated(context: Context, instance: StoredInstance) -> BinaryIO:
    """The inflated data set of a deflated object."""
    path = await local_path(context, instance)
    name = Derived(instance.sha256, "inflated")
    files = context.shared(DerivedFiles)
    return await files.open(context, name, making.make_inflated, path, instance.data_set_offset)


async def local_path(context: Context, instance: StoredInstance) -> str:
    """A path that processes of the pool can open."""
    objects = context.archive.objects
    if (path := objects.path(instance.object)) is not None:
        return str(path)
    return str(await context.short(_fetched, context, instance))


def _fetched(context: Context, instance: StoredInstance) -> str:
    """A remote object as a derived file; fetched here, since the pool has no connection to the store."""
    from isocenter.objects import derived

    name = Derived(instance.sha256, "object")

    def fetch(target: str) -> None:
        with context.archive.objects.open(instance.object) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)

    derived.make(str(context.cache), str(context.scratch), name, fetch, ())
    return str(derived.path_of(context.cache, name))


async def made_frame(
    context: Context, instance: StoredInstance, located: Located, number: int, wanted: str
) -> bytes:
    """One frame decoded, or encoded in the transfer syntax `wanted`, by the pool, once for all who ask.

    Raises:
        CannotTranscode: no decoder or encoder, or damaged.
    """
    files = context.shared(DerivedFiles)
    frame = located.table.frame(number)
    inflated = uids.is_deflated(instance.transfer_syntax)
    if inflated:
        file = await open_inflated(context, instance)
        path = file.name
        file.close()
    else:
        path = await local_path(context, instance)
    name = Derived(instance.sha256, f"{number}.{wanted}")
    return await files.read(context, name, making.make_frame, path, located.image, frame, wanted)
