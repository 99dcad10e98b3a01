"""Compaction and vacuum of a dataset's catalog: where tombstones end and old files go.

A tombstone ends when no file of the new head has a row that it hides; one that hides a row still in the
tail stays. Snapshots keep their versions, and their files.
"""

from __future__ import annotations

from isocenter.archive.flush import Flush
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.index import Index, Tombstone, View

_NO_TAIL = 1 << 62


class Upkeep:
    """Compacts and vacuums one dataset.

    Args:
        index: of the dataset.
        catalog: of the dataset.
        lock: of the catalog.
        flush: of the dataset.
    """

    def __init__(self, index: Index, catalog: Catalog, lock: CatalogLock, flush: Flush) -> None:
        self.index = index
        self.catalog = catalog
        self.lock = lock
        self.flush = flush
        self._settled: tuple[object, ...] | None = None

    def compact(self, *, thorough: bool = False) -> list[str]:
        """Rewrite some of what is small or holds many dead rows; the tables that were rewritten.

        Args:
            thorough: rewrite whatever is small or has a dead row at all.

        Raises:
            Conflict: the dataset was reset meanwhile; nothing changed.
        """
        with self.lock.held():
            self.flush.complete_snapshots()
            view = self.index.reader.view(_NO_TAIL)
            state = (view.heads, view.tombstones, view.resets)
            if state == self._settled and not thorough:
                return []
            new, applied = self._rewritten(view, thorough)
            if new or applied:
                self.index.writer.set_heads(new, applied=applied, resets=view.resets)
            else:
                self._settled = state
            return sorted(new)

    def _rewritten(self, view: View, thorough: bool) -> tuple[dict[str, int], list[Tombstone]]:
        """New versions, not visible yet, and the tombstones that they make needless."""
        from isocenter.archive.derived import DERIVED, newest, tombstone_table

        done = self.catalog.compact(
            INSTANCES,
            view.heads.get(INSTANCES),
            tombstones=tombstone_table(view.tombstones),
            thorough=thorough,
        )
        # Nobody would touch the series of a row that is left out any more.
        heads = self._derived_again(view) if done.dropped else dict(view.heads)
        moved = {table: version for table, version in heads.items() if view.heads.get(table) != version}
        rewritten = {INSTANCES: done.version}
        for table in DERIVED:
            head = heads.get(table)
            rewritten[table] = self.catalog.compact(table, head, keep=newest, thorough=thorough).version
        new = {table: version for table, version in rewritten.items() if version is not None}
        applied = [view.tombstones[number] for number in sorted(done.applied)]
        return moved | new, self._without_tail(applied)

    def _without_tail(self, applied: list[Tombstone]) -> list[Tombstone]:
        """The tombstones that hide no row of the tail: the others are needed until after its flush."""
        lowest: dict[str, int] = {}
        for row in self.index.reader.tail() if applied else ():
            lowest.setdefault(row.SOPInstanceUID, row.seq)
        return [one for one in applied if lowest.get(one.SOPInstanceUID, one.seq + 1) > one.seq]

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
        """Heads with derived rows for the series that tombstones touch."""
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
