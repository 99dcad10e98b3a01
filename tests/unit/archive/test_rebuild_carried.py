"""What only the old index tells (worklist, cohorts, palettes ...) is in the new one, or said to be lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from data_sets import EXPLICIT, data_set, part10
from postgres_server import PostgresServer
from rebuilding import fill, lose_index, rebuild
from workitem_documents import workitem

from isocenter.archive import Archive, Dataset, Origin
from isocenter.archive.nonpatient import NonPatientObjects
from isocenter.archive.rebuild import Source
from isocenter.cli import upkeep
from isocenter.cohort import Cohorts, Wanted
from isocenter.config import IndexSettings, Settings
from isocenter.errors import Damaged
from isocenter.index.schema import ONLY_HERE, metadata
from isocenter.worklist.subscriptions import WORKLIST, Wish
from isocenter.worklist.workitems import Worklist

Open = Callable[[], Archive]
SOURCES: tuple[Source, ...] = ("catalog", "objects")
CARRIED = {"workitem": 2, "subscription": 3, "workitem_event": 3, "subscriber": 1, "nonpatient": 1} | {
    "cohort": 2,
    "cohort_part": 1,
    "cohort_name": 1,
}
PALETTE = "1.2.840.10008.5.1.4.39.1"
REMADE = {"patient", "study", "series", "instance", "upper_values", "level_conflict", "conflict", "tail"} | {
    "tombstone",
    "catalog_head",
    "epoch",
    "lease",
    "origin",
    "view_progress",
}
LOST = {"snapshot", "change"}


@pytest.fixture
def settings(settings: Settings, index_settings: IndexSettings) -> Settings:
    return settings.model_copy(update={"index": index_settings})


def plan(main: Dataset) -> None:
    """Two workitems, one changed since a snapshot, a subscriber told of the other, a palette, a cohort."""
    worklist = Worklist(main.index)
    worklist.subscribe(Wish(WORKLIST, "READER"))
    worklist.create(workitem(), "1.5.1")
    worklist.delivered("READER", worklist.events("READER")[-1].id)
    main.snapshot("before")
    worklist.create(workitem(), "1.5.2")
    worklist.change_state("1.5.1", "IN PROGRESS", "1.6")
    raw = part10(data_set(SOPClassUID=PALETTE, SOPInstanceUID="1.7.1"))
    NonPatientObjects(main.index, "main").store(raw, "color-palettes", Origin("S"))
    for _ in range(2):
        Cohorts(main).freeze("all", Wanted(), by="ada")


def told(main: Dataset) -> dict[str, Any]:
    worklist = Worklist(main.index)
    cohorts = Cohorts(main)
    return {
        "cohorts": [(one, cohorts.verify(one)) for one in cohorts.all(versions=True)],
        "workitems": [worklist.retrieve(uid) for uid in ("1.5.1", "1.5.2")],
        "events": worklist.events("READER", 0),
        "untold": worklist.events("READER"),
        "palette": NonPatientObjects(main.index, "main").get("color-palettes", "1.7.1"),
    }


@pytest.mark.parametrize("source", SOURCES)
def test_what_only_the_old_index_tells_is_in_the_new_one(
    settings: Settings, opened: Open, source: Source
) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        fill(main)
        plan(main)
        main.flush()
        before = told(main)
    seen: dict[str, int] = {}
    done = rebuild(settings, source, progress=lambda what, count, of: seen.update({what: count}))
    assert (done.had_index, done.carried, done.lost) == (True, CARRIED, {})
    assert seen["rows of the old index"] == sum(CARRIED.values())
    with opened() as archive:
        main = archive.datasets["main"]
        assert told(main) == before
        assert archive.verify().findings == []
        worklist = Worklist(main.index)
        worklist.change_state("1.5.1", "CANCELED", "1.6")  # its performer still holds the lock
        assert [event.id for event in worklist.events("READER")][:-1] == [one.id for one in before["untold"]]


def test_a_reset_after_a_rebuild_returns_the_worklist_to_the_snapshot(
    settings: Settings, opened: Open
) -> None:
    with opened() as archive:
        plan(archive.datasets["main"])
    rebuild(settings, "objects")
    with opened() as archive:
        main = archive.datasets["main"]
        before = Worklist(main.index).retrieve("1.5.1")
        main.snapshot("rebuilt")
        Worklist(main.index).change_state("1.5.1", "CANCELED", "1.6")
        NonPatientObjects(main.index, "main").delete("color-palettes", "1.7.1")
        main.reset("rebuilt")
        assert Worklist(main.index).retrieve("1.5.1") == before
        assert NonPatientObjects(main.index, "main").get("color-palettes", "1.7.1")


def test_a_subscriber_who_was_told_everything_hears_of_what_comes_after_the_rebuild(
    settings: Settings, opened: Open
) -> None:
    """What was delivered is a number of an event; the events themselves are forgotten after a day."""
    with opened() as archive:
        main = archive.datasets["main"]
        plan(main)
        Worklist(main.index).delivered("READER", Worklist(main.index).events("READER")[-1].id)
        with main.index.database.write() as session:
            session.run("DELETE FROM workitem_event")
    rebuild(settings, "objects")
    with opened() as archive:
        worklist = Worklist(archive.datasets["main"].index)
        worklist.create(workitem(), "1.5.3")
        assert len(worklist.events("READER")) == 1


def test_an_interrupted_rebuild_carries_nothing_twice(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        plan(archive.datasets["main"])
        before = told(archive.datasets["main"])

    def dies(what: str, done: int, of: int) -> None:
        if what == "objects":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(settings, "objects", progress=dies)
    assert rebuild(settings, "objects").carried == CARRIED
    with opened() as archive:
        assert told(archive.datasets["main"]) == before


def test_without_an_old_index_the_rest_is_rebuilt_and_the_loss_said(
    settings: Settings, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as archive:
        fill(archive.datasets["main"])
        plan(archive.datasets["main"])
    lose_index(settings)
    assert (
        upkeep.reindex(settings, "main", source="objects", as_json=True) == 0
    )  # as after a backup of objects
    answer = json.loads(capsys.readouterr().out)
    assert (answer["had_index"], answer["carried"], answer["instances"]) == (False, {}, 12)
    assert answer["lost"].keys() == ONLY_HERE.keys()


def test_what_cannot_be_read_of_the_old_index_is_said_to_be_lost(
    settings: Settings, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        fill(main)
        plan(main)
        with main.index.database.write() as session:  # as a damaged page: one table cannot be read
            session.run("ALTER TABLE subscription RENAME TO gone")
    assert upkeep.reindex(settings, "main", source="objects", as_json=False) == 1
    said = capsys.readouterr()
    assert "carried over from the old index: 1 nonpatient" in said.out
    assert "lost: worklist: The old index cannot be read" in said.err
    with opened() as archive:
        main = archive.datasets["main"]
        assert list(Worklist(main.index).events("READER", 0)) == []
        assert NonPatientObjects(main.index, "main").get("color-palettes", "1.7.1")


def test_the_index_of_another_archive_tells_nothing_of_this_one(settings: Settings, opened: Open) -> None:
    with opened() as archive:
        main = archive.datasets["main"]
        fill(main)
        plan(main)
        with main.index.database.write() as session:
            session.run("UPDATE lease SET owner = 'another' WHERE name = 'identity'")
    done = rebuild(settings, "objects")
    assert (done.had_index, done.carried) == (True, {})
    assert "is not that of this dataset" in done.lost["worklist"]


def test_whoever_adds_a_table_says_whether_a_rebuild_carries_it() -> None:
    carried = {table for tables in ONLY_HERE.values() for table in tables}
    assert set(metadata.tables) == carried | REMADE | LOST


@pytest.mark.postgres
def test_an_archive_that_moves_to_postgresql_takes_its_worklist_along(
    tmp_path: Any, postgres_server: PostgresServer
) -> None:
    settings = Settings(data=tmp_path / "data")
    with Archive.open(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        main.store(data_set(), Origin("S"), EXPLICIT)
        plan(main)
        before = told(main)
    url = postgres_server.new_database("worklist_moved")
    moved = settings.model_copy(update={"index": IndexSettings(url=url)})
    with pytest.raises(Damaged, match="reindex"):  # which leaves an empty index there
        Archive.open(moved, query_process=False)
    assert rebuild(moved, "objects").carried == CARRIED
    with Archive.open(moved, query_process=False) as archive:
        assert told(archive.datasets["main"]) == before
        Worklist(archive.datasets["main"].index).create(workitem(), "1.5.3")
        assert archive.verify().findings == []
