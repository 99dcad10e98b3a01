"""Random histories of a dataset against a model that is three dictionaries.

Put, overwrite, delete, snapshot, reset and drop in any order, and between them flush, compaction, vacuum,
prune, sweep and a new start: after every step index and catalog hold what the model holds, and every object
is there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set

from isocenter.archive import Archive, Dataset, Origin
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.errors import Conflict

Content = dict[str, tuple[str, int]]
"""SOP Instance UID to the series and variant that are visible."""
Beside = frozenset[tuple[str, int]]
"""SOP Instance UIDs and variants that are kept as conflict objects."""

SERIES = ("1.2.1", "1.2.2", "1.3.1")
UIDS = tuple(f"{series}.{n}" for series in SERIES for n in range(4))


class Pair:
    """A dataset and its model, and the steps that both take."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.settings = Settings(data=folder, on_conflict=self.random.choice(["keep", "replace"]))
        self.model: Content = {}
        self.beside: Beside = frozenset()
        self.snapshots: dict[str, tuple[Content, Beside]] = {}
        self.steps: list[str] = []
        self.archive = Archive.open(self.settings, query_process=False)

    @property
    def main(self) -> Dataset:
        return self.archive.datasets["main"]

    def step(self) -> None:
        """One random step."""
        names = [name for name, weight in WEIGHTS.items() for _ in range(weight)]
        name = self.random.choice(names)
        self.steps.append(name)
        getattr(self, name)()

    def put(self) -> None:
        uid = self.random.choice(UIDS)
        series, variant = uid.rsplit(".", 1)[0], self.random.randrange(3)
        raw = data_set(
            StudyInstanceUID=series.rsplit(".", 1)[0],
            SeriesInstanceUID=series,
            SOPInstanceUID=uid,
            InstanceNumber=variant,
            SliceThickness=variant / 10,
        )
        self.steps[-1] += f" {uid} {variant}"
        known = self.model.get(uid)
        outcome = self.main.store(raw, Origin("SCANNER"), EXPLICIT).kind
        if known is None:
            assert outcome == "stored"
        elif known[1] == variant or (uid, variant) in self.beside:
            assert outcome == "duplicate"
            return
        elif self.settings.on_conflict == "keep":
            assert outcome == "conflict"
            self.beside |= {(uid, variant)}
            return
        else:
            assert outcome == "replaced"
        self.model[uid] = series, variant

    def delete(self) -> None:
        uid = self.random.choice(UIDS)
        level = self.random.choice([Level.INSTANCE, Level.INSTANCE, Level.SERIES, Level.STUDY])
        cut = {Level.INSTANCE: 0, Level.SERIES: 1, Level.STUDY: 2}[level]
        target = uid.rsplit(".", cut)[0] if cut else uid
        self.steps[-1] += f" {level.value} {target}"
        gone = {one for one in self.model if one == target or one.startswith(target + ".")}
        assert self.main.delete(level, target).instances == len(gone)
        for one in gone:
            del self.model[one]
        self.beside = frozenset(one for one in self.beside if one[0] not in gone)

    def snapshot(self) -> None:
        name = f"s{len(self.steps)}"
        self.main.snapshot(name)
        self.snapshots[name] = dict(self.model), self.beside

    def snapshot_and_die(self) -> None:
        """A process that is killed between the snapshot and its flush."""
        name = f"s{len(self.steps)}"
        self.main.index.writer.snapshot(name)
        self.snapshots[name] = dict(self.model), self.beside

    def reset(self) -> None:
        if self.snapshots:
            name = self.random.choice(sorted(self.snapshots))
            self.steps[-1] += f" {name}"
            self.main.reset(name)
            self.model, self.beside = dict(self.snapshots[name][0]), self.snapshots[name][1]

    def drop(self) -> None:
        if self.snapshots:
            name = self.random.choice(sorted(self.snapshots))
            self.main.drop_snapshot(name)
            del self.snapshots[name]

    def flush(self) -> None:
        self.main.flush()

    def flush_and_die(self) -> None:
        """Killed when the catalog was written and the index not yet."""

        def dies(*_: object, **__: object) -> None:
            raise Conflict("killed")

        writer = self.main.index.writer
        writer.flush_done = dies  # type: ignore[method-assign]
        try:
            rows = self.main.index.reader.tail()
            if rows:
                self.main.flushing._append(rows, self.main.index.reader.view())
        finally:
            del writer.flush_done  # type: ignore[method-assign]

    def compact(self) -> None:
        self.main.compact(thorough=self.random.random() < 0.7)

    def vacuum(self) -> None:
        self.main.vacuum(hours=0)

    def prune(self) -> None:
        self.main.index.writer.prune()

    def sweep(self) -> None:
        self.archive.sweep(grace=-5)

    def reopen(self) -> None:
        self.archive.close()
        self.archive = Archive.open(self.settings, query_process=False)

    def check(self, *, catalog: bool = True) -> None:
        """Index, catalog and objects against the model."""
        assert self.in_index() == self.model
        if catalog:
            assert self.in_catalog() == self.model
        assert Counter(one.SOPInstanceUID for one in self.main.conflicts()) == Counter(
            uid for uid, _ in self.beside
        )
        assert self.main.count(Level.INSTANCE) == len(self.model)
        assert {one.name for one in self.main.snapshots()} == set(self.snapshots)
        for instance in self.main.instances():
            assert self.main.objects.info(instance.object) is not None

    def in_index(self) -> Content:
        return {
            one.SOPInstanceUID: (one.SeriesInstanceUID, one.InstanceNumber or 0)
            for one in self.main.instances()
        }

    def in_catalog(self) -> Content:
        columns = ["SOPInstanceUID", "SeriesInstanceUID", "SliceThickness"]
        with self.main.table(Level.INSTANCE, None, columns) as reader:
            rows = reader.read_all().to_pylist()
        content = {row[columns[0]]: (row[columns[1]], round((row[columns[2]] or 0) * 10)) for row in rows}
        assert len(content) == len(rows)
        return content

    def check_snapshots(self) -> None:
        """Every snapshot still gives what it was taken of, and the derived tables agree."""
        for name, (content, beside) in self.snapshots.items():
            self.main.reset(name)
            self.model, self.beside = content, beside
            self.check()
        with self.main.sql("SELECT SeriesInstanceUID AS uid, instances FROM series") as reader:
            told = {row["uid"]: row["instances"] for row in reader.read_all().to_pylist()}
        assert told == Counter(series for series, _ in self.model.values())


