"""`Cohorts`: the cohorts of a dataset, and what may be done with them. Methods block: call them in a thread.

A cohort is a row and packed members in the dataset's index, with epochs: a snapshot keeps the cohorts of its
moment, a reset returns to them. A pinned one survives the reset and tells which members are missing since.
Nothing keeps members from being deleted; what is gone is told, never left out in silence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from isocenter.archive import Dataset
from isocenter.catalog import members
from isocenter.cohort import differ
from isocenter.cohort.cohort import Cohort, Reference, reference, valid_name
from isocenter.cohort.differ import Difference
from isocenter.cohort.select import Selected, Wanted, select
from isocenter.dicom.attributes import nearest
from isocenter.dicom.levels import Level
from isocenter.errors import Conflict, NotFound
from isocenter.index import changes, cohorts, epochs
from isocenter.index.cohorts import CohortRow

_TRIES = 3
_MOST_DESCRIPTION = 10_000


@dataclass(frozen=True, slots=True)
class Loss:
    """How many members there are, and how many of them are `missing`, or `changed`: other bytes by now."""

    members: int
    missing: int
    changed: int


class Cohorts:
    """The cohorts of a dataset.

    Args:
        dataset: open.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._database = dataset.index.database

    # -- which there are -------------------------------------------------------------------------------

    def all(self, *, versions: bool = False) -> list[Cohort]:
        """The latest version of each, by name; with `versions` all of them."""
        with self._database.read() as session:
            rows = cohorts.listed(session)
        if not versions:
            rows = list({row.name: row for row in rows}.values())
        return [self._cohort(row) for row in rows]

    def get(self, wanted: str | Reference) -> Cohort:
        """One cohort, by `name` (the latest version) or `name@version`. Raises NotFound, BadRequest."""
        asked = reference(wanted) if isinstance(wanted, str) else wanted
        with self._database.read() as session:
            rows = cohorts.versions(session, asked.name)
            found = [row for row in rows if asked.version in (None, row.version)]
            if found:
                return self._cohort(found[-1])
            names = sorted({row.name for row in cohorts.listed(session)})
        raise _unknown(asked, rows, names)

    # -- freezing --------------------------------------------------------------------------------------

    def freeze(
        self, name: str, wanted: Wanted, *, by: str, description: str = "", pinned: bool = False
    ) -> Cohort:
        """Freeze what a question selects now, as the next version of a name.

        Args:
            name: 100 characters at most, without `/` and `@`.
            wanted: the question.
            by: who freezes it.
            description: for people.
            pinned: whether it survives a reset of the dataset.

        Raises:
            BadRequest: the name is none, or the question cannot be asked.
            NotFound: a UID of the question is not there.
            Conflict: the dataset was reset meanwhile, again and again.
        """
        valid_name(name)
        for _ in range(_TRIES):
            selected = select(self._dataset, wanted)
            row = _row(name, wanted, selected, by, description[:_MOST_DESCRIPTION], pinned)
            with self._database.write() as session:
                if epochs.current(session).resets == selected.moment["resets"]:
                    row = replace(row, version=cohorts.next_version(session, name), frozen=changes.now())
                    cohorts.add(session, row, selected.parts)
                    return self._cohort(row)
        raise Conflict("The dataset was reset while the cohort was selected", hint="try again")

    def pin(self, cohort: Cohort, pinned: bool) -> Cohort:
        """Let a reset of the dataset take the cohort back, or not."""
        with self._database.write() as session:
            row = self._now(cohort, cohorts.versions(session, cohort.row.name))
            changed = replace(row, pinned=int(pinned))
            if changed != row:
                cohorts.pin(session, changed)
        return self._cohort(changed)

    def delete(self, wanted: Reference, may: Callable[[Cohort], None] = lambda _: None) -> list[Cohort]:
        """Delete a version, or all of a name.

        Args:
            wanted: what; without a version all of them.
            may: raises for a cohort that may not be deleted; then none is.
        """
        with self._database.write() as session:
            known = cohorts.versions(session, wanted.name)
            rows = [row for row in known if wanted.version in (None, row.version)]
            if not rows:
                raise _unknown(wanted, known, [])
            gone = [self._cohort(row) for row in rows]
            for one in gone:
                may(one)
            cohorts.remove(session, rows)
        return gone

    # -- members ---------------------------------------------------------------------------------------

    def members(self, cohort: Cohort, level: Level = Level.INSTANCE) -> pa.RecordBatchReader:
        """The UIDs of the members, as they were frozen, at a level: its own and those above it."""
        schema = pa.schema([(name, pa.string()) for name in members.path_of(level)])
        seen: set[tuple[str, ...]] = set()
        batches = (members.at_level(batch, level, seen) for batch in self._batches(cohort))
        return pa.RecordBatchReader.from_batches(schema, batches)

    def lost(self, cohort: Cohort) -> pa.RecordBatchReader:
        """The members that are `missing` now, or `changed`: `what` and their UIDs."""
        return self._dataset.lost(cohort.row.members)

    def loss(self, cohort: Cohort) -> Loss:
        """How many those are."""
        counted = {"missing": 0, "changed": 0}
        with self.lost(cohort) as reader:
            for batch in reader:
                for what in batch.column("what").to_pylist():
                    counted[what] += 1
        return Loss(cohort.row.instances, **counted)

    def missing_at(self, cohort: Cohort, level: Level) -> int:
        """How many rows of a level were frozen and have no instance left."""
        present = self._dataset.count(level, members=cohort.row.members)
        frozen = {Level.STUDY: cohort.row.studies, Level.SERIES: cohort.row.series}
        return frozen.get(level, cohort.row.instances) - present

    def verify(self, cohort: Cohort) -> dict[str, Any]:
        """Whether the members are those that the digest says, and whether they are there unchanged.

        Returns:
            `ok`, `digest` (whether the UIDs give it), `members`, `missing` and `changed`.
        """
        uids = hashlib.sha256()
        for batch in self._batches(cohort):
            uids.update("".join(f"{uid}\n" for uid in batch.column("SOPInstanceUID").to_pylist()).encode())
        right, loss = uids.hexdigest() == cohort.row.digest, self.loss(cohort)
        return {"ok": right and not loss.missing and not loss.changed, "digest": right, **asdict(loss)}

    def compare(self, old: Cohort, new: Cohort, level: Level) -> Difference:
        """What of a level `new` has and `old` has not, and the other way round."""
        return differ.difference(self.members(old, level), self.members(new, level), level)

    def _batches(self, cohort: Cohort) -> Iterator[pa.RecordBatch]:
        """The members, a part at a time; no transaction stays open while somebody reads slowly."""
        with self._database.read() as session:
            ids = cohorts.part_ids(session, cohort.row.members)
        for one in ids:
            with self._database.read() as session:
                content = cohorts.part_content(session, one)
            yield members.unpack(content)

    def _cohort(self, row: CohortRow) -> Cohort:
        return Cohort(self._dataset.name, row)

    def _now(self, cohort: Cohort, rows: list[CohortRow]) -> CohortRow:
        for row in rows:
            if row.version == cohort.row.version:
                return row
        raise NotFound(f"The cohort {cohort.id} was deleted")


def _row(name: str, wanted: Wanted, selected: Selected, by: str, description: str, pinned: bool) -> CohortRow:
    return CohortRow(
        name=name,
        version=0,
        level=wanted.level.value,
        query=json.dumps(wanted.to_json(), ensure_ascii=False),
        digest=selected.digest,
        members=selected.members,
        **asdict(selected.scale),
        seq=selected.moment["seq"],
        heads=json.dumps(selected.moment["heads"], sort_keys=True),
        frozen_by=by,
        frozen=0,
        description=description,
        pinned=int(pinned),
    )


def _unknown(asked: Reference, rows: list[CohortRow], names: list[str]) -> NotFound:
    if rows:
        hint = f"there are {', '.join(str(row.version) for row in rows)}"
        return NotFound(f"The cohort {asked.name!r} has no version {asked.version}", hint=hint)
    near = nearest(asked.name, tuple(names))
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names[:20])}" if names else ""
    return NotFound(f"There is no cohort {asked.name!r}", hint=hint)
