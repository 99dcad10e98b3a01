"""Compaction: small files, and files with many dead rows, become a few large sorted ones.

Files are sorted already, so this is a merge: the sort keys of all rows are held in memory (40 bytes a row),
the rows themselves stream through it, one page of each file at a time.  Snapshots are not touched: their
versions name the old files, which vacuum keeps.

Not here: which tombstones there are, moving the head (the archive does both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isocenter.catalog.parquet import FILE_BYTES, ROW_GROUP, DataFile, Folder
from isocenter.catalog.rows import SORT

Rows = npt.NDArray[np.int64]

SMALL_BYTES = 64 * 2**20
MOST_SMALL = 8
DEAD_SHARE = 0.02
MOST_BYTES = 2 * FILE_BYTES
_BATCH = 2048
_LAST = 2**31
"""Where rows without InstanceNumber sort."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One data file of a version: its name below the table, bytes, rows, and the numbers of its dead rows."""

    name: str
    size: int
    rows: int
    dead: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def choose(files: Sequence[Candidate], *, thorough: bool = False) -> list[Candidate]:
    """The files to rewrite: those with over 2 % dead rows, and the small ones once there are over eight.

    At most so many that flushes need not wait long: those with most dead rows first, then the smallest.

    Args:
        files: of one version.
        thorough: rewrite everything that is small or has a dead row at all.
    """
    share = 0.0 if thorough else DEAD_SHARE
    dying = [file for file in files if len(file.dead) > share * file.rows]
    small = [file for file in files if file.size < SMALL_BYTES and file not in dying]
    chosen = sorted(dying, key=lambda file: -len(file.dead) / file.rows)
    if len(small) + len(dying) > (1 if thorough else MOST_SMALL) or (small and dying):
        chosen += sorted(small, key=lambda file: file.size)
    if thorough:
        return chosen
    sizes = accumulate(file.size for file in chosen)
    return [file for file, size in zip(chosen, sizes, strict=True) if size <= MOST_BYTES or file is chosen[0]]


def rewrite(
    folder: Folder, files: Sequence[Candidate], keep: Callable[[pa.Table], Rows] | None = None
) -> list[DataFile]:
    """Merge the live rows of some files into new files of up to 128 MB, durable when this returns.

    Args:
        folder: of the table.
        files: what to merge.
        keep: the numbers of the rows to keep, given a table of the key columns that exist (derived tables);
            otherwise all rows that are not dead.
    """
    cursors = [_Cursor(folder, file) for file in files]
    try:
        order = _order(cursors, keep)
        schema = _schema(cursors)
        return list(_written(folder, schema, _blocks(cursors, order, schema)))
    finally:
        for cursor in cursors:
            cursor.close()


class _Cursor:
    """Reads rows of one file by ascending number, once."""

    def __init__(self, folder: Folder, file: Candidate) -> None:
        self.file = pq.ParquetFile(folder.open(file.name), memory_map=False)
        self.dead = file.dead
        self._batches = self.file.iter_batches(batch_size=_BATCH)
        self._batch = pa.record_batch([], schema=pa.schema([]))
        self._start = self._end = 0

    def keys(self) -> pa.Table:
        """The sort keys of all rows."""
        present = [name for name in SORT if name in self.file.schema_arrow.names]
        return self.file.read(columns=present)

    def take(self, rows: Rows) -> list[pa.RecordBatch]:
        """The rows with these numbers, none lower than any taken before."""
        pieces: list[pa.RecordBatch] = []
        done = 0
        while done < len(rows):
            while rows[done] >= self._end:
                self._batch = next(self._batches)
                self._start, self._end = self._end, self._end + self._batch.num_rows
            until = int(np.searchsorted(rows, self._end))
            pieces.append(self._batch.take(pa.array(rows[done:until] - self._start)))
            done = until
        return pieces

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _order(cursors: Sequence[_Cursor], keep: Callable[[pa.Table], Rows] | None) -> tuple[Rows, Rows]:
    """File and row number of every row to keep, in the order of the new files."""
    tables = []
    for number, cursor in enumerate(cursors):
        keys = cursor.keys()
        columns = {name: keys[name] for name in keys.schema.names}
        columns["file"] = pa.array(np.full(keys.num_rows, number, np.int64))
        columns["row"] = pa.array(np.arange(keys.num_rows, dtype=np.int64))
        tables.append(_without(pa.table(columns), cursor.dead))
    whole = pa.concat_tables(tables, promote_options="default").combine_chunks()
    if keep is not None:
        whole = whole.take(pa.array(keep(whole)))
    if "InstanceNumber" in whole.schema.names:
        filled = pc.fill_null(whole["InstanceNumber"].cast(pa.int64()), _LAST)
        whole = whole.set_column(whole.schema.get_field_index("InstanceNumber"), "InstanceNumber", filled)
    by = [name for name in SORT if name in whole.schema.names]
    order = pc.sort_indices(whole, sort_keys=[(name, "ascending") for name in (*by, "file", "row")])
    ordered = whole.select(["file", "row"]).take(order)
    return ordered["file"].to_numpy(), ordered["row"].to_numpy()