WEIGHTS = {
    "put": 12, "delete": 4, "snapshot": 2, "snapshot_and_die": 1, "reset": 2, "drop": 1, "flush": 3,
    "flush_and_die": 1, "compact": 2, "vacuum": 1, "prune": 1, "sweep": 1, "reopen": 1,
}  # fmt: skip


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """Folders in memory where there is such a place: histories are about order, not about disks."""
    import shutil
    import tempfile

    base = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="isocenter-", dir=base if base.is_dir() else None))
    count = iter(range(1_000_000))
    yield lambda: root / str(next(count))
    shutil.rmtree(root)


def run(folder: Path, seed: int, steps: int) -> None:
    pair = Pair(folder, seed)
    try:
        for number in range(steps):
            pair.step()
            pair.check(catalog=number % 3 == 2 or number == steps - 1)
        pair.check_snapshots() if seed % 10 == 0 else None
    except BaseException as error:
        error.add_note(f"seed {seed}, {pair.settings.on_conflict}: {'; '.join(pair.steps)}")
        raise
    finally:
        pair.archive.close()


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_histories(first: int, folders: Callable[[], Path]) -> None:
    for seed in range(first, first + 10):
        run(folders(), seed, 24)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1000, 4000, 500))
def test_thousands_of_longer_histories(first: int, folders: Callable[[], Path]) -> None:
    for seed in range(first, first + 500):
        run(folders(), seed, 60)
