"""The job `archive`: stored objects as one zip to be downloaded, as they are stored.

Stored, not deflated: pixels hardly deflate. Not here: what to put in (`selection`), zips that are made while
they are sent (DICOMweb), objects that are changed on their way in (`transforms`).
"""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import Any

from isocenter.archive import Dataset
from isocenter.archive.file_names import FileNames
from isocenter.dicom.fileset import FILE_NAME, Directory
from isocenter.dicom.header import read_header
from isocenter.errors import NotFound
from isocenter.index.records import StoredInstance
from isocenter.jobs.job import Outcome
from isocenter.jobs.kinds import Kind
from isocenter.jobs.run import Run
from isocenter.jobs.selection import SELECTION, selected
from isocenter.jobs.transforms import Transformed, transform_of

_PIECE = 1024 * 1024
_TOLD = 100
_FILE = "archive"


def _archive(run: Run) -> Outcome:
    """Look what there is, then write it: the total is known before the first byte."""
    dataset = run.archive.datasets.get(run.job.dataset)
    if dataset is None:
        raise NotFound(f"There is no dataset {run.job.dataset!r} any more")
    run.tell("looking up", 0, 0)
    missing: list[str] = []
    found = list(selected(dataset, run, missing))
    if not found:
        raise NotFound("There is nothing to put into the zip", hint="was it deleted meanwhile?")
    total = sum(one.size for one in found)
    target = run.folder / _FILE
    part = target.with_suffix(".part")
    result = _Zip(run, dataset, part, total).write(found)
    part.replace(target)
    result["missing"] = len(missing)
    if missing:
        result["first_missing"] = missing[:_TOLD]
    return Outcome(result, _FILE, "application/zip")


class _Zip:
    """The zip while it is written.

    Args:
        run: is told.
        dataset: of the instances.
        path: of the file.
        total: bytes that go in.
    """

    def __init__(self, run: Run, dataset: Dataset, path: Path, total: int) -> None:
        self._run, self._dataset, self._path, self._total = run, dataset, path, total
        media = bool(run.parameters.get("media"))
        self._names = FileNames(short=media)
        self._directory = Directory() if media else None
        transform = transform_of(run)
        self._transformed = Transformed(transform, run.folder) if transform else None
        self._done = 0

    def write(self, instances: list[StoredInstance]) -> dict[str, Any]:
        """Write them all, durably; how many, and what was kept back."""
        with self._path.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for number, instance in enumerate(instances, 1):
                    self._add(archive, instance)
                    self._run.tell(f"{number} of {len(instances)} files", self._done, self._total)
                if self._directory is not None:
                    archive.writestr(_info(FILE_NAME, time.time()), self._directory.to_bytes())
                if self._transformed is not None:
                    self._transformed.finish(archive)
            file.flush()
            os.fsync(file.fileno())
        if self._transformed is not None:
            return self._transformed.result()
        return {"instances": len(instances), "size": self._total}

    def _add(self, archive: zipfile.ZipFile, instance: StoredInstance) -> None:
        if self._transformed is not None:
            with self._dataset.open(instance) as source:
                self._transformed.add(archive, source, self._directory)
            self._done += instance.size
            return
        path = self._names.of(instance)
        info = _info("/".join(path), instance.received / 1e6)
        info.file_size = instance.size
        with self._dataset.open(instance) as source:
            if self._directory is not None:
                self._directory.add(
                    read_header(source),
                    path,
                    sop_class=instance.SOPClassUID,
                    sop_instance=instance.SOPInstanceUID,
                    transfer_syntax=instance.transfer_syntax,
                )
                source.seek(0)
            with archive.open(info, "w", force_zip64=instance.size > 0x7FFFFFFF) as entry:
                while piece := source.read(_PIECE):
                    entry.write(piece)
                    self._done += len(piece)
                    self._run.check()


def _info(name: str, seconds: float) -> zipfile.ZipInfo:
    when = time.gmtime(max(seconds, 315532800.0))  # zip knows no time before 1980
    return zipfile.ZipInfo(name, date_time=when[:6])


ARCHIVE = Kind(
    "archive",
    "Objects of studies, series, instances or a cohort as one zip",
    _archive,
    {**SELECTION, "media": bool, "filename": str, "deidentify": dict},
)
