"""The tail as rows of the catalog: decoded once, kept, and extended by sequence.

A query must see what was acknowledged and not flushed yet. Making rows of 20,000 headers takes a second and
more, so a process that queries keeps what it decoded: new rows are added, flushed ones dropped, all after a
reset. This module writes nothing; flushing is in `flush`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from isocenter.archive.decoding import to_batch
from isocenter.archive.derived import DERIVED, tombstone_table
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.catalog.columns import OWN
from isocenter.catalog.query import Scope
from isocenter.index import Reader, Tombstone, View

_CHUNKS = 32


@dataclass(frozen=True)
class Moment:
    """What is visible at one moment: the rows of `instances`, and the data files of the derived tables.

    `heads`, `last_seq` and `resets` are those of `View`, and say which moment that is.
    """

    scope: Scope
    derived: dict[str, list[str]]
    heads: dict[str, int]
    last_seq: int
    resets: int


class DecodedTail:
    """What a querying process keeps of the tail of one dataset.

    Args:
        reader: of its index.
        catalog: its tables.
        assume_charset: character set of text beyond ASCII where an object names none.
    """

    def __init__(self, reader: Reader, catalog: Catalog, assume_charset: str | None = None) -> None:
        self._assume_charset = assume_charset
        self._reader = reader
        self._catalog = catalog
        self._mutex = threading.Lock()
        self._last = 0
        self._resets: int | None = None
        self._rows: pa.Table | None = None
        self._tombstones: tuple[Sequence[Tombstone], pa.Table | None] | None = None

    def now(self) -> Moment:
        """What is visible now, all of one moment."""
        with self._mutex:
            view = self._reader.view(self._last)
            if view.resets != self._resets:
                self._last, self._rows = 0, None
                view = self._reader.view(0)
                self._resets = view.resets
            self._follow(view)
            files = tuple(self._catalog.files(INSTANCES, view.heads.get(INSTANCES)))
            rows = self._rows
            if rows is None and not files:
                rows = OWN.empty_table()
            derived = {table: self._catalog.files(table, view.heads.get(table)) for table in DERIVED}
            scope = Scope(files, rows, self._dead(view.tombstones))
            return Moment(scope, derived, view.heads, view.last_seq, view.resets)

    def _follow(self, view: View) -> None:
        rows = self._rows
        if rows is not None and rows.num_rows + len(view.tail) != len(view.tail_seqs):
            rows = rows.filter(pc.is_in(rows.column("_seq"), pa.array(view.tail_seqs, pa.int64())))
        if view.tail:
            fresh = pa.Table.from_batches([to_batch(view.tail, self._assume_charset)])
            rows = fresh if rows is None else pa.concat_tables([rows, fresh], promote_options="default")
            self._last = max(row.seq for row in view.tail)
        if rows is not None and rows.column("_seq").num_chunks > _CHUNKS:
            rows = rows.combine_chunks()
        self._rows = rows if rows is not None and rows.num_rows else None

    def _dead(self, tombstones: Sequence[Tombstone]) -> pa.Table | None:
        if not tombstones:
            return None
        if self._tombstones is None or self._tombstones[0] != tombstones:
            self._tombstones = (tombstones, tombstone_table(tombstones))
        return self._tombstones[1]
