"""Exporting: what a frame, a cohort or a resource holds as files in a folder, de-identified or as it is.

The server makes a zip by a job, which is downloaded and taken apart. Not here: originals without a job
(`download`).
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.client.deid import Plan
from isocenter.client.display.html import bytes_text, facts_html
from isocenter.client.job import Job
from isocenter.client.suggesting import did_you_mean
from isocenter.client.zipping import zip_of
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

FORMATS = ("dicom",)
_PLANNED = ("nifti", "bids", "parquet")
_BLOCK = 1 << 20
Progress = bool | Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """Files in a folder.

    Attributes:
        folder: where they are.
        paths: of all of them, those included that were there already.
        size: in bytes.
        present: how many were there already.
    """

    folder: Path
    paths: tuple[Path, ...]
    size: int
    present: int = 0

    @property
    def objects(self) -> list[Path]:
        """The DICOM objects among them, without the DICOMDIR that names them."""
        return [path for path in self.paths if path.name != "DICOMDIR"]

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        there = f", {self.present:,} of them present" if self.present else ""
        files = f"{len(self.paths):,} file{'' if len(self.paths) == 1 else 's'}"
        return f"<{files} in {self.folder}{there}; {bytes_text(self.size)}>"

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {"folder": self.folder, "files": f"{len(self.paths):,}"}
        if self.present:
            facts["of them present"] = f"{self.present:,}"
        return facts_html("Exported", facts | {"size": bytes_text(self.size)})


def export(
    transport: Transport,
    dataset: str,
    source: object,
    folder: str | os.PathLike[str],
    format: str,
    deidentify: object,
    *,
    overwrite: bool,
    progress: Progress,
) -> Exported:
    """See `Contents.export`."""
    check_format(format)
    if isinstance(deidentify, Plan):
        run = deidentify.run_for(source)
        return run.download(folder, overwrite=overwrite, progress=progress)
    if deidentify is not None:
        hint = "deidentify=cohort.deidentify(…); None exports the originals"
        raise BadRequest(f"{type(deidentify).__name__} is no plan to de-identify", hint=hint)
    return _taken_apart(
        folder, lambda path: zip_of(transport, dataset, source, path, False, progress), overwrite
    )


def check_format(format: str) -> None:
    """Raise BadRequest unless there is such an export."""
    if format in FORMATS:
        return
    if format in _PLANNED:
        raise BadRequest(f"Export as {format!r} is not there yet", hint='format="dicom" is')
    hint = did_you_mean(str(format), (*FORMATS, *_PLANNED)) or 'format="dicom"'
    raise BadRequest(f"There is no format {format!r}", hint=hint)


def unpacked(job: Job, folder: str | os.PathLike[str], *, overwrite: bool, progress: Progress) -> Exported:
    """The zip that a job made, as files in a folder."""
    return _taken_apart(folder, lambda path: job.download(path, progress=progress), overwrite)


def _taken_apart(folder: str | os.PathLike[str], fetch: Callable[[Path], Any], overwrite: bool) -> Exported:
    root = Path(os.fspath(folder)).expanduser()
    if root.exists() and not root.is_dir():
        raise BadRequest(f"{root} is a file", hint="name a folder, which is made when it is not there")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".export-") as beside:
        path = Path(beside) / "all.zip"
        fetch(path)
        with zipfile.ZipFile(path) as file:
            return _extract(file, root, overwrite)


def _extract(file: zipfile.ZipFile, root: Path, overwrite: bool) -> Exported:
    entries = [(entry, _target(root, entry.filename)) for entry in file.infolist() if not entry.is_dir()]
    there = {target for entry, target in entries if target.exists() and _is_same(target, entry)}
    other = [target for _, target in entries if target.exists() and target not in there]
    if other and not overwrite:
        hint = "overwrite=True replaces them; or name another folder"
        raise BadRequest(f"{len(other)} other files of these names are in {root}", hint=hint)
    for entry, target in entries:
        if target not in there:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            with file.open(entry) as source, part.open("wb") as sink:
                while block := source.read(_BLOCK):
                    sink.write(block)
            part.replace(target)
    size = sum(entry.file_size for entry, _ in entries)
    return Exported(root, tuple(target for _, target in entries), size, len(there))


def _target(root: Path, name: str) -> Path:
    target = root / name
    if not target.resolve().is_relative_to(root.resolve()):
        raise BadRequest("The zip names a file outside of the folder")
    return target


def _is_same(path: Path, entry: zipfile.ZipInfo) -> bool:
    if path.stat().st_size != entry.file_size:
        return False
    sum_ = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sum_ = zlib.crc32(block, sum_)
    return sum_ == entry.CRC
