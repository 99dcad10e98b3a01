"""Flush: the tail becomes part of the catalog, and nobody sees a moment between.

Rows are appended to Delta, still invisible, and made durable; then one SQL transaction moves the heads and
trims the tail. Killed in between, the table is ahead of its head, and the next append first returns it
there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from isocenter.archive.decoding import to_batch
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.errors import Conflict
from isocenter.index import Index, TailRow, Tombstone, View
from isocenter.objects.faults import storage_errors

if TYPE_CHECKING:
    from isocenter.archive.derived import Deriving

_NO_TAIL = 1 << 62
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flushed:
    """What a flush did: rows that became part of the catalog, and the heads after it."""

    rows: int
    heads: dict[str, int]


class Flush:
    """Flushes one dataset. Every method holds the catalog lock.

    Args:
        index: of the dataset.
        catalog: of the dataset.
        lock: of the catalog.
        assume_charset: character set of text beyond ASCII where an object names none.
        largest: most rows of one append.
    """

    def __init__(
        self,
        index: Index,
        catalog: Catalog,
        lock: CatalogLock,
        *,
        assume_charset: str | None = None,
        largest: int = 20_000,
    ) -> None:
        self._index = index
        self._catalog = catalog
        self._lock = lock
        self._assume_charset = assume_charset
        self._largest = largest
        self._deriving: Deriving | None = None

    def close(self) -> None:
        """End what makes the derived tables."""
        if self._deriving is not None:
            self._deriving.close()

    def everything(self) -> Flushed:
        """Flush the whole tail, completing pending snapshots on the way."""
        with self._lock.held():
            self._complete_snapshots()
            return self._up_to(None)

    def complete_snapshots(self) -> None:
        """Give every snapshot that has none its heads (one was taken, and the process died)."""
        with self._lock.held():
            self._complete_snapshots()

    def _complete_snapshots(self) -> None:
        pending = [one for one in self._index.reader.snapshots() if one.heads is None]
        for snapshot in sorted(pending, key=lambda one: one.last_seq):
            heads = self._up_to(snapshot.last_seq).heads
            self._index.writer.set_snapshot_heads(snapshot.name, heads)

    def _up_to(self, last: int | None) -> Flushed:
        """Flush tail rows up to a sequence, in appends of `largest`."""
        reader, rows = self._index.reader, 0
        while True:
            view = reader.view(_NO_TAIL)
            part = reader.tail(last, limit=self._largest)
            if not part:
                return Flushed(rows, view.heads)
            heads = self._append(part, view)
            with suppress(Conflict):  # a reset came between: its tail is another one, and is flushed next
                self._index.writer.flush_done([row.seq for row in part], heads, resets=view.resets)
                rows += len(part)

    def _append(self, rows: Sequence[TailRow], view: View) -> dict[str, int]:
        batch = to_batch(rows, self._assume_charset)
        files = self._catalog.files(INSTANCES, view.heads.get(INSTANCES))
        last = rows[-1].seq
        tombstones = [one for one in view.tombstones if one.seq <= last]
        derived = self.derived(files, pa.Table.from_batches([batch]), tombstones)
        with storage_errors("write the catalog"):
            return self._catalog.append({INSTANCES: [batch], **derived}, seq=last, heads=view.heads)

    def derived(
        self, files: Sequence[str], tail: pa.Table | None, tombstones: Sequence[Tombstone]
    ) -> dict[str, list[pa.RecordBatch]]:
        """Rows of the derived tables for the series touched; none, and a line in the log, when that fails.

        They get a sequence of their own, above that of all derived before: the latest of a series counts.
        """
        from isocenter.archive.derived import Deriving

        seq = self._index.reader.view(_NO_TAIL).last_seq + 1
        self._index.writer.raise_seq(seq)
        try:
            if self._deriving is None:
                self._deriving = Deriving()
            return self._deriving.rows(files, tail, tombstones, seq)
        except Exception:  # noqa: BLE001 (a derived table never holds a flush back)
            _log.exception("Derived tables could not be made")
            return {}
