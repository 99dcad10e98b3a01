"""A folder in, a folder out: in = out + quarantined + skipped, whatever lies in it, however often it runs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.deid import Deidentifier, Key
from isocenter.errors import BadRequest, NotFound

KEY = Key(bytes(range(32)))


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """A patient's folder as people have it, names and all."""
    folder = tmp_path / "Doe^Jane 1970"
    (folder / "CT").mkdir(parents=True)
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtstruct.dcm", "examples_rgb_color.dcm"):
        shutil.copy(str(get_testdata_file(name)), folder / "CT" / f"Jane-{name}")
    shutil.copy(folder / "CT" / "Jane-CT_small.dcm", folder / "once more.dcm")
    (folder / "notes.txt").write_text("Jane Doe")
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00")
    shutil.copy(str(get_testdata_file("DICOMDIR")), folder / "DICOMDIR")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "DICOMDIR")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_file_is_out_quarantined_or_skipped(incoming: Path, tmp_path: Path, workers: int) -> None:
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out", workers=workers)
    assert (done.files, done.out, done.quarantined, done.skipped) == (9, 4, 2, 3)
    assert len(contents(tmp_path / "out")) == done.out
    assert sum(done.reasons["skipped"].values()) == 3


def test_names_carry_nothing(incoming: Path, tmp_path: Path) -> None:
    Deidentifier(KEY).folder(incoming, tmp_path / "out")
    for name in contents(tmp_path / "out"):
        assert re.fullmatch(r"([0-9A-Z]{8}/){2}[0-9A-Z]{8}", name)


def test_the_list_of_what_did_not_leave_is_the_owners_and_lies_apart(incoming: Path, tmp_path: Path) -> None:
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out")
    assert done.listed == tmp_path / "out-quarantine" / "left.jsonl"
    assert done.listed.stat().st_mode & 0o077 == 0
    left = [json.loads(line) for line in done.listed.read_text().splitlines()]
    assert {entry["file"] for entry in left} >= {"broken.dcm", "notes.txt", "CT/Jane-examples_rgb_color.dcm"}
    assert len(left) == done.quarantined + done.skipped
    assert "Jane" not in json.dumps(done.to_json())


def test_a_second_run_finds_the_same_results(incoming: Path, tmp_path: Path) -> None:
    first = Deidentifier(KEY).folder(incoming, tmp_path / "out")
    before = contents(tmp_path / "out")
    again = Deidentifier(KEY).folder(incoming, tmp_path / "out", workers=2)
    assert again.to_json() == first.to_json()
    assert contents(tmp_path / "out") == before


def test_a_run_that_was_killed_is_gone_on_with(incoming: Path, tmp_path: Path) -> None:
    Deidentifier(KEY).folder(incoming, tmp_path / "whole")
    Deidentifier(KEY).folder(incoming, tmp_path / "out")
    name, data = sorted(contents(tmp_path / "out").items())[0]
    os.rename(tmp_path / "out" / name, tmp_path / "out" / name.replace(Path(name).name, ".part-00ff"))
    assert data
    Deidentifier(KEY).folder(incoming, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_results_of_other_settings_are_never_mixed_in(incoming: Path, tmp_path: Path) -> None:
    Deidentifier(KEY).folder(incoming, tmp_path / "out")
    before = contents(tmp_path / "out")
    other = Deidentifier(KEY, options=["modified-dates"]).folder(incoming, tmp_path / "out")
    assert other.out == 0
    assert contents(tmp_path / "out") == before


def test_a_rehearsal_writes_nothing(incoming: Path, tmp_path: Path) -> None:
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out", dry_run=True)
    assert (done.out, done.quarantined, done.skipped) == (4, 2, 3)
    assert sorted(tmp_path.iterdir()) == [incoming]


def test_the_report_counts_as_the_run_does_and_the_second_reader_saw_all(
    incoming: Path, tmp_path: Path
) -> None:
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out", workers=2)
    assert done.report is not None
    counts = done.report.to_json()["counts"]
    assert (counts["files"], counts["out"], counts["verified"]) == (done.files, done.out, done.out)
    assert counts["quarantined"] == done.quarantined
    assert "Jane" not in json.dumps(done.report.sign(KEY))
    rehearsal = Deidentifier(KEY).folder(incoming, tmp_path / "other", dry_run=True)
    assert rehearsal.to_json() == done.to_json()


def test_references_lead_to_the_new_objects(incoming: Path, tmp_path: Path) -> None:
    deidentifier = Deidentifier(KEY)
    deidentifier.folder(incoming, tmp_path / "out")
    old = pydicom.dcmread(incoming / "CT" / "Jane-rtstruct.dcm", force=True)
    new = next(
        dataset
        for name in contents(tmp_path / "out")
        if (dataset := pydicom.dcmread(tmp_path / "out" / name)).Modality == "RTSTRUCT"
    )
    frame = old.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID
    expected = deidentifier.identifiers.uid(frame)
    assert new.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID == expected


def test_the_dicomdir_is_made_anew(incoming: Path, tmp_path: Path) -> None:
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out")
    records = pydicom.dcmread(tmp_path / "out" / "DICOMDIR").DirectoryRecordSequence
    named = ["/".join(record.ReferencedFileID) for record in records if "ReferencedFileID" in record]
    assert sorted(named) == sorted(contents(tmp_path / "out"))
    assert len(named) == done.out
    assert "CompressedSamples" not in str(records)


def test_folders_that_lie_in_each_other_are_refused(incoming: Path, tmp_path: Path) -> None:
    deidentifier = Deidentifier(KEY)
    for target in (incoming, incoming / "out", tmp_path):
        with pytest.raises(BadRequest, match="lies within"):
            deidentifier.folder(incoming, target)
    with pytest.raises(BadRequest, match="lies within"):
        deidentifier.folder(incoming, tmp_path / "out", quarantine=tmp_path / "out" / "left")
    with pytest.raises(NotFound):
        deidentifier.folder(tmp_path / "none", tmp_path / "out")


def test_a_result_is_on_the_disk_before_it_has_its_name(
    incoming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def stored(file: int) -> None:
        told.append(("stored", os.readlink(f"/proc/self/fd/{file}")))
        fsync(file)

    def named(part: Path, target: Path) -> None:
        told.append(("named", str(part)))
        link(part, target)

    monkeypatch.setattr(os, "fsync", stored)
    monkeypatch.setattr(os, "link", named)
    done = Deidentifier(KEY).folder(incoming, tmp_path / "out")
    names = [path for what, path in told if what == "named"]
    assert len(names) >= done.out
    assert all(told.index(("stored", path)) < told.index(("named", path)) for path in names)
    folders = {str(path) for path in (tmp_path / "out").rglob("*") if path.is_dir()}
    assert {path for what, path in told if what == "stored"} >= {*folders, str(tmp_path / "out")}
