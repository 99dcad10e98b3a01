"""The same bytes in two datasets: one object, which each of them keeps through rebuild, verify and sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set
from rebuilding import catalog_rows, index_rows, rebuild

from isocenter.archive import Archive, Origin
from isocenter.archive.rebuild import Source
from isocenter.config import Settings
from isocenter.dicom.levels import Level

Open = Callable[[], Archive]


def store_in_both(archive: Archive) -> None:
    for name in ("main", "lab"):
        for n in range(3):
            raw = data_set(SOPInstanceUID=f"1.2.{n}")
            archive.datasets[name].store(raw, Origin(f"TO{name}"), EXPLICIT)
        archive.datasets[name].flush()


@pytest.mark.parametrize("source", ["catalog", "objects"])
def test_both_datasets_survive_a_rebuild(settings: Settings, opened: Open, source: Source) -> None:
    with opened() as archive:
        store_in_both(archive)
        before = {name: (index_rows(one), catalog_rows(one)) for name, one in archive.datasets.items()}
    for name in ("lab", "main"):
        done = rebuild(settings, source, name)
        assert (done.instances, done.missing, done.unreadable) == (3, [], {})
    with opened() as archive:
        after = {name: (index_rows(one), catalog_rows(one)) for name, one in archive.datasets.items()}
        assert after == before
        assert archive.verify(repair=True).findings == []


def test_what_the_other_dataset_deleted_stays_here_and_what_this_one_deleted_does_not_come_back(
    settings: Settings, opened: Open
) -> None:
    with opened() as archive:
        store_in_both(archive)
        archive.datasets["main"].delete(Level.INSTANCE, "1.2.0")
        archive.datasets["lab"].delete(Level.INSTANCE, "1.2.1")
        assert archive.sweep(grace=-5).removed == ()
        uids = [one.SOPInstanceUID for one in archive.datasets["lab"].instances()]
    rebuild(settings, "objects", "lab")
    with opened() as archive:
        assert [one.SOPInstanceUID for one in archive.datasets["lab"].instances()] == uids
        assert archive.verify().findings == []


def test_a_broken_head_is_made_again_whichever_dataset_it_is_of(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        store_in_both(archive)
        path = archive.objects.path(archive.datasets["lab"].instances()[0].object)
        assert isinstance(path, Path)
        before = path.read_bytes()
        path.write_bytes(before[:130] + b"?" + before[131:])
        assert [(one.kind, one.repaired) for one in archive.verify(repair=True).findings] == [("head", True)]
        assert path.read_bytes() == before
        assert archive.verify().findings == []


def test_the_head_of_a_conflict_object_is_made_again(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        main.store(data_set(), Origin("S"), EXPLICIT)
        main.store(data_set(InstanceNumber=9), Origin("S"), EXPLICIT)
        path = archive.objects.path(main.conflicts()[0].object)
        assert isinstance(path, Path)
        before = path.read_bytes()
        path.write_bytes(before[:130] + b"?" + before[131:])
        assert [one.repaired for one in archive.verify(repair=True).findings] == [True]
        assert path.read_bytes() == before
