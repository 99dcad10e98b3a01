"""Verify finds what is wrong, says it, and repairs what can be repaired."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data_sets import EXPLICIT, data_set
from tests.unit.archive.conftest import OpenArchive

from isocenter.archive import Archive, Dataset, Origin
from isocenter.archive import differences as differences_module
from isocenter.archive import verify as verify_module
from isocenter.archive.differences import parts
from isocenter.dicom.levels import Level
from isocenter.objects import HEAD_SIZE


@pytest.fixture
def filled(main: Dataset) -> Dataset:
    for n in range(6):
        raw = data_set(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n, pixels=bytes(100))
        main.store(raw, Origin("SCANNER", "ISOCENTER"), EXPLICIT)
        if n == 3:
            main.flush()
    return main


def path_of(dataset: Dataset, n: int) -> Path:
    found = [one for one in dataset.instances() if one.SOPInstanceUID == f"1.2.{n}"]
    path = dataset.objects.path(found[0].object)
    assert path is not None
    return path


def kinds(archive: Archive, **options: bool) -> list[tuple[str, bool]]:
    return [(one.kind, one.repaired) for one in archive.verify(**options).findings]


def test_an_archive_in_order_has_nothing_to_report(archive: Archive, filled: Dataset) -> None:
    seen: list[tuple[str, int, int]] = []
    report = archive.verify(progress=lambda *step: seen.append(step))
    assert report.ok
    assert (report.objects, report.findings) == (6, [])
    assert report.size == filled.size() > 0
    assert ("objects of main", 6, 6) in seen


def test_a_lost_object_is_missing_and_stays_so(archive: Archive, filled: Dataset) -> None:
    path_of(filled, 2).unlink()
    assert kinds(archive) == [("missing", False)]
    assert kinds(archive, repair=True) == [("missing", False)]


@pytest.mark.parametrize("at", [HEAD_SIZE, HEAD_SIZE + 50, -1])
def test_one_changed_byte_of_a_data_set_is_damage(archive: Archive, filled: Dataset, at: int) -> None:
    path = path_of(filled, 1)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)
    assert kinds(archive, repair=True) == [("damaged", False)]
    assert kinds(archive, digests=False) == []


def test_a_cut_off_object_is_found_without_reading_it(archive: Archive, filled: Dataset) -> None:
    path = path_of(filled, 1)
    path.write_bytes(path.read_bytes()[:-1])
    assert kinds(archive, digests=False) == [("damaged", False)]


@pytest.mark.parametrize("at", [5, 130, 140, 600])
def test_a_changed_head_is_made_again(archive: Archive, filled: Dataset, at: int) -> None:
    path = path_of(filled, 4)
    before = path.read_bytes()
    raw = bytearray(before)
    raw[at] ^= 1
    path.write_bytes(raw)
    assert kinds(archive) == [("head", False)]
    assert kinds(archive, repair=True) == [("head", True)]
    assert kinds(archive) == []
    assert path.read_bytes() == before


def test_a_damaged_object_that_was_sent_again_has_its_old_head_back(
    archive: Archive, filled: Dataset
) -> None:
    path = path_of(filled, 0)
    before = path.read_bytes()
    path.write_bytes(before[:-5])
    raw = data_set(SOPInstanceUID="1.2.0", InstanceNumber=0, pixels=bytes(100))
    assert filled.store(raw, Origin("OTHER"), EXPLICIT).kind == "duplicate"
    archive.verify(repair=True)
    assert kinds(archive) == []
    assert path.read_bytes() == before


def test_what_nothing_names_is_an_orphan_until_repair_removes_it(archive: Archive, filled: Dataset) -> None:
    filled.delete(Level.INSTANCE, "1.2.5")
    assert kinds(archive) == [("orphan", False)]
    assert len(list(archive.objects.list())) == 6
    assert kinds(archive, repair=True) == [("orphan", True)]
    assert len(list(archive.objects.list())) == 5
    assert kinds(archive) == []


def test_objects_that_only_a_snapshot_names_are_no_orphans(archive: Archive, filled: Dataset) -> None:
    filled.snapshot("all")
    filled.delete(Level.STUDY, "1.2.3")
    assert kinds(archive, repair=True) == []
    filled.reset("all")
    assert kinds(archive) == []
    path_of(filled, 0).unlink()
    filled.delete(Level.STUDY, "1.2.3")
    assert kinds(archive) == [("missing", False)]


def test_conflict_objects_are_checked_too(archive: Archive, filled: Dataset) -> None:
    other = data_set(SOPInstanceUID="1.2.0", InstanceNumber=77)
    assert filled.store(other, Origin("OTHER"), EXPLICIT).kind == "conflict"
    (conflict,) = filled.conflicts()
    assert kinds(archive, repair=True) == []
    path = filled.objects.path(conflict.object)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-2] + b"zz")
    assert kinds(archive) == [("damaged", False)]


def test_what_is_stored_deleted_and_flushed_during_verify_is_no_finding(
    archive: Archive, filled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog is read in the middle of that, at every look."""
    number = iter(range(100, 1000))
    real = differences_module._cataloged

    def read(*told: Any) -> Any:
        found = real(*told)
        n = next(number)
        filled.store(data_set(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n), Origin("SCANNER"), EXPLICIT)
        filled.delete(Level.INSTANCE, f"1.2.{n - 100}")
        filled.flush()
        return found

    monkeypatch.setattr(differences_module, "_cataloged", read)
    assert kinds(archive) == [("orphan", False)]
    assert next(number) > 100


