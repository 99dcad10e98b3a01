"""What distinguishes two cohorts: the rows that were added, and those that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from isocenter.catalog.members import path_of
from isocenter.dicom.levels import Level

ADDED, REMOVED = "added", "removed"
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Difference:
    """Rows of a level, each the UIDs from the study down, in their order.

    Attributes:
        level: what a row is.
        added: only in the new one.
        removed: only in the old one.
        common: how many are in both.
    """

    level: Level
    added: pa.Table
    removed: pa.Table
    common: int

    def table(self) -> pa.RecordBatchReader:
        """`what` (`added` or `removed`) and the UIDs."""
        names = ("what", *path_of(self.level))
        schema = pa.schema([(name, pa.string()) for name in names])

        def batches() -> Iterator[pa.RecordBatch]:
            for what, rows in ((ADDED, self.added), (REMOVED, self.removed)):
                told = pa.array([what] * rows.num_rows, pa.string())
                yield from rows.add_column(0, "what", told).to_batches(_AT_ONCE)

        return pa.RecordBatchReader.from_batches(schema, batches())


def difference(old: pa.RecordBatchReader, new: pa.RecordBatchReader, level: Level) -> Difference:
    """Compare the members of two cohorts at a level, by the UIDs of that level."""
    with old, new:
        before, after = old.read_all(), new.read_all()
    added, removed = _beyond(after, before, level), _beyond(before, after, level)
    return Difference(level, added, removed, after.num_rows - added.num_rows)


def _beyond(rows: pa.Table, others: pa.Table, level: Level) -> pa.Table:
    """The rows whose UID none of the others has."""
    known = pc.is_in(rows.column(level.unique_key), value_set=others.column(level.unique_key))
    return rows.filter(pc.invert(known)).sort_by([(name, "ascending") for name in path_of(level)])
