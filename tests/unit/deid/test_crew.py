"""A file that kills or stalls its process is quarantined, and the run goes on to its end."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.deid import Deidentifier, Key
from isocenter.deid.risk import Verdict

KEY = Key(bytes(range(32)))
HOSTILE = "hostile"


class Hostile:
    """A judge that does what a hostile file might: asked by each process that reads it."""

    def __init__(self, deed: str, marks: Path) -> None:
        self.deed, self.marks = deed, marks

    def judge(self, dataset: Dataset) -> Verdict:
        if str(dataset.get("StudyID", "")) != HOSTILE:
            return Verdict(True)
        first = not self.marks.exists()
        self.marks.touch()
        if self.deed == "stall":
            while True:
                time.sleep(1)
        if self.deed == "allocate":
            return Verdict(len(bytes(1 << 50)) > 0)
        if self.deed == "die" or (self.deed == "die once" and first):
            os._exit(9)
        return Verdict(True)


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    import pydicom

    folder = tmp_path / "in"
    folder.mkdir()
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for number in range(20):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        dataset.StudyID = HOSTILE if number == 3 else str(number)
        dataset.save_as(folder / f"{number:02}.dcm")
    shutil.copy(str(get_testdata_file("DICOMDIR")), folder)
    return folder


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("stall", "it took longer than 2 seconds"),
        ("die", "the process that read it died of it"),
        ("allocate", "it cannot be processed: MemoryError"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_hostile_file_is_quarantined_and_the_run_goes_on(
    incoming: Path, tmp_path: Path, deed: str, reason: str, workers: int
) -> None:
    judge = Hostile(deed, tmp_path / "marks")
    done = Deidentifier(KEY, judge=judge).folder(
        incoming,
        tmp_path / "out",
        workers=workers,
        file_seconds=2 if deed == "stall" else 60,
        dicomdir=False,
    )
    assert (done.files, done.out, done.quarantined, done.skipped) == (21, 19, 1, 1)
    assert dict(done.reasons["quarantined"]) == {reason: 1}
    assert not list((tmp_path / "out").rglob(".part-*"))


def test_a_file_whose_process_died_of_something_else_is_done_by_another(
    incoming: Path, tmp_path: Path
) -> None:
    judge = Hostile("die once", tmp_path / "marks")
    done = Deidentifier(KEY, judge=judge).folder(incoming, tmp_path / "out", workers=2, dicomdir=False)
    assert (done.out, done.quarantined) == (20, 0)


def test_processes_end_when_nobody_waits_for_them_any_more(incoming: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough(_number: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        Deidentifier(KEY).folder(incoming, tmp_path / "out", workers=2, progress=enough)
