"""What distinguishes two cohorts: the rows that were added, and those that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from isocenter.catalog.members import path_of
from isocenter.dicom.levels import Level

ADDED, REMOVED = "added", "removed"
_AT_ONCE = 20_000

Rows = list[tuple[str, ...]]


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
    added: Rows
    removed: Rows
    common: int

    def table(self) -> pa.RecordBatchReader:
        """`what` (`added` or `removed`) and the UIDs."""
        names = ("what", *path_of(self.level))
        schema = pa.schema([(name, pa.string()) for name in names])

        def batches() -> Iterator[pa.RecordBatch]:
            for what, rows in ((ADDED, self.added), (REMOVED, self.removed)):
                for start in range(0, len(rows), _AT_ONCE):
                    part = [(what, *row) for row in rows[start : start + _AT_ONCE]]
                    columns = [pa.array(column, pa.string()) for column in zip(*part, strict=True)]
                    yield pa.record_batch(columns, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())


def difference(old: pa.RecordBatchReader, new: pa.RecordBatchReader, level: Level) -> Difference:
    """Compare the members of two cohorts at a level."""
    before, after = _rows(old), _rows(new)
    return Difference(level, sorted(after - before), sorted(before - after), len(before & after))


def _rows(reader: pa.RecordBatchReader) -> set[tuple[str, ...]]:
    with reader:
        return {
            row
            for batch in reader
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        }
