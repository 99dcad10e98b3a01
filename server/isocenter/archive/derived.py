"""The derived tables of the catalog, kept with `instances`: made again for the series that a flush touches.

Loads DuckDB, so only what flushes, compacts or answers research questions imports it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from isocenter.catalog.query import TOMBSTONES, Engine, Scope
from isocenter.catalog.tables import DERIVED, derive, newest
from isocenter.index import Tombstone

__all__ = ["DERIVED", "Deriving", "newest", "tombstone_table"]


def tombstone_table(tombstones: Sequence[Tombstone]) -> pa.Table | None:
    """Tombstones as the catalog takes them; None when there are none."""
    if not tombstones:
        return None
    columns = [list(column) for column in zip(*tombstones, strict=True)]
    return pa.table(dict(zip(TOMBSTONES.names, columns, strict=True)), schema=TOMBSTONES)


class Deriving:
    """Makes rows of the derived tables; keeps its DuckDB warm."""

    def __init__(self) -> None:
        self._engine = Engine()

    def rows(
        self, files: Sequence[str], tail: pa.Table | None, tombstones: Sequence[Tombstone], seq: int
    ) -> dict[str, list[pa.RecordBatch]]:
        """Rows, by table, of the series that new rows or tombstones touch.

        Args:
            files: data files of the visible version of `instances`.
            tail: the rows that are flushed; None when only tombstones count.
            tombstones: those that hold.
            seq: of the rows; above that of all rows derived before.
        """
        if tail is None and not files:
            return {}
        made = derive(self._engine, Scope(tuple(files), tail, tombstone_table(tombstones)), seq)
        return {table: rows.combine_chunks().to_batches() for table, rows in made.items()}

    def close(self) -> None:
        """End DuckDB."""
        self._engine.close()
