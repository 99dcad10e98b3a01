"""Real and generated files to demonstrate and test with: those of pydicom and pydicom-data, and phantoms.

It looks only at what is installed and downloads nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_files
from pydicom.errors import InvalidDicomError

from isocenter.datasets.phantoms import Subject, demonstration


@dataclass(frozen=True)
class Gathered:
    """A file that can be sent, and what its meta information says (empty strings where it has none)."""

    path: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


def installed_files() -> Iterator[Gathered]:
    """Every object of pydicom and pydicom-data that pydicom can read and that says what it is."""
    seen = set()
    for name in sorted(get_testdata_files()):
        path = Path(name)
        if path.is_file() and path.name not in seen and (found := describe(path)):
            seen.add(path.name)
            yield found


def phantom_files(folder: Path, *, slices: int = 40, size: int = 512) -> Iterator[Gathered]:
    """The demonstration phantoms, written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, made in enumerate(demonstration(Subject(), slices=slices, size=size)):
        path = folder / f"{number:04}-{made.Modality}.dcm"
        made.save_as(path, enforce_file_format=True)
        yield Gathered(path, made.SOPClassUID, made.SOPInstanceUID, made.file_meta.TransferSyntaxUID)


def describe(path: Path) -> Gathered | None:
    """What the file is; None if pydicom cannot read it or it holds no SOP instance (a DICOMDIR, say)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken test files are there to make readers warn
            read = pydicom.dcmread(path, force=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
            meta = read.file_meta
            sop_class, sop_instance = read.get("SOPClassUID", ""), read.get("SOPInstanceUID", "")
    except (InvalidDicomError, OSError, ValueError, KeyError, NotImplementedError, AttributeError, EOFError):
        return None
    if not sop_class or not sop_instance:
        return None
    return Gathered(path, str(sop_class), str(sop_instance), str(meta.get("TransferSyntaxUID", "")))
