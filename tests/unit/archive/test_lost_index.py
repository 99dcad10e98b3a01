"""A wrong, empty, old or missing index never costs an object: it is refused, and nothing is swept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set
from postgres_server import PostgresServer
from rebuilding import FILES, lose_index, rebuild

from isocenter.archive import Archive, Origin
from isocenter.cli import upkeep
from isocenter.config import IndexSettings, Settings
from isocenter.dicom.levels import Level
from isocenter.errors import Damaged, Unavailable
from isocenter.index.schema import ONLY_HERE
from isocenter.objects import HEAD_SIZE

Open = Callable[[], Archive]


def store(archive: Archive, name: str = "main", *, first: int = 0, count: int = 3) -> None:
    for n in range(first, first + count):
        raw = data_set(SOPInstanceUID=f"1.2.{n}", PatientName=name)
        archive.datasets[name].store(raw, Origin("S"), EXPLICIT)


def objects_of(settings: Settings) -> list[Path]:
    return sorted((settings.data / "objects").rglob("*.dcm"))


@pytest.mark.parametrize("lost", ["index", "datasets", "notes", "datasets and notes"])
def test_an_index_that_is_lost_is_said_and_not_made_anew(settings: Settings, opened: Open, lost: str) -> None:
    with opened() as archive:
        store(archive)
        archive.datasets["main"].flush()
    if "datasets" in lost:
        shutil.rmtree(settings.data / "datasets")
    if "index" in lost:
        lose_index(settings)
    if "notes" in lost:
        for path in (settings.data / "objects").glob(".dataset-*"):
            path.unlink()
    if lost != "notes":
        for _ in range(2):  # the refused opening left an empty file
            with pytest.raises(Damaged, match="reindex"):
                opened()
        assert len(objects_of(settings)) == 3
        rebuild(settings, "objects")
    with opened() as archive:
        assert archive.datasets["main"].count(Level.INSTANCE) == 3
        assert archive.sweep(grace=-5).removed == ()
        assert archive.verify().findings == []


def test_a_new_dataset_opens_beside_one_that_has_objects(settings: Settings, opened: Open) -> None:
    with Archive.open(settings.model_copy(update={"datasets": {}}), query_process=False) as archive:
        store(archive)
    for _ in range(2):
        with opened() as archive:
            assert archive.datasets["lab"].count(Level.INSTANCE) == 0
            assert archive.sweep(grace=-5).removed == ()


def test_an_index_older_than_its_objects_is_refused(settings: Settings, opened: Open, tmp_path: Path) -> None:
    """Someone brought back last week's copy of the index, without the objects."""
    folder = settings.data / "datasets" / "main"
    with opened() as archive:
        store(archive)
    for file in FILES:
        if (folder / file).exists():
            shutil.copy(folder / file, tmp_path / file)
    with opened() as archive:
        store(archive, first=3)
        archive.sweep()
    lose_index(settings)
    for file in FILES:
        if (tmp_path / file).exists():
            shutil.copy(tmp_path / file, folder / file)
    with pytest.raises(Damaged, match="older"):
        opened()