def _without(table: pa.Table, dead: Rows) -> pa.Table:
    if not len(dead):
        return table
    alive = np.ones(table.num_rows, dtype=bool)
    alive[dead] = False
    return table.filter(pa.array(alive))


def _schema(cursors: Sequence[_Cursor]) -> pa.Schema:
    """All columns that occur, in the order in which they first do; those of a later file at the end."""
    return pa.unify_schemas([cursor.file.schema_arrow.remove_metadata() for cursor in cursors])


def _blocks(cursors: Sequence[_Cursor], order: tuple[Rows, Rows], schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups of the new files."""
    files, numbers = order
    for start in range(0, len(files), ROW_GROUP):
        which, rows = files[start : start + ROW_GROUP], numbers[start : start + ROW_GROUP]
        pieces: list[pa.Table] = []
        places: list[Rows] = []
        for number in np.unique(which):
            at = np.flatnonzero(which == number)
            batches = cursors[int(number)].take(np.sort(rows[at]))
            pieces.append(pa.Table.from_batches(batches))
            places.append(at[np.argsort(rows[at], kind="stable")])
        block = pa.concat_tables(pieces, promote_options="default")
        del pieces
        missing = [item for item in schema if item.name not in block.schema.names]
        for item in missing:
            block = block.append_column(item, pa.nulls(block.num_rows, item.type))
        back = np.argsort(np.concatenate(places), kind="stable")
        yield block.select(schema.names).take(pa.array(back))


def _written(folder: Folder, schema: pa.Schema, blocks: Iterator[pa.Table]) -> Iterator[DataFile]:
    block = next(blocks, None)
    while block is not None:
        with folder.writer(schema) as out:
            while block is not None and out.size < FILE_BYTES - FILE_BYTES // 10:
                out.write(block)
                block = next(blocks, None)
        yield DataFile(out.name, out.size, out.rows)


# -- dead rows -------------------------------------------------------------------------------------------


def dead_rows(folder: Folder, name: str, tombstones: pa.Table | None) -> tuple[Rows, set[int]]:
    """The numbers of a file's rows that tombstones hide, and the numbers of the tombstones that hide some."""
    if tombstones is None or not tombstones.num_rows:
        return np.empty(0, np.int64), set()
    with pq.ParquetFile(folder.open(name)) as file:
        keys = file.read(columns=["_sop_key", "_seq"])
        near = np.flatnonzero(pc.is_in(keys["_sop_key"], pc.unique(tombstones["sop_key"])).to_numpy())
        if not len(near):
            return near.astype(np.int64), set()
        uids = file.read(columns=["SOPInstanceUID"])["SOPInstanceUID"].take(pa.array(near)).to_pylist()
    found = keys.take(pa.array(near))
    graves = _graves(tombstones)
    dead, used = [], set()
    for row, key, seq, uid in zip(
        near, found["_sop_key"].to_pylist(), found["_seq"].to_pylist(), uids, strict=True
    ):
        hiding = [number for number, until in graves.get((key, uid), ()) if seq <= until]
        if hiding:
            dead.append(int(row))
            used.update(hiding)
    return np.array(dead, np.int64), used


def _graves(tombstones: pa.Table) -> dict[tuple[int, str], list[tuple[int, int]]]:
    graves: dict[tuple[int, str], list[tuple[int, int]]] = {}
    columns = (tombstones[name].to_pylist() for name in ("sop_key", "uid", "seq"))
    for number, (key, uid, seq) in enumerate(zip(*columns, strict=True)):
        graves.setdefault((key, uid), []).append((number, seq))
    return graves
