"""Compaction writes only when there is something to gain, and every answer stays right."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set

from isocenter.archive import Dataset, Origin
from isocenter.dicom.levels import Level


def store(dataset: Dataset, first: int, last: int) -> None:
    for n in range(first, last):
        raw = data_set(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n)
        dataset.store(raw, Origin("SCANNER"), EXPLICIT)


def series_sizes(dataset: Dataset) -> list[int]:
    with dataset.sql("SELECT instances AS n FROM series") as reader:
        return [row["n"] for row in reader.read_all().to_pylist()]


def written(dataset: Dataset) -> tuple[int, ...]:
    """Files of the catalog, the last sequence, the last line of the change log."""
    files = [path for path in Path(dataset.catalog.root).rglob("*") if path.is_file()]
    return len(files), dataset.index.reader.view().last_seq, dataset.index.reader.last_change()


@pytest.mark.parametrize("deleted", [1, 0])
def test_a_few_deleted_instances_do_not_make_every_compaction_write(main: Dataset, deleted: int) -> None:
    store(main, 0, 60)
    main.flush()
    for n in range(deleted):
        main.delete(Level.INSTANCE, f"1.2.{n}")
    main.compact()
    before = written(main)
    for _ in range(3):
        assert main.compact() == []
    assert written(main) == before
    assert series_sizes(main) == [60 - deleted]


def test_what_is_derived_is_right_when_a_tombstone_ends_and_others_stay(main: Dataset) -> None:
    store(main, 0, 60)
    main.flush()
    main.delete(Level.INSTANCE, "1.2.0")
    store(main, 60, 62)
    main.flush()
    main.delete(Level.INSTANCE, "1.2.61")
    assert series_sizes(main) == [60]
    assert "instances" in main.compact()
    assert series_sizes(main) == [60]
    assert main.compact(thorough=True)
    assert main.index.reader.view().tombstones == []
    assert series_sizes(main) == [60]
    with main.table(Level.INSTANCE, None, ["SOPInstanceUID"]) as reader:
        assert reader.read_all().num_rows == 60


def test_a_tombstone_that_hides_a_row_of_the_tail_stays_until_its_flush(main: Dataset) -> None:
    store(main, 0, 1)
    main.flush()
    store(main, 1, 2)
    main.delete(Level.INSTANCE, "1.2.1")
    for _ in range(2):
        main.compact(thorough=True)
        with main.table(Level.INSTANCE, None, ["SOPInstanceUID"]) as reader:
            assert reader.read_all()["SOPInstanceUID"].to_pylist() == ["1.2.0"]
        main.flush()
    assert series_sizes(main) == [1]