def test_a_damaged_index_is_replaced_and_what_it_alone_told_said_to_be_lost(
    settings: Settings, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as archive:
        store(archive)
    lose_index(settings)
    (settings.data / "datasets/main/index.db").write_bytes(b"nothing of an index " * 500)
    assert upkeep.reindex(settings, "main", source="objects", as_json=False) == 1
    said = capsys.readouterr()
    assert "3 instances" in said.out
    assert all(f"lost: {what}: The index file is damaged" in said.err for what in ONLY_HERE)


def test_the_index_of_another_archive_is_refused(settings: Settings, opened: Open, tmp_path: Path) -> None:
    other = Settings(data=tmp_path / "other")
    with Archive.open(other, query_process=False) as archive:
        store(archive, count=9)
    with opened() as archive:
        store(archive)
    lose_index(settings)
    for file in FILES:
        if (other.data / "datasets/main" / file).exists():
            shutil.copy(other.data / "datasets/main" / file, settings.data / "datasets/main" / file)
    with pytest.raises(Damaged, match="not that of this archive"):
        opened()


@pytest.mark.parametrize("lost", ["nothing", "index", "folder"])
def test_a_dataset_out_of_the_settings_keeps_its_objects(settings: Settings, opened: Open, lost: str) -> None:
    with opened() as archive:
        store(archive, "lab")
    if lost == "index":
        lose_index(settings, "lab")
    if lost == "folder":
        shutil.rmtree(settings.data / "datasets/lab")
    with Archive.open(settings.model_copy(update={"datasets": {}}), query_process=False) as archive:
        if lost == "nothing":
            assert archive.sweep(grace=-5).removed == ()
        else:
            with pytest.raises(Unavailable, match="lab"):
                archive.sweep(grace=-5)
            assert [one.kind for one in archive.verify(repair=True).findings] == ["index"]
    assert len(objects_of(settings)) == 3


def test_objects_of_a_dataset_that_nobody_knows_are_not_swept(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        store(archive, "lab")
    shutil.rmtree(settings.data / "datasets/lab")
    (settings.data / "objects/.dataset-lab.json").unlink()
    with Archive.open(settings.model_copy(update={"datasets": {}}), query_process=False) as archive:
        assert archive.sweep(grace=-5).removed == ()
        assert [(one.kind, one.repaired) for one in archive.verify(repair=True).findings] == [
            ("orphan", False)
        ] * 3


@pytest.mark.parametrize("at", [130, HEAD_SIZE + 20])
def test_what_a_rebuild_cannot_read_is_said_and_not_swept(settings: Settings, opened: Open, at: int) -> None:
    """One flipped bit, in the head or the data set: a backup, or an expert, may still bring it back."""
    with opened() as archive:
        store(archive)
    path = objects_of(settings)[1]
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    name = str(path.relative_to(settings.data / "objects"))
    assert rebuild(settings, "objects").unreadable.keys() == {name}
    with opened() as archive:
        shutil.rmtree(next((settings.data / "datasets/main").glob("before-*")))
        assert archive.sweep(grace=-5).removed == ()
        found = [(one.kind, one.subject) for one in archive.verify(repair=True).findings]
        assert ("damaged", name) in found
        assert path.exists()
        store(archive)  # sent again, it is whole
        assert archive.verify().findings == []


def test_an_object_that_the_disk_does_not_give_ends_the_rebuild(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        store(archive)
    path = objects_of(settings)[1]
    path.unlink()
    path.symlink_to(path.name)  # even root cannot open a loop
    with pytest.raises(Unavailable, match=path.name):
        rebuild(settings, "objects")


def test_the_index_before_a_rebuild_keeps_objects_as_long_as_it_is_there(
    settings: Settings, opened: Open
) -> None:
    with opened() as archive:
        store(archive)
    rebuild(settings, "objects")
    with opened() as archive:
        archive.datasets["main"].delete(Level.INSTANCE, "1.2.1")
        assert archive.sweep(grace=-5).removed == ()
        shutil.rmtree(next((settings.data / "datasets/main").glob("before-*")))
        assert len(archive.sweep(grace=-5).removed) == 1


@pytest.mark.postgres
def test_an_archive_that_moves_to_postgresql_is_rebuilt_there_first(
    settings: Settings, opened: Open, postgres_server: PostgresServer
) -> None:
    with opened() as archive:
        store(archive)
    url = postgres_server.new_database("moved")
    moved = settings.model_copy(update={"index": IndexSettings(url=url)})
    with pytest.raises(Damaged, match="reindex"):
        Archive.open(moved, query_process=False)
    assert rebuild(moved, "objects").instances == 3
    assert rebuild(moved, "objects", "lab").instances == 0
    with Archive.open(moved, query_process=False) as archive:
        assert archive.sweep(grace=-5).removed == ()
        assert archive.verify().findings == []
    mistyped = IndexSettings(url=postgres_server.new_database("mistyped"))
    with pytest.raises(Damaged):
        Archive.open(settings.model_copy(update={"index": mistyped}), query_process=False)


@pytest.mark.postgres
def test_a_dataset_out_of_the_settings_keeps_its_objects_in_postgresql_too(
    settings: Settings, postgres_server: PostgresServer
) -> None:
    url = postgres_server.new_database("unused")
    settings = settings.model_copy(update={"index": IndexSettings(url=url)})
    with Archive.open(settings, query_process=False) as archive:
        store(archive, "lab")
    rebuild(settings, "objects", "lab")
    alone = settings.model_copy(update={"datasets": {}})
    with Archive.open(alone, query_process=False) as archive:
        assert archive.sweep(grace=-5).removed == ()
    lose_index(settings, "lab")
    with Archive.open(alone, query_process=False) as archive, pytest.raises(Unavailable, match="lab"):
        archive.sweep(grace=-5)
