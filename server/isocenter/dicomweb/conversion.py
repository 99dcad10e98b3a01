"""Stored objects as DICOM files in another transfer syntax, made in the process pool in a scratch file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from isocenter.dicom import transcode
from isocenter.http.context import Context
from isocenter.index.records import StoredInstance
from isocenter.objects.part10 import build_head, read_head


@asynccontextmanager
async def converted(
    context: Context, instance: StoredInstance, transfer_syntax: str
) -> AsyncIterator[tuple[BinaryIO, bytes, int]]:
    """The data set of `instance` in `transfer_syntax`: an open file, the file meta before it, its size.

    Raises:
        CannotTranscode: no decoder, damaged pixels, or too long for that syntax.
    """
    context.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=context.scratch, suffix=".converted") as target:
        with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
            source = await context.short(_local, context, instance, Path(folder))
            await context.compute(
                transcode.to_file,
                str(source),
                instance.data_set_offset,
                instance.transfer_syntax,
                transfer_syntax,
                target.name,
            )
        head = await context.short(_head, context, instance, transfer_syntax)
        with open(target.name, "rb") as file:
            yield file, head, os.fstat(file.fileno()).st_size


def _local(context: Context, instance: StoredInstance, folder: Path) -> Path:
    """A path that the pool's processes can open; a remote object is fetched first."""
    objects = context.archive.objects
    path = objects.path(instance.object)
    if path is not None:
        return path
    fetched = folder / "object"
    with objects.open(instance.object) as source, open(fetched, "wb") as copy:
        shutil.copyfileobj(source, copy, 1024 * 1024)
    return fetched


def _head(context: Context, instance: StoredInstance, transfer_syntax: str) -> bytes:
    """The stored file's head, with the other transfer syntax."""
    with context.archive.objects.open(instance.object) as file:
        head = read_head(file)
    return build_head(head.sop_class, head.sop_instance, transfer_syntax, head.provenance)
