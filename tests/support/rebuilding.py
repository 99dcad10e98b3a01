"""What the rebuild tests share: a dataset with a bit of everything, and all that it says."""

from __future__ import annotations

from typing import Any

from data_sets import EXPLICIT, data_set

from isocenter.archive import Dataset, Origin, Rebuilt
from isocenter.archive import rebuild as rebuild_dataset
from isocenter.archive.rebuild import Source
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.index import drop_index
from isocenter.objects import LocalStore

Rows = list[dict[str, Any]]
FILES = ("index.db", "index.db-wal", "index.db-shm")


def fill(main: Dataset) -> None:
    """Three series of two studies, with values that disagree, a conflict object, a deletion, and a tail."""
    for n in range(12):
        told = {
            "StudyInstanceUID": f"1.{n % 2}",
            "SeriesInstanceUID": f"1.{n % 2}.{n % 3}",
            "SOPInstanceUID": f"1.2.{n}",
            "InstanceNumber": 100 - n,
            "PatientName": f"Doe^{'Jane' if n > 5 else 'Janet'}",
            "StudyDescription": "" if n < 3 else f"Text {n}",
            "SliceThickness": n / 10,
        }
        main.store(data_set(**told), Origin(f"SCANNER{n % 3}", "ISOCENTER"), EXPLICIT)
        if n == 7:
            main.store(data_set(**{**told, "InstanceNumber": 5}), Origin("OTHER", "ISOCENTER"), EXPLICIT)
            main.flush()
    main.store(data_set(**{**told, "InstanceNumber": 6}), Origin("OTHER", "ISOCENTER"), EXPLICIT)


def index_rows(main: Dataset) -> dict[str, Rows]:
    """Everything the index says, but for sequences."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if "seq" not in name}

    return {level.value: [plain(row) for row in main.find(level)] for level in Level} | {
        "conflicts": [{"object": one.object, "received": one.received} for one in main.conflicts()]
    }


def catalog_rows(main: Dataset) -> Rows:
    with main.table(Level.INSTANCE, None, ["*"]) as reader:
        rows = reader.read_all().to_pylist()
    for row in rows:
        row.pop("_seq")
    return sorted(rows, key=lambda row: str(row["SOPInstanceUID"]))


def rebuild(settings: Settings, source: Source, name: str = "main", **options: Any) -> Rebuilt:
    store = LocalStore(settings.data / "objects")
    try:
        return rebuild_dataset(settings, name, store, source=source, **options)
    finally:
        store.close()


def lose_index(settings: Settings, name: str = "main") -> None:
    """As if somebody removed it."""
    if settings.index.url is not None:
        drop_index(settings.index.url, name)
    for file in FILES:
        (settings.data / "datasets" / name / file).unlink(missing_ok=True)
