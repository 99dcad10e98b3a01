"""The tail becomes part of the catalog; what was acknowledged is seen before, during and after."""

from __future__ import annotations

import threading

import pytest
from data_sets import EXPLICIT, data_set
from tests.unit.archive.conftest import OpenArchive

from isocenter.archive import Dataset, Origin
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Range
from isocenter.errors import IsocenterError


def store(dataset: Dataset, first: int, last: int, **values: str | float) -> None:
    for n in range(first, last):
        told = {"SOPInstanceUID": f"1.2.{n}", "InstanceNumber": n, "SliceThickness": n / 10, **values}
        dataset.store(data_set(**told), Origin("SCANNER"), EXPLICIT)


def thicknesses(dataset: Dataset) -> list[float]:
    columns, order = ["InstanceNumber", "SliceThickness"], (("InstanceNumber", "asc"),)
    with dataset.table(Level.INSTANCE, None, columns, order=order) as reader:
        table = reader.read_all()
    assert table.column("InstanceNumber").to_pylist() == [
        round(value * 10) for value in table.column("SliceThickness").to_pylist()
    ]
    return table.column("SliceThickness").to_pylist()


def test_any_attribute_is_found_in_the_tail_the_catalog_and_both(main: Dataset) -> None:
    thin = Range(("SliceThickness",), None, 0.45)
    assert main.count(Level.INSTANCE, thin) == 0
    store(main, 0, 10)
    assert main.count(Level.INSTANCE, thin) == 5
    assert main.flush().rows == 10
    assert main.count(Level.INSTANCE, thin) == 5
    store(main, 10, 15)
    assert thicknesses(main) == [n / 10 for n in range(15)]
    assert main.flush().rows == 5
    assert main.flush().rows == 0
    assert thicknesses(main) == [n / 10 for n in range(15)]
    assert [row["SOPInstanceUID"] for row in main.find(Level.INSTANCE, thin)] == [
        f"1.2.{n}" for n in range(5)
    ]
    assert [one.SOPInstanceUID for one in main.instances(thin)] == [f"1.2.{n}" for n in range(5)]


def test_what_was_deleted_or_replaced_is_gone_from_every_answer(open_archive: OpenArchive) -> None:
    main = open_archive(on_conflict="replace").datasets["main"]
    store(main, 0, 6)
    main.flush()
    main.delete(Level.INSTANCE, "1.2.1")
    store(main, 2, 3, SliceThickness=9.5, InstanceNumber=95)
    assert thicknesses(main) == [0.0, 0.3, 0.4, 0.5, 9.5]
    main.flush()
    assert thicknesses(main) == [0.0, 0.3, 0.4, 0.5, 9.5]
    store(main, 1, 2)
    assert thicknesses(main) == [0.0, 0.1, 0.3, 0.4, 0.5, 9.5]
    main.delete(Level.STUDY, "1.2.3")
    assert thicknesses(main) == []


def test_a_snapshot_is_returned_to_whatever_came_after(main: Dataset) -> None:
    store(main, 0, 5)
    main.snapshot("five")
    store(main, 5, 8)
    main.delete(Level.INSTANCE, "1.2.0")
    main.flush()
    main.snapshot("later")
    main.reset("five")
    assert thicknesses(main) == [n / 10 for n in range(5)]
    store(main, 20, 21)
    main.flush()
    assert len(thicknesses(main)) == 6
    main.reset("later")
    assert thicknesses(main) == [n / 10 for n in range(1, 8)]
    main.vacuum(hours=0)
    main.reset("five")
    assert thicknesses(main) == [n / 10 for n in range(5)]
    assert main.count(Level.INSTANCE) == 5
    main.drop_snapshot("later")
    assert [one.name for one in main.snapshots()] == ["five"]


def test_metadata_is_the_dicom_json_of_each_instance(main: Dataset) -> None:
    store(main, 0, 3, PatientName="Müller^Jürgen")
    main.flush()
    store(main, 3, 4, PatientName="Müller^Jürgen")
    found = dict(main.metadata(Equal(("SeriesInstanceUID",), "1.2.3.1")))
    assert list(found) == ["1.2.0", "1.2.1", "1.2.2", "1.2.3"]
    assert all("Müller^Jürgen" in document for document in found.values())


def test_a_user_asks_in_sql(main: Dataset) -> None:
    store(main, 0, 4)
    main.flush()
    store(main, 4, 6)
    main.delete(Level.INSTANCE, "1.2.5")
    with main.sql("SELECT count(*) AS n, max(SliceThickness) AS thickest FROM instances") as reader:
        assert reader.read_all().to_pylist() == [{"n": 5, "thickest": 0.4}]
    with pytest.raises(IsocenterError):
        main.sql("COPY instances TO '/tmp/stolen.csv'")


def test_columns_are_named_typed_and_described(main: Dataset) -> None:
    store(main, 0, 1)
    found = {one["name"]: one for one in main.columns(Level.INSTANCE)}
    assert (found["SliceThickness"]["type"], found["SliceThickness"]["description"]) == (
        "double",
        "00180050 DS",
    )
    assert all(one["description"] for name, one in found.items() if name.startswith("_"))


def test_flush_runs_beside_ingest_and_nobody_sees_a_moment_between(open_archive: OpenArchive) -> None:
    main, other = (open_archive().datasets["main"] for _ in range(2))
    stop = threading.Event()
    seen: list[int] = []

    def flush() -> None:
        while not stop.is_set():
            other.flush()

    keeper = threading.Thread(target=flush)
    keeper.start()
    for n in range(60):
        store(main, n, n + 1)
        if n % 5 == 0:
            seen.append(len(thicknesses(main)) - (n + 1))
    stop.set()
    keeper.join()
    assert seen == [0] * 12
    assert len(thicknesses(other)) == 60
