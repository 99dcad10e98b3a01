"""Files of a study, series or instance as one zip, made while it is sent: stored, not deflated, zip64.

Names are UIDs, or with `names=short` those that media take (PS3.10 8.2); with `dicomdir=true` a DICOMDIR is
the last file. Pixels hardly deflate, and what is stored can be sent as fast as it is read.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import closing

from isocenter.archive.file_names import FileNames
from isocenter.dicom.fileset import FILE_NAME, Directory
from isocenter.dicom.header import read_header
from isocenter.dicomweb.conversion import OpenedFile
from isocenter.http.context import Context

ZIP = "application/zip"


class _Sink:
    """What the zip writer writes to: it cannot be sought in, and gives away what it holds."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is behind it."""

    def take(self) -> bytes:
        made = b"".join(self._held)
        self._held.clear()
        return made


async def zip_pieces(
    context: Context, files: AsyncIterator[OpenedFile], *, short: bool, dicomdir: bool
) -> AsyncGenerator[bytes]:
    """The zip in pieces of about a megabyte.

    Args:
        context: of the server.
        files: what goes in; each is closed when it is in.
        short: names for media.
        dicomdir: add a DICOMDIR.
    """
    sink, names, directory = _Sink(), FileNames(short=short or dicomdir), Directory() if dicomdir else None
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True)  # type: ignore[call-overload]
    async for file in files:
        with closing(file):
            path = names.of(file.instance)
            if directory is not None:
                await context.short(_enter, directory, context, file, path)
            pieces = _entry(archive, sink, "/".join(path), file)
            while piece := await context.short(next, pieces, b""):
                yield piece
    if directory is not None:
        archive.writestr(_info(FILE_NAME, time.time()), await context.short(directory.to_bytes))
    archive.close()
    yield sink.take()


def _entry(archive: zipfile.ZipFile, sink: _Sink, name: str, file: OpenedFile) -> Iterator[bytes]:
    info = _info(name, file.instance.received / 1e6)
    info.file_size = file.size
    with archive.open(info, "w", force_zip64=file.size > 0x7FFFFFFF) as entry:
        for piece in file.read(0, file.size):
            entry.write(piece)
            yield sink.take()
    if rest := sink.take():
        yield rest


def _info(name: str, seconds: float) -> zipfile.ZipInfo:
    when = time.gmtime(max(seconds, 315532800.0))  # zip knows no time before 1980
    return zipfile.ZipInfo(name, date_time=when[:6])


def _enter(directory: Directory, context: Context, file: OpenedFile, path: list[str]) -> None:
    instance = file.instance
    with context.archive.objects.open(instance.object) as stored:
        header = read_header(stored)
    directory.add(
        header,
        path,
        sop_class=instance.SOPClassUID,
        sop_instance=instance.SOPInstanceUID,
        transfer_syntax=file.transfer_syntax,
    )
