"""Random histories: after every step the index says what a plain model says, and so does its view of the
catalog, whatever was put, overwritten, deleted, snapshotted, reset, flushed, compacted and pruned before."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from index_model import PATIENT, SERIES, STUDY, Model
from index_objects import put, series_uid, sop_uid, study_uid

from isocenter.dicom.levels import Level
from isocenter.errors import Conflict
from isocenter.index import Index, open_index

TABLE = "instances"


class History:
    """One index, one model, one catalog, and steps that move all three.

    Each step and each look goes through any one of the `opened`, as processes would. `alike`: instances of a
    series mostly tell the same, as those of scanners do.
    """

    def __init__(self, opened: Sequence[Index], seed: int, *, alike: bool = False) -> None:
        self.opened = opened
        self.alike = alike
        self.random = random.Random(seed)
        self.model = Model()
        self.versions: dict[int, frozenset[tuple[str, int]]] = {0: frozenset()}
        self.index.writer.set_heads({TABLE: 0})
        self.names = 0

    @property
    def index(self) -> Index:
        return self.random.choice(self.opened)

    # -- steps -----------------------------------------------------------------------------------------

    def step(self) -> str:
        steps = [
            (self.store, 10),
            (self.delete, 4),
            (self.snapshot, 2),
            (self.reset, 2),
            (self.drop, 1),
            (self.flush, 3),
            (self.compact, 2),
            (self.prune, 1),
            (self.adopt, 2),
        ]
        chosen = self.random.choices([one for one, _ in steps], [weight for _, weight in steps])[0]
        chosen()
        return chosen.__name__

    def some_put(self):
        """One of few objects: what it tells follows from its place and its variant, as bytes do."""
        study, series, number = (self.random.choice(some) for some in ((1, 1, 2, 3), (1, 2), (1, 2, 3, 4)))
        variant = self.random.randint(1, 4)
        if self.alike and self.random.random() < 0.9:
            return put(1, series, self.random.randint(1, 60), content=self.random.choice("aab"))
        pick = random.Random(f"{study}/{series}/{number}/{variant}").choice
        return put(
            study,
            series,
            number,
            content=str(variant),
            PatientID=pick((f"P{study % 2}", f"P{study % 2}", "", "Q")),
            IssuerOfPatientID=pick(("", "", "", "I")),
            PatientName=pick(("A^A", "A^A", "B^B", "")),
            PatientSex=pick(("", "F", "M")),
            StudyDescription=pick(("", "ONE", "TWO")),
            Modality=pick(("CT", "CT", "MR", "")),
            SeriesDescription=pick(("", "x", "y")),
        )

    def store(self) -> None:
        group = [self.some_put() for _ in range(self.random.randint(1, 6))]
        on_conflict = self.random.choice(("keep", "replace", "replace", "reject"))
        told = [outcome.kind for outcome in self.index.writer.commit(group, on_conflict=on_conflict)]
        assert told == [self.model.put(one, on_conflict) for one in group]

    def delete(self) -> None:
        study, series, number = (self.random.randint(1, top) for top in (3, 2, 4))
        level = self.random.choice((Level.STUDY, Level.SERIES, Level.INSTANCE, Level.INSTANCE, Level.PATIENT))
        visible = self.model.state.visible
        if level is Level.PATIENT:
            uid = "P1"
            studies = {one for one, row in self.model.studies().items() if row["PatientID"] == uid}
            gone = [sop for sop, one in visible.items() if one.put.keys["StudyInstanceUID"] in studies]
        else:
            key = f"{'SOP' if level is Level.INSTANCE else level.name.title()}InstanceUID"
            uid = {
                Level.STUDY: study_uid(study),
                Level.SERIES: series_uid(study, series),
                Level.INSTANCE: sop_uid(study, series, number),
            }[level]
            gone = [sop for sop, one in visible.items() if one.put.keys[key] == uid]
        assert self.index.writer.delete(level, uid).instances == self.model.delete(gone)

    def snapshot(self) -> None:
        self.names += 1
        name = f"s{self.names}"
        self.model.snapshot(name)
        assert self.index.writer.snapshot(name).last_seq == self.model.seq

    def reset(self) -> None:
        if not self.model.snapshots:
            return
        name = self.random.choice(sorted(self.model.snapshots))
        pending = {one.name for one in self.index.reader.snapshots() if one.heads is None} - {name}
        if pending:
            with pytest.raises(Conflict):
                self.index.writer.reset(name)
            self.flush()
        self.index.writer.reset(name)
        self.model.reset(name)

    def drop(self) -> None:
        if self.model.snapshots:
            name = self.random.choice(sorted(self.model.snapshots))
            del self.model.snapshots[name]
            self.index.writer.drop_snapshot(name)

    def flush(self) -> None:
        """Exactly up to each pending snapshot, then some more of the tail."""
        for pending in self.index.reader.snapshots():
            if pending.heads is None:
                self._flush(pending.last_seq)
                self.index.writer.set_snapshot_heads(pending.name, self.index.reader.heads())
        self._flush(None, self.random.choice((None, 3)))

    def _flush(self, up_to: int | None, limit: int | None = None) -> None:
        view = self.index.reader.view()
        part = self.index.reader.tail(up_to, limit=limit)
        if part:
            rows = self.versions[view.heads[TABLE]] | {(row.SOPInstanceUID, row.seq) for row in part}
            self.index.writer.flush_done(
                [row.seq for row in part], {TABLE: self._new(rows)}, resets=view.resets
            )

    def compact(self) -> None:
        """Drop from the files what tombstones hide, and the tombstones that then hide nothing."""
        view = self.index.reader.view()
        hidden = {grave.SOPInstanceUID: grave.seq for grave in view.tombstones}
        kept = {(uid, seq) for uid, seq in self.versions[view.heads[TABLE]] if seq > hidden.get(uid, 0)}
        in_tail = {row.SOPInstanceUID for row in view.tail}
        applied = [tuple(grave) for grave in view.tombstones if grave.SOPInstanceUID not in in_tail]
        if any(one.heads is None for one in self.index.reader.snapshots()):
            with pytest.raises(Conflict):
                self.index.writer.set_heads({TABLE: 0}, applied=applied)
            return
        self.index.writer.set_heads({TABLE: self._new(kept)}, applied=applied, resets=view.resets)

    def _new(self, rows) -> int:
        self.versions[len(self.versions)] = frozenset(rows)
        return len(self.versions) - 1

    def prune(self) -> None:
        self.index.writer.prune()
        assert self.index.writer.prune() == 0

    def adopt(self) -> None:
        listed = self.index.reader.conflicts()
        if listed:
            chosen = self.random.choice(listed)
            self.index.writer.adopt_conflict(chosen.id, put=self.model.described[chosen.sha256])
            self.model.adopt(chosen.SOPInstanceUID, chosen.sha256)

    # -- comparing -------------------------------------------------------------------------------------

    def check(self) -> None:
        reader, model = self.index.reader, self.model
        shown = {one.SOPInstanceUID: (one.sha256, one.seq) for one in reader.instances()}
        assert shown == {uid: (one.put.sha256, one.seq) for uid, one in model.state.visible.items()}
        kept = {(one.SOPInstanceUID, one.sha256): one.seq for one in reader.conflicts()}
        assert kept == model.state.conflicts
        self._check_catalog()
        self._check_levels()
        named = {one.put.object for one in model.state.visible.values()}
        for state in model.snapshots.values():
            named |= {one.put.object for one in state.visible.values()}
        assert named <= reader.references(one.object for one in model.described.values())

    def _check_catalog(self) -> None:
        view = self.index.reader.view()
        assert view.last_seq == self.model.seq
        rows = self.versions[view.heads[TABLE]] | {(row.SOPInstanceUID, row.seq) for row in view.tail}
        hidden = {grave.SOPInstanceUID: grave.seq for grave in view.tombstones}
        seen = sorted((uid, seq) for uid, seq in rows if seq > hidden.get(uid, 0))
        assert seen == sorted((uid, one.seq) for uid, one in self.model.state.visible.items())

    def _check_levels(self) -> None:
        for level, wanted, names in (
            (Level.STUDY, self.model.studies(), STUDY),
            (Level.SERIES, self.model.series(), SERIES),
            (Level.PATIENT, self.model.patients(), PATIENT),
        ):
            found = sorted(map(_comparable, self._rows(level, names)))
            assert found == sorted(map(_comparable, wanted.values())), level
        totals = self.index.reader.totals()
        assert totals[:2] == (len(self.model.patients()), len(self.model.studies()))

    def _rows(self, level: Level, names: tuple[str, ...]) -> Iterator[dict[str, object]]:
        others: dict[str, set[tuple[str, str]]] = {}
        with self.index.database.read() as session:
            told = session.rows(
                "SELECT owner, owner_above, keyword, value FROM level_conflict"
                " WHERE level = ? AND v1 IS NULL",
                (level.value,),
            )
            for owner, above, keyword, value in told:
                others.setdefault((owner, above), set()).add((keyword, value))
            key = {"study": "study_key, 0", "series": "series_key, study_key", "patient": "patient_key, 0"}
            more = ', series, "ModalitiesInStudy"' if level is Level.STUDY else ""
            columns = ", ".join(f'"{name}"' for name in names)
            rows = session.rows(
                f"SELECT {key[level.value]}, {columns}, instances, size, first_seq, received{more}"
                f" FROM {level.value} WHERE v1 IS NULL"
            )
        for owner, above, *values in rows:
            all_names = (*names, "instances", "size", "first_seq", "received", "series", "ModalitiesInStudy")
            row = {
                name: value if value is not None else ""
                for name, value in zip(all_names, values, strict=False)
            }
            yield row | {"others": others.pop((owner, above), set())}
        assert others == {}, "values kept for rows that are gone"


def _comparable(row: dict[str, object]) -> str:
    return repr(sorted((name, sorted(v) if isinstance(v, set) else v) for name, v in row.items()))


def run(place: str | Path, seed: int, steps: int, *, alike: bool = False) -> None:
    with open_index(place) as one, open_index(place) as other:
        history = History((one, one, one, other) if alike else (one,), seed, alike=alike)
        done = []
        for _ in range(steps):
            done.append(history.step())
            try:
                history.check()
            except AssertionError as error:
                error.add_note(f"seed {seed}: {' '.join(done)}")
                raise


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_end_like_the_model(place: str | Path, seed: int) -> None:
    run(place, seed, 60)


@pytest.mark.parametrize("seed", range(4))
def test_histories_of_two_processes_that_store_more_of_the_same(place: str | Path, seed: int) -> None:
    run(place, seed, 80, alike=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_random_histories(tmp_path: Path) -> None:
    for seed in range(100, 200):
        run(tmp_path / f"{seed}.db", seed, 60, alike=seed % 2 == 0)
