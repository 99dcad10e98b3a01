"""Cohorts: what one says of itself, what becomes of it when the dataset goes on; on each database."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from data_sets import EXPLICIT, data_set
from postgres_server import PostgresServer

from isocenter.archive import Archive, Dataset, Origin
from isocenter.cohort import Cohort, Cohorts, Wanted, reference
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Range
from isocenter.errors import BadRequest, NotFound

_names = itertools.count()
THIN = Range(("SliceThickness",), None, 2.0, high_open=True)
CT = Equal(("Modality",), "CT")


def store(dataset: Dataset, number: int, *, study: str = "1.2.3", series: int = 1, **values: Any) -> str:
    uid = f"{study}.{series}.{number}"
    raw = data_set(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.{series}",
        SOPInstanceUID=uid,
        InstanceNumber=number,
        **values,
    )
    dataset.store(raw, Origin("TEST"), EXPLICIT)
    return uid


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(f"cohort_{next(_names)}")


@pytest.fixture
def main(tmp_path: Path, url: str | None) -> Iterator[Dataset]:
    """Two thin and a thick instance of one series, another series, and a study of MR."""
    settings = Settings(data=tmp_path / "data", index={"url": url}, on_conflict="replace")
    with Archive.open(settings, query_process=False) as archive:
        dataset = archive.datasets["main"]
        for number, thickness in ((1, "1"), (2, "1.5"), (3, "5")):
            store(dataset, number, SliceThickness=thickness)
        store(dataset, 1, series=2, SliceThickness="3")
        store(dataset, 1, study="1.2.4", Modality="MR", SliceThickness="1")
        yield dataset


@pytest.fixture
def cohorts(main: Dataset) -> Cohorts:
    return Cohorts(main)


def uids(cohorts: Cohorts, cohort: Cohort, level: Level = Level.INSTANCE) -> list[str]:
    with cohorts.members(cohort, level) as reader:
        return reader.read_all().column(level.unique_key).to_pylist()


def lost(cohorts: Cohorts, cohort: Cohort) -> list[tuple[str, str]]:
    with cohorts.lost(cohort) as reader:
        return [(row["what"], row["SOPInstanceUID"]) for row in reader.read_all().to_pylist()]


def test_a_cohort_of_instances_has_those_that_were_asked_for(cohorts: Cohorts) -> None:
    made = cohorts.freeze("thin-ct", Wanted(predicate=THIN & CT), by="ada", description="thin slices")
    assert uids(cohorts, made) == ["1.2.3.1.1", "1.2.3.1.2"]
    told = made.to_json()
    assert (told["id"], told["studies"], told["series"], told["instances"]) == ("thin-ct@1", 1, 1, 2)
    assert (told["frozen_by"], told["description"], told["catalog"]["seq"]) == ("ada", "thin slices", 5)
    assert told["query"]["level"] == "instance"
    assert "SliceThickness" in told["query"]["text"]


def test_a_cohort_of_series_has_all_instances_of_each_and_none_that_come_later(
    main: Dataset, cohorts: Cohorts
) -> None:
    made = cohorts.freeze("series", Wanted(Level.SERIES, THIN & CT), by="ada")
    store(main, 4, SliceThickness="1")
    assert uids(cohorts, made) == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3"]
    assert uids(cohorts, made, Level.SERIES) == ["1.2.3.1"]
    table = main.table(
        Level.SERIES, columns=["NumberOfSeriesRelatedInstances"], members=made.row.members
    ).read_all()
    assert table.column(0).to_pylist() == [3]


def test_the_digest_can_be_made_by_whoever_has_the_uids(cohorts: Cohorts) -> None:
    made = cohorts.freeze("all", Wanted(), by="ada")
    lines = "".join(f"{uid}\n" for uid in sorted(uids(cohorts, made)))
    assert made.row.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert made.row.digest in made.citation


def test_a_new_freeze_is_the_next_version_and_leaves_the_first(main: Dataset, cohorts: Cohorts) -> None:
    first = cohorts.freeze("mr", Wanted(predicate=Equal(("Modality",), "MR")), by="ada")
    store(main, 2, study="1.2.4", Modality="MR")
    second = cohorts.freeze("mr", Wanted(predicate=Equal(("Modality",), "MR")), by="bob")
    assert [one.id for one in cohorts.all()] == ["mr@2"]
    assert [one.id for one in cohorts.all(versions=True)] == ["mr@1", "mr@2"]
    assert cohorts.get("mr") == second
    assert uids(cohorts, cohorts.get("mr@1")) == ["1.2.4.1.1"]
    difference = cohorts.compare(first, second, Level.INSTANCE)
    assert difference.added.column("SOPInstanceUID").to_pylist() == ["1.2.4.1.2"]
    assert (difference.removed.num_rows, difference.common) == (0, 1)


def test_what_is_deleted_is_told_and_what_came_anew_is_changed(main: Dataset, cohorts: Cohorts) -> None:
    made = cohorts.freeze("ct", Wanted(predicate=CT), by="ada")
    assert cohorts.verify(made) == {"ok": True, "digest": True, "members": 4, "missing": 0, "changed": 0}
    main.delete(Level.SERIES, "1.2.3.2")
    store(main, 2, SliceThickness="9")
    assert lost(cohorts, made) == [("changed", "1.2.3.1.2"), ("missing", "1.2.3.2.1")]
    assert cohorts.verify(made) == {"ok": False, "digest": True, "members": 4, "missing": 1, "changed": 1}
    assert cohorts.missing_at(made, Level.SERIES) == 1
    assert main.count(Level.INSTANCE, members=made.row.members) == 3
    assert len(uids(cohorts, made)) == 4


def test_it_is_the_same_before_and_behind_a_flush(main: Dataset, cohorts: Cohorts) -> None:
    before = cohorts.freeze("ct", Wanted(predicate=CT), by="ada")
    main.flush()
    after = cohorts.freeze("ct", Wanted(predicate=CT), by="ada")
    assert before.row.digest == after.row.digest
    assert lost(cohorts, before) == []
    assert after.to_json()["catalog"]["heads"]["instances"] >= 0


def test_a_cut_and_sorted_question_freezes_its_rows(cohorts: Cohorts) -> None:
    wanted = Wanted(Level.INSTANCE, CT, order=(("SliceThickness", "desc"),), limit=1)
    assert uids(cohorts, cohorts.freeze("thickest", wanted, by="ada")) == ["1.2.3.1.3"]


def test_uids_and_a_cohort_within_another(cohorts: Cohorts) -> None:
    study = cohorts.freeze("one", Wanted(Level.STUDY, uids=("1.2.3",)), by="ada")
    inner = cohorts.freeze("inner", Wanted(predicate=THIN, within=(study.id, study.row.members)), by="ada")
    assert uids(cohorts, inner) == ["1.2.3.1.1", "1.2.3.1.2"]
    assert inner.to_json()["query"]["cohort"] == "one@1"
    with pytest.raises(NotFound, match="1 of the 2"):
        cohorts.freeze("unknown", Wanted(Level.STUDY, uids=("1.2.3", "1.9")), by="ada")


def test_nothing_can_be_frozen_too(cohorts: Cohorts, main: Dataset) -> None:
    made = cohorts.freeze("none", Wanted(predicate=Equal(("Modality",), "PT")), by="ada")
    assert (uids(cohorts, made), lost(cohorts, made)) == ([], [])
    assert main.count(Level.STUDY, members=made.row.members) == 0


def test_a_reset_returns_cohorts_too_and_leaves_pinned_ones(main: Dataset, cohorts: Cohorts) -> None:
    kept = cohorts.freeze("kept", Wanted(predicate=CT), by="ada")
    main.snapshot("exam")
    late = store(main, 5)
    cohorts.freeze("kept", Wanted(predicate=CT), by="ada")
    cohorts.freeze("gone", Wanted(), by="ada")
    pinned = cohorts.freeze("pinned", Wanted(predicate=CT), by="ada", pinned=True)
    cohorts.delete(reference("kept@1"))
    main.reset("exam")
    assert [one.id for one in cohorts.all(versions=True)] == ["kept@1", "pinned@1"]
    assert uids(cohorts, cohorts.get("kept")) == uids(cohorts, kept)
    assert lost(cohorts, pinned) == [("missing", late)]
    # a version that somebody may have cited is given to no other
    assert cohorts.freeze("kept", Wanted(), by="ada").row.version == 3
    main.reset("exam")
    assert [one.id for one in cohorts.all(versions=True)] == ["kept@1", "pinned@1"]


def test_members_stay_while_any_version_or_snapshot_has_them(main: Dataset, cohorts: Cohorts) -> None:
    def parts() -> int:
        with main.index.database.read() as session:
            return int(session.rows("SELECT COUNT(*) FROM cohort_part")[0][0])

    cohorts.freeze("a", Wanted(predicate=CT), by="ada")
    cohorts.freeze("b", Wanted(predicate=CT), by="ada")
    assert parts() == 1
    cohorts.delete(reference("a"))
    assert parts() == 1
    main.snapshot("exam")
    cohorts.delete(reference("b"))
    main.index.writer.prune()
    assert parts() == 1
    main.drop_snapshot("exam")
    main.index.writer.prune()
    assert parts() == 0


def test_pinning_is_a_change_of_its_own_epoch(main: Dataset, cohorts: Cohorts) -> None:
    made = cohorts.freeze("x", Wanted(), by="ada")
    main.snapshot("exam")
    assert cohorts.pin(made, True).row.pinned == 1
    main.reset("exam")
    assert cohorts.get("x").row.pinned == 1
    cohorts.pin(made, False)
    main.reset("exam")
    assert cohorts.get("x").row.pinned == 0


def test_names(cohorts: Cohorts) -> None:
    for bad in ("", " a", "a/b", "a@1", "x" * 101, "a\nb"):
        with pytest.raises(BadRequest):
            cohorts.freeze(bad, Wanted(), by="ada")
    cohorts.freeze("thin-ct", Wanted(), by="ada")
    with pytest.raises(NotFound, match="did you mean thin-ct"):
        cohorts.get("thinct")
    with pytest.raises(NotFound, match="there are 1"):
        cohorts.get("thin-ct@2")


def test_what_a_cohort_froze_is_not_swept_though_it_was_deleted_or_replaced(
    tmp_path: Path, url: str | None
) -> None:
    settings = Settings(data=tmp_path / "data", index={"url": url}, on_conflict="replace")
    with Archive.open(settings, query_process=False) as archive:
        dataset = archive.datasets["main"]
        store(dataset, 1, SliceThickness="1")
        store(dataset, 2, SliceThickness="1")
        store(dataset, 7, study="1.02.x", SliceThickness="1")  # broken UIDs are stored under their hash
        Cohorts(dataset).freeze("ct", Wanted(predicate=CT), by="ada")
        dataset.delete(Level.INSTANCE, "1.2.3.1.1")
        dataset.delete(Level.STUDY, "1.02.x")
        (tmp_path / "data" / "objects" / "notes.txt").write_text("somebody's")
        store(dataset, 2, SliceThickness="9")
        store(dataset, 3, SliceThickness="1")
        dataset.delete(Level.INSTANCE, "1.2.3.1.3")
        assert [path.rpartition("/")[2][:9] for path in archive.sweep(grace=-5).removed] == ["1.2.3.1.3"]
        Cohorts(dataset).delete(reference("ct"))
        dataset.index.writer.prune()
        assert len(archive.sweep(grace=-5).removed) == 3