def test_an_object_deleted_and_swept_during_verify_is_not_missing(
    archive: Archive, filled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = data_set(SOPInstanceUID="1.2.1", InstanceNumber=1, pixels=bytes(100))
    real, seen = verify_module._look, []

    def look(store: Any, one: Any, digests: bool) -> str:
        if one.SOPInstanceUID in ("1.2.0", "1.2.1") and one.SOPInstanceUID not in seen:
            seen.append(one.SOPInstanceUID)
            filled.delete(Level.INSTANCE, one.SOPInstanceUID)
            archive.sweep(grace=-5)
            if one.SOPInstanceUID == "1.2.1":
                filled.store(raw, Origin("OTHER"), EXPLICIT)
        return real(store, one, digests)

    monkeypatch.setattr(verify_module, "_look", look)
    assert kinds(archive) == []
    assert sorted(seen) == ["1.2.0", "1.2.1"]


def test_a_large_dataset_is_verified_part_by_part(
    archive: Archive, filled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.archive.differences._PART", 1)
    monkeypatch.setattr("isocenter.archive.recatalog._AT_ONCE", 1)
    monkeypatch.setattr("isocenter.index.reader._PAGE", 2)
    for n in range(6):
        told = {
            "StudyInstanceUID": f"1.7.{n}",
            "SeriesInstanceUID": f"1.7.{n}.1",
            "SOPInstanceUID": f"1.8.{n}",
        }
        filled.store(data_set(**told), Origin("SCANNER"), EXPLICIT)
    filled.snapshot("all")
    filled.delete(Level.STUDY, "1.7.3")
    filled.flush()
    assert [len(list(parts(count, 10))) for count in (0, 9, 10, 95)] == [1, 1, 2, 10]
    assert archive.verify().findings == []
    assert archive.verify().objects == 12, "once each, those of a snapshot too"
    filled.index.writer.set_heads({"instances": 0})
    assert kinds(archive, repair=True) == [("catalog", True)] * 11
    assert kinds(archive) == []


def test_a_catalog_that_lost_its_rows_is_made_anew(open_archive: OpenArchive) -> None:
    archive = open_archive()
    main = archive.datasets["main"]
    for n in range(6):
        main.store(data_set(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n), Origin("SCANNER"), EXPLICIT)
        if n == 3:
            main.flush()
    main.delete(Level.INSTANCE, "1.2.1")
    archive.sweep(grace=-5)
    with main.table(Level.INSTANCE, None, ["SOPInstanceUID", "_seq", "json"]) as reader:
        before = sorted(reader.read_all().to_pylist(), key=lambda row: row["_seq"])
    heads = main.index.reader.heads()
    main.index.writer.set_heads({"instances": 0})
    assert kinds(archive) == [("catalog", False)] * 3
    assert kinds(archive, repair=True) == [("catalog", True)] * 3
    assert kinds(archive) == []
    assert main.index.reader.heads() != heads
    with main.table(Level.INSTANCE, None, ["SOPInstanceUID", "_seq", "json"]) as reader:
        assert sorted(reader.read_all().to_pylist(), key=lambda row: row["_seq"]) == before
    main.flush()
    assert kinds(archive) == []
