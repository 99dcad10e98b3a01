"""Flush: the tail becomes part of the catalog, and nobody sees a moment between.

Rows are appended to Delta, still invisible, and made durable; then one SQL transaction moves the heads and
trims the tail. Killed in between, the table is ahead of its head, and the next append first returns it
there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from isocenter.archive.decoding import to_batch
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.errors import Conflict
from isocenter.index import Index, TailRow

_NO_TAIL = 1 << 62
_log = logging.getLogger(__name__)


class Derives(Protocol):
    """Makes the rows of derived tables from the rows that are flushed."""

    def __call__(self, instances: pa.RecordBatch) -> Mapping[str, pa.RecordBatch]:
        """Record batches by table."""


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
        derives: makers of derived tables; what one of them raises is logged and holds nothing back.
        assume_charset: character set of text beyond ASCII where an object names none.
        largest: most rows of one append.
    """

    def __init__(
        self,
        index: Index,
        catalog: Catalog,
        lock: CatalogLock,
        derives: Sequence[Derives] = (),
        *,
        assume_charset: str | None = None,
        largest: int = 20_000,
    ) -> None:
        self._index = index
        self._catalog = catalog
        self._lock = lock
        self._derives = derives
        self._assume_charset = assume_charset
        self._largest = largest

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
            heads = self._append(part, view.heads)
            with suppress(Conflict):  # a reset came between: its tail is another one, and is flushed next
                self._index.writer.flush_done([row.seq for row in part], heads, resets=view.resets)
                rows += len(part)

    def _append(self, rows: Sequence[TailRow], heads: Mapping[str, int]) -> dict[str, int]:
        batch = to_batch(rows, self._assume_charset)
        data: dict[str, list[pa.RecordBatch]] = {INSTANCES: [batch]}
        for derive in self._derives:
            try:
                derived = derive(batch)
            except Exception:  # noqa: BLE001 (logged; the table says so by what it lacks)
                _log.exception("A derived table could not be made of %d instances", len(rows))
                continue
            for table, made in derived.items():
                data.setdefault(table, []).append(made)
        return self._catalog.append(data, seq=rows[-1].seq, heads=heads)
