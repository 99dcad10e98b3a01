"""Stored objects as files to be sent: as stored, or in another transfer syntax, made once by the pool.

Also what is sent in place of a file that cannot be made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from isocenter.dicom import making, uids
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.derived import DerivedFiles
from isocenter.dicomweb.frame_files import local_path
from isocenter.dicomweb.media import file_syntax
from isocenter.http.closing import closed_on_error
from isocenter.http.context import Context
from isocenter.http.stream import read_segments
from isocenter.index.records import StoredInstance
from isocenter.objects.derived import Derived
from isocenter.objects.part10 import build_head, read_head


@dataclass(frozen=True)
class OpenedFile:
    """A DICOM file that is ready to be sent: `head` goes before what is in `file`. Close it."""

    instance: StoredInstance
    transfer_syntax: str
    file: BinaryIO
    head: bytes
    length: int

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return len(self.head) + self.length

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start` on, in pieces."""
        head = self.head[start : start + length]
        if head:
            yield head
        skipped = max(start - len(self.head), 0)
        yield from read_segments(self.file, [(skipped, length - len(head))])

    def close(self) -> None:
        """Close its file."""
        self.file.close()


async def open_file(context: Context, instance: StoredInstance, transfer_syntax: str) -> OpenedFile:
    """The file of an instance in a transfer syntax.

    Raises:
        CannotTranscode: no decoder or encoder, damaged pixels, or too long for that syntax.
    """
    if transfer_syntax == instance.transfer_syntax:
        file = await context.short(context.archive.objects.open, instance.object)
        return OpenedFile(instance, transfer_syntax, file, b"", instance.size)
    path = await local_path(context, instance)
    name = Derived(instance.sha256, f"object.{transfer_syntax}")
    arguments = (path, instance.data_set_offset, instance.transfer_syntax, transfer_syntax)
    file = await context.shared(DerivedFiles).open(context, name, making.make_object, *arguments)
    with closed_on_error(file):
        head = await context.short(_head, context, instance, transfer_syntax)
    return OpenedFile(instance, transfer_syntax, file, head, os.fstat(file.fileno()).st_size)


async def open_nearest(context: Context, instance: StoredInstance, transfer_syntax: str) -> OpenedFile:
    """The same; what cannot be compressed comes in Explicit VR Little Endian, what cannot be decoded stored.

    Raises:
        CannotTranscode: it is stored in a syntax that never leaves the server.
    """
    try:
        return await open_file(context, instance, transfer_syntax)
    except CannotTranscode:
        if transfer_syntax != uids.EXPLICIT_LITTLE_ENDIAN:
            return await open_nearest(context, instance, uids.EXPLICIT_LITTLE_ENDIAN)
        stored = instance.transfer_syntax
        if file_syntax(stored, stored) != stored:
            raise
        return await open_file(context, instance, stored)


def _head(context: Context, instance: StoredInstance, transfer_syntax: str) -> bytes:
    """The stored file's head, with the other transfer syntax."""
    with context.archive.objects.open(instance.object) as file:
        head = read_head(file)
    return build_head(head.sop_class, head.sop_instance, transfer_syntax, head.provenance)
