"""A lost index comes back from the catalog, index and catalog from the objects: rows, times and winners."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set
from rebuilding import catalog_rows, fill, index_rows, lose_index, rebuild

from isocenter.archive import Archive, Origin
from isocenter.archive.rebuild import Source
from isocenter.config import IndexSettings, Settings
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest, Unavailable
from isocenter.index import datasets_in


@pytest.fixture
def settings(settings: Settings, index_settings: IndexSettings) -> Settings:
    return settings.model_copy(update={"index": index_settings})


@pytest.mark.parametrize("source", ["catalog", "objects"])
def test_everything_is_as_it_was(settings: Settings, opened: Callable[[], Archive], source: Source) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        archive.datasets["lab"].store(data_set(SOPInstanceUID="1.7"), Origin("SCANNER"), EXPLICIT)
        before = index_rows(archive.datasets["main"]), catalog_rows(archive.datasets["main"])
        last = archive.datasets["main"].index.reader.view().last_seq
    lose_index(settings)
    if source == "objects":
        shutil.rmtree(settings.data / "datasets/main/catalog")
    seen: list[tuple[str, int, int]] = []
    done = rebuild(settings, source, progress=lambda *step: seen.append(step))
    assert (done.instances, done.missing, done.unreadable) == (12, [], {})
    assert seen[-1] == ("objects", 14, 14)
    with opened() as archive:
        main = archive.datasets["main"]
        assert (index_rows(main), catalog_rows(main)) == before
        assert archive.verify().findings == []
        main.store(data_set(SOPInstanceUID="1.8"), Origin("SCANNER"), EXPLICIT)
        if source == "catalog":
            assert main.index.reader.view().last_seq >= last
        main.flush()
        assert archive.verify().findings == []
        assert archive.datasets["lab"].count(Level.INSTANCE) == 1


def test_the_old_index_is_kept_and_sequences_go_on(settings: Settings, opened: Callable[[], Archive]) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        last = archive.datasets["main"].index.reader.view().last_seq
    done = rebuild(settings, "objects")
    assert done.kept is not None
    if settings.index.url is None:
        assert (done.kept / "index.db").exists()
    else:
        assert f"main.{done.kept.name}" in datasets_in(settings.index.url)
    assert (done.kept / "catalog" / "instances").is_dir()
    with opened() as archive:
        assert archive.datasets["main"].index.reader.view().last_seq > last


def test_what_was_replaced_stays_replaced(settings: Settings) -> None:
    settings = settings.model_copy(update={"on_conflict": "replace"})
    with Archive.open(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        for n in (1, 2, 3):
            main.store(data_set(InstanceNumber=n, SliceThickness=n), Origin("S"), EXPLICIT)
            main.flush()
        before = index_rows(main), catalog_rows(main)
    for source in ("catalog", "objects"):
        rebuild(settings, source)  # type: ignore[arg-type]
        with Archive.open(settings, query_process=False) as archive:
            main = archive.datasets["main"]
            assert (index_rows(main), catalog_rows(main)) == before
            assert [one.kind for one in archive.verify().findings if one.kind != "orphan"] == []


def test_what_was_deleted_and_swept_stays_away(settings: Settings, opened: Callable[[], Archive]) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        fill(main)
        main.flush()
        main.delete(Level.STUDY, "1.0")
        archive.sweep(grace=-5)
        before = index_rows(main), catalog_rows(main)
    for source in ("catalog", "objects"):
        done = rebuild(settings, source)  # type: ignore[arg-type]
        assert len(done.missing) == (6 if source == "catalog" else 0)
        with opened() as archive:
            main = archive.datasets["main"]
            assert (index_rows(main), catalog_rows(main)) == before
            assert archive.verify().findings == []
            with main.sql("SELECT sum(instances) AS n FROM series") as reader:
                assert reader.read_all().to_pylist() == [{"n": 6}]


def test_an_object_that_was_stored_twice_keeps_its_first_arrival(settings: Settings) -> None:
    """The first time the index was locked, so it was never acknowledged; the object says when it came."""
    settings = settings.model_copy(update={"index": settings.index.model_copy(update={"lock_timeout": 0.2})})
    with Archive.open(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        other = Archive.open(settings, query_process=False)
        with other, other.datasets["main"].index.database.write(), pytest.raises(Unavailable):
            main.store(data_set(), Origin("FIRST"), EXPLICIT)
        assert main.store(data_set(), Origin("SECOND"), EXPLICIT).kind == "stored"
        before = index_rows(main), catalog_rows(main)
        assert archive.verify().findings == []
    rebuild(settings, "objects")
    with Archive.open(settings, query_process=False) as archive:
        assert (index_rows(archive.datasets["main"]), catalog_rows(archive.datasets["main"])) == before


def test_broken_objects_are_named_and_left_out(settings: Settings, opened: Callable[[], Archive]) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        paths = [one.object for one in archive.datasets["main"].instances()]
    objects = settings.data / "objects"
    (objects / paths[0]).write_bytes(b"nothing of a head")
    whole = (objects / paths[1]).read_bytes()
    (objects / paths[1]).write_bytes(whole[:-1] + b"?")
    done = rebuild(settings, "objects")
    assert done.unreadable.keys() == {paths[0], paths[1]}
    assert done.instances == 10


def test_a_dataset_in_use_is_not_rebuilt(settings: Settings, opened: Callable[[], Archive]) -> None:
    with opened(), pytest.raises(Unavailable, match="in use"):
        rebuild(settings, "objects")
    with pytest.raises(BadRequest, match="no catalog"):
        rebuild(settings, "catalog")


@pytest.mark.parametrize("step", range(4))
def test_a_rebuild_that_was_killed_while_it_took_its_place_is_ended_by_the_next_opening(
    settings: Settings, opened: Callable[[], Archive], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    from isocenter.archive import swap

    with opened() as archive:
        fill(archive.datasets["main"])
        before = index_rows(archive.datasets["main"]), catalog_rows(archive.datasets["main"])
    left = step if settings.index.url is None else step % 2  # PostgreSQL has no files to move

    def dies(source: Path, target: Path) -> None:
        nonlocal left
        if Path(target).name != ".swap.json":
            if not left:
                raise KeyboardInterrupt
            left -= 1
        os.replace(source, target)

    with monkeypatch.context() as killed:
        killed.setattr(swap.os, "rename", dies)
        with pytest.raises(KeyboardInterrupt):
            rebuild(settings, "objects")
    with opened() as archive:
        assert (index_rows(archive.datasets["main"]), catalog_rows(archive.datasets["main"])) == before
        assert archive.verify().findings == []
    assert not (settings.data / "datasets/main/rebuild").exists()
    rebuild(settings, "objects")


def test_a_dataset_in_use_on_another_machine_is_not_rebuilt(
    settings: Settings, opened: Callable[[], Archive]
) -> None:
    """Only PostgreSQL is shared by machines; the other one's keeper says that it is there."""
    with opened() as archive:
        fill(archive.datasets["main"])
        archive.datasets["main"].index.writer.take_lease("keeper", "other:1", 60)
    if settings.index.url is None:
        assert rebuild(settings, "objects").instances == 12
    else:
        with pytest.raises(Unavailable, match="other:1"):
            rebuild(settings, "objects")
