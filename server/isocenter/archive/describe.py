"""An object described to the index by reading it: what ingest knows while it arrives, afterwards."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isocenter.dicom.header import read_header
from isocenter.errors import Damaged, IsocenterError, NoSpace, Unavailable
from isocenter.index import Put
from isocenter.objects import HEAD_SIZE
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import measure
from isocenter.objects.paths import is_named_by


def describe(file: BinaryIO, relpath: str, assume_charset: str | None = None) -> Put:
    """What the index needs of a stored object; the whole of it is read.

    Raises:
        Damaged: its bytes are not those that its name promises.
        UnreadableObject: its data set cannot be read.
    """
    head, identity, whole = measure(file)
    if not is_named_by(relpath, identity):
        raise Damaged("The object is not what was stored")
    size = file.tell()
    file.seek(0)
    header = read_header(file)
    return Put(
        keys=header.index_keys(assume_charset=assume_charset),
        header=zlib.compress(header.raw, 1),
        transfer_syntax=header.transfer_syntax,
        data_set_offset=HEAD_SIZE,
        object=relpath,
        size=size,
        sha256=identity,
        file_sha256=whole,
        source_aet=head.provenance.source_aet,
        called_aet=head.provenance.called_aet,
        received=head.provenance.received,
        problems=header.problems,
    )


@contextmanager
def reading(relpath: str) -> Iterator[None]:
    """Name the object that the disk does not give: that is no fault of the object's."""
    try:
        with storage_errors("read an object"):
            yield
    except Unavailable as error:
        hint = "when the disk is lost there, move the file away and begin again"
        raise Unavailable(f"{error.message}: {relpath}", hint=hint) from error


def describe_path(root: Path, assume_charset: str | None, relpath: str) -> Put | str:
    """The same for a local file, in a process of a pool: an error of the object's is its text."""
    try:
        with reading(relpath), open(root / relpath, "rb") as file:
            return describe(file, relpath, assume_charset)
    except (Unavailable, NoSpace):
        raise
    except IsocenterError as error:
        return error.message
