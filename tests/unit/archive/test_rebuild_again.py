"""A rebuild that was interrupted: what the next one may go on with, and what it must not believe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from data_sets import EXPLICIT, data_set
from rebuilding import catalog_rows, fill, index_rows, lose_index, rebuild

from isocenter.archive import Archive, Dataset, Origin, arrival, from_catalog, from_objects
from isocenter.archive.rebuild import Source
from isocenter.config import IndexSettings, Settings
from isocenter.dicom.levels import Level

Open = Callable[[], Archive]
SOURCES: tuple[Source, ...] = ("catalog", "objects")


@pytest.fixture
def settings(settings: Settings, index_settings: IndexSettings) -> Settings:
    return settings.model_copy(update={"index": index_settings})


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (from_catalog, from_objects):
        monkeypatch.setattr(module, "_AT_ONCE", 3)


def interrupted(settings: Settings, source: Source, *, after: int = 3) -> None:
    """A rebuild that is killed when so many rows or objects are in the new index."""

    def dies(what: str, done: int, _: int) -> None:
        if what in ("objects", "rows of the catalog") and done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(settings, source, progress=dies)


def everything(main: Dataset) -> tuple[Any, Any]:
    return index_rows(main), catalog_rows(main)


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_stored_since_an_interrupted_rebuild_is_not_forgotten(
    settings: Settings, opened: Open, source: Source
) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        archive.datasets["main"].flush()
    interrupted(settings, source)
    with opened() as archive:
        main = archive.datasets["main"]
        for n in range(5):
            main.store(data_set(SOPInstanceUID=f"1.9.{n}"), Origin("LATER"), EXPLICIT)
        main.flush()
        before = everything(main)
    assert rebuild(settings, source).instances == 17
    with opened() as archive:
        assert everything(archive.datasets["main"]) == before
        assert archive.verify().findings == []


@pytest.mark.parametrize("source", SOURCES)
def test_an_interrupted_rebuild_from_the_other_source_is_not_gone_on_with(
    settings: Settings, opened: Open, source: Source
) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        archive.datasets["main"].flush()
        before = everything(archive.datasets["main"])
    interrupted(settings, SOURCES[1 - SOURCES.index(source)])
    done = rebuild(settings, source)
    assert (done.instances, done.missing) == (12, [])
    with opened() as archive:
        assert everything(archive.datasets["main"]) == before
        assert archive.verify().findings == []


def test_an_interrupted_rebuild_is_gone_on_with(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        before = everything(archive.datasets["main"])
    for source in SOURCES:
        interrupted(settings, source, after=6)
        seen: list[str] = []
        rebuild(settings, source, progress=lambda what, done, of, seen=seen: seen.append(what))  # type: ignore[misc]
        assert "objects found" not in seen
        with opened() as archive:
            assert everything(archive.datasets["main"]) == before
            assert archive.verify().findings == []


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_replaced_stays_replaced_when_the_rebuild_was_interrupted(
    settings: Settings, source: Source
) -> None:
    settings = settings.model_copy(update={"on_conflict": "replace"})
    with Archive.open(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        for n in range(6):
            main.store(data_set(InstanceNumber=n), Origin("S"), EXPLICIT)
        main.store(data_set(SOPInstanceUID="1.9"), Origin("S"), EXPLICIT)
        main.flush()
        before = everything(main)
    interrupted(settings, source, after=1 if source == "catalog" else 6)
    rebuild(settings, source)
    with Archive.open(settings, query_process=False) as archive:
        assert everything(archive.datasets["main"]) == before


def test_what_was_on_its_way_when_the_catalog_was_flushed_is_not_dropped(
    settings: Settings, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stamped before it is committed: the flush saw one that came later, and not this one."""
    with opened() as archive, opened() as other:
        main = archive.datasets["main"]
        for n in range(4):
            main.store(data_set(SOPInstanceUID=f"1.2.{n}"), Origin("S"), EXPLICIT)
        main.flush()
        earlier = min(one.received for one in main.instances()) * 1000
        with monkeypatch.context() as stamped:
            stamped.setattr(arrival.time, "time_ns", lambda: earlier)
            other.datasets["main"].store(data_set(SOPInstanceUID="1.2.9"), Origin("S"), EXPLICIT)
        before = index_rows(main)
    rebuild(settings, "catalog")
    with opened() as archive:
        assert index_rows(archive.datasets["main"]) == before


def test_a_lost_object_is_reported_and_leaves_the_catalog_though_the_rebuild_was_interrupted(
    settings: Settings, opened: Open
) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        archive.datasets["main"].flush()
        first = min(archive.datasets["main"].instances(), key=lambda one: one.seq)
        path = archive.objects.path(first.object)
    assert path is not None
    path.unlink()
    interrupted(settings, "catalog", after=6)
    assert rebuild(settings, "catalog").missing == [first.object]
    with opened() as archive:
        assert archive.datasets["main"].count(Level.INSTANCE) == 11
        assert archive.verify().findings == []


def test_the_series_table_shows_what_is_stored_after_a_rebuild_without_the_old_index(
    settings: Settings, opened: Open
) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        fill(main)
        main.flush()
        for n in range(20):  # each raises the sequence, for rows of derived tables alone
            main.flushing.derived([], None, [])
            main.delete(Level.INSTANCE, f"1.2.{n}") if n == 11 else None
        main.compact(thorough=True)
        for n in range(5):
            main.store(data_set(SOPInstanceUID="1.2.11", InstanceNumber=n), Origin("S"), EXPLICIT)
    lose_index(settings)
    rebuild(settings, "catalog")
    with opened() as archive:
        main = archive.datasets["main"]
        main.flush()
        main.store(
            data_set(StudyInstanceUID="1.0", SeriesInstanceUID="1.0.0", SOPInstanceUID="1.7"),
            Origin("S"),
            EXPLICIT,
        )
        main.flush()
        with main.sql("SELECT sum(instances) AS n FROM series") as reader:
            assert reader.read_all().to_pylist() == [{"n": main.count(Level.INSTANCE)}]
