"""Compaction and vacuum of a dataset's catalog: where tombstones end and old files go.

A tombstone ends when no file of the new head has a row that it hides; one that hides a row still in the
tail stays. Snapshots keep their versions, and their files.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from isocenter.archive.flush import Flush
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.index import Index, Tombstone, View

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upkeep:
    """Compacts and vacuums one dataset.

    Args:
        index: of the dataset.
        catalog: of the dataset.
        lock: of the catalog.
        flush: of the dataset.
    """

    index: Index
    catalog: Catalog
    lock: CatalogLock
    flush: Flush

    def compact(self, *, thorough: bool = False) -> list[str]:
        """Rewrite what is small or holds many dead rows; the tables that were rewritten.

        Args:
            thorough: rewrite whatever is small or has a dead row at all.

        Raises:
            Conflict: the dataset was reset meanwhile; nothing changed.
        """
        from isocenter.archive.derived import DERIVED, newest, tombstone_table

        with self.lock.held():
            self.flush.complete_snapshots()
            view = self.index.reader.view()
            heads = self._derived_again(view) if view.tombstones else dict(view.heads)
            done = self.catalog.compact(
                INSTANCES,
                heads.get(INSTANCES),
                tombstones=tombstone_table(view.tombstones),
                thorough=thorough,
            )
            rewritten = {INSTANCES: done.version}
            for table in DERIVED:
                rewritten[table] = self.catalog.compact(
                    table, heads.get(table), keep=newest, thorough=thorough
                ).version
            new = {table: version for table, version in rewritten.items() if version is not None}
            applied = [view.tombstones[number] for number in sorted(done.applied)]
            applied = _without_tail(applied, view)
            if new or applied or heads != view.heads:
                self.index.writer.set_heads(heads | new, applied=applied, resets=view.resets)
            return sorted(new)

    def vacuum(self, hours: float) -> dict[str, list[str]]:
        """Delete files that neither head nor snapshot holds, once removed for so long; their names."""
        with self.lock.held():
            keep: dict[str, set[int]] = {}
            snapshots = self.index.reader.snapshots()
            for heads in (self.index.reader.heads(), *(one.heads or {} for one in snapshots)):
                for table, version in heads.items():
                    keep.setdefault(table, set()).add(version)
            return self.catalog.vacuum(keep, hours=hours)

    def _derived_again(self, view: View) -> dict[str, int]:
        """Heads with derived rows for the series that tombstones touch, which nobody would touch any more."""
        files = self.catalog.files(INSTANCES, view.heads.get(INSTANCES))
        rows = self.flush.derived(files, None, view.tombstones)
        if not rows:
            return dict(view.heads)
        return self.catalog.append(rows, seq=view.last_seq, heads=view.heads)


def drop_rows(
    catalog: Catalog, lock: CatalogLock, index: Index, heads: dict[str, int], dead: list[Tombstone]
) -> dict[str, int]:
    """Take rows out of the tables of these heads, and make what is derived of them again; the new heads.

    For a rebuild, where no tombstones of the index say so; nothing in `index` changes but the sequence.
    """
    from isocenter.archive.derived import tombstone_table

    flush = Flush(index, catalog, lock)
    try:
        with lock.held():
            files = catalog.files(INSTANCES, heads[INSTANCES])
            last = index.reader.view(1 << 62).last_seq
            moved = catalog.append(flush.derived(files, None, dead), seq=last, heads=heads)
            done = catalog.compact(
                INSTANCES, moved[INSTANCES], tombstones=tombstone_table(dead), thorough=True
            )
            return moved if done.version is None else moved | {INSTANCES: done.version}
    finally:
        flush.close()


def _without_tail(applied: list[Tombstone], view: View) -> list[Tombstone]:
    """The tombstones that hide no row of the tail: the others are needed until after its flush."""
    lowest: dict[str, int] = {}
    for row in view.tail:
        lowest.setdefault(row.SOPInstanceUID, row.seq)
    return [one for one in applied if lowest.get(one.SOPInstanceUID, one.seq + 1) > one.seq]
