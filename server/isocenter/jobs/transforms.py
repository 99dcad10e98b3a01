"""Objects changed on their way out: the `Transform`s that a job may name, and a zip of their results.

A transform is registered by `app.register` under the name of the parameter that asks for it. What it keeps
back is counted and not written, not for a moment. Not here: any transform.
"""

from __future__ import annotations

import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from isocenter.dicom.fileset import Directory
from isocenter.dicom.header import read_header
from isocenter.dicom.transform import Kept, Quarantined, Transform

if TYPE_CHECKING:
    from isocenter.jobs.run import Run

Maker = Callable[[dict[str, Any], Path], Transform]
"""Makes a transform from its parameter and the data folder of the server."""

MAKERS: dict[str, Maker] = {}
_PIECE = 1024 * 1024


def register(parameter: str, maker: Maker) -> None:
    """Make a transform known in this process; again is as once."""
    MAKERS[parameter] = maker


def transform_of(run: Run) -> Transform | None:
    """The transform that a job asks for, ready; None where it asks for none."""
    for parameter, maker in MAKERS.items():
        if parameter in run.parameters:
            made = maker(run.parameters[parameter], run.settings.data)
            made.ready()
            return made
    return None


class Transformed:
    """The results of a transform, while they are put into a zip.

    Args:
        transform: what is done to each object.
        folder: for one result at a time, without a name.
    """

    def __init__(self, transform: Transform, folder: Path) -> None:
        self._transform = transform
        self._names = transform.names()
        self._folder = folder
        self._kept, self._size = 0, 0
        self._reasons: Counter[str] = Counter()
        self._reports: list[str] = []

    def add(self, archive: zipfile.ZipFile, source: BinaryIO, directory: Directory | None) -> None:
        """Put the result for one object into the zip and its directory, or count why not."""
        with TemporaryFile(dir=self._folder) as file:
            sink = cast(BinaryIO, file)
            done = self._transform.apply(source, sink)
            if isinstance(done, Quarantined):
                self._reasons[done.reason] += 1
                return
            path = self._names(done)
            if directory is not None:
                _list(directory, sink, path, done)
            self._write(archive, sink, path)

    def _write(self, archive: zipfile.ZipFile, sink: BinaryIO, path: tuple[str, ...]) -> None:
        info = _info("/".join(path))
        info.file_size = sink.seek(0, 2)
        sink.seek(0)
        with archive.open(info, "w", force_zip64=info.file_size > 0x7FFFFFFF) as entry:
            copyfileobj(sink, entry, _PIECE)
        self._kept += 1
        self._size += info.file_size

    def finish(self, archive: zipfile.ZipFile) -> None:
        """Put the report into the zip."""
        for name, text in self._transform.report().items():
            archive.writestr(_info(name), text)
            self._reports.append(name)

    def result(self) -> dict[str, Any]:
        """What is told of the job."""
        return {
            "instances": self._kept,
            "size": self._size,
            "quarantined": self._reasons.total(),
            "reasons": dict(self._reasons.most_common()),
            "reports": self._reports,
        }


def _list(directory: Directory, sink: BinaryIO, path: tuple[str, ...], kept: Kept) -> None:
    sink.seek(0)
    header = read_header(sink)
    directory.add(
        header,
        path,
        sop_class=header.meta["MediaStorageSOPClassUID"],
        sop_instance=kept.SOPInstanceUID,
        transfer_syntax=header.transfer_syntax,
    )


def _info(name: str) -> zipfile.ZipInfo:
    """An entry as of now: when the original came is nobody's business."""
    return zipfile.ZipInfo(name, date_time=time.gmtime()[:6])
