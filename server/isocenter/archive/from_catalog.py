"""Filling a new index with the rows of a catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any

from isocenter.archive.arrivals import Arrivals
from isocenter.archive.compact import drop_rows
from isocenter.archive.document_keys import keys_of
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.errors import Damaged
from isocenter.index import Index, Put, Tombstone
from isocenter.objects import HEAD_SIZE, ObjectStore
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import Provenance, build_head, file_digest, parse_head

Progress = Callable[[str, int, int], None]

_AT_ONCE = 2000
_WANTED = (
    "json, SOPInstanceUID, _sop_key, _seq, _source_aet, _called_aet, _object, _size, _sha256,"
    " _transfer_syntax, _data_set_offset, _problems, epoch_us(_received) AS received"
)


class FromCatalog:
    """Fills the index with the rows of the newest version of a catalog; sequences and times stay.

    Args:
        index: new, or partly filled by a run that was killed.
        catalog: to read.
        objects: a row whose object is not there is left out.
        arrivals: which objects say that they came to this dataset.
        dataset: its name.
        shared: objects that came to another dataset first.
    """

    def __init__(
        self,
        index: Index,
        catalog: Catalog,
        objects: ObjectStore,
        arrivals: Arrivals,
        dataset: str,
        shared: Collection[str] = (),
    ) -> None:
        self._dataset = dataset
        self._index = index
        self._catalog = catalog
        self._objects = objects
        self._arrivals = arrivals
        self._shared = shared
        self._heads = {table: catalog.log(table).latest or 0 for table in catalog.tables()}
        self._files = catalog.files(INSTANCES, self._heads[INSTANCES])
        self._total = catalog.count(INSTANCES, self._heads[INSTANCES])
        self._missing: list[str] = []
        self._dead: list[Tombstone] = []
        self.superseded: set[str] = set()
        """Objects of older rows of instances that have a later one."""

    def run(self, tell: Progress) -> list[str]:
        """Fill it; the paths of objects that are not there."""
        last = self._index.reader.view(1 << 62).last_seq
        self._index.writer.flush_done(last, self._heads)
        done = self._index.reader.totals().instances
        for rows in self._rows(last):
            self._commit(rows)
            done += len(rows)
            tell("rows of the catalog", done, max(self._total, done))
        return self._missing

    def bury(self, lock: CatalogLock) -> None:
        """Take out of the catalog what counts no more: older rows of an instance, and rows without object.

        Tombstones hid the older ones; they went with the index.
        """
        if self._dead:
            heads = drop_rows(self._catalog, lock, self._index, self._heads, self._dead)
            self._index.writer.set_heads(heads)

    def _rows(self, after: int) -> Iterator[list[dict[str, Any]]]:
        """Rows in the order of their sequence; of several of one instance the last."""
        from isocenter.catalog.query import Engine, Scope

        if not self._files:
            return
        newest = "max(_seq) OVER (PARTITION BY _sop_key, SOPInstanceUID)"
        dead = f"SELECT _sop_key, SOPInstanceUID, _seq, _object FROM live QUALIFY _seq < {newest}"
        wanted = f"SELECT {_WANTED} FROM live QUALIFY _seq = {newest} ORDER BY _seq"
        scope = Scope(tuple(self._files))
        with Engine() as engine:
            with closing(engine.run(scope, dead, {})) as reader:
                for batch in reader:
                    for *grave, path in (row.values() for row in batch.to_pylist()):
                        self._dead.append(Tombstone(*grave))
                        self.superseded.add(path)
            with closing(engine.run(scope, wanted, {})) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, _AT_ONCE):
                        rows = batch.slice(start, _AT_ONCE).to_pylist()
                        self._look_again([row for row in rows if row["_seq"] <= after])
                        if rows[-1]["_seq"] > after:
                            yield [row for row in rows if row["_seq"] > after]

    def _look_again(self, rows: Sequence[dict[str, Any]]) -> None:
        """Find what a run that was killed left out: rows behind it that the index does not have."""
        named = self._index.reader.references([row["_object"] for row in rows]) if rows else set()
        for row in rows:
            if row["_object"] not in named:
                self._leave_out(row)

    def _commit(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commit rows under the sequences they have: run by run, where the sequence has no gap."""
        there = [row for row in rows if self._is_there(row)]
        for _, run in groupby(enumerate(there), key=lambda pair: pair[1]["_seq"] - pair[0]):
            part = [row for _, row in run]
            self._index.writer.raise_seq(part[0]["_seq"] - 1)
            self._index.writer.commit([self._put(row) for row in part], on_conflict="replace")
        if there:
            self._index.writer.flush_done(there[-1]["_seq"], self._heads)

    def _is_there(self, row: dict[str, Any]) -> bool:
        if self._objects.info(row["_object"]) is not None:
            return True
        self._leave_out(row)
        return False

    def _leave_out(self, row: dict[str, Any]) -> None:
        self._missing.append(row["_object"])
        self._dead.append(Tombstone(row["_sop_key"], row["SOPInstanceUID"], row["_seq"]))

    def _put(self, row: dict[str, Any]) -> Put:
        """What the row was made of."""
        keys = keys_of(row["json"])
        return Put(
            keys=keys,
            header=b"",
            transfer_syntax=row["_transfer_syntax"],
            data_set_offset=row["_data_set_offset"],
            object=row["_object"],
            size=row["_size"],
            sha256=row["_sha256"],
            file_sha256=file_digest(self._head(row, keys), bytes.fromhex(row["_sha256"])),
            source_aet=row["_source_aet"],
            called_aet=row["_called_aet"],
            received=row["received"],
            problems=tuple(row["_problems"] or ()),
        )

    def _head(self, row: dict[str, Any], keys: dict[str, str]) -> bytes:
        """The head the object was written with, of which the catalog has no digest.

        That which the row gives again, or that which is there where the object says that it came to another
        dataset: the same bytes are kept once. A broken one is taken for one of ours, to be repaired.
        """
        provenance = Provenance(row["_source_aet"], row["_called_aet"], self._dataset, row["received"])
        ours = build_head(
            keys.get("SOPClassUID", ""), keys["SOPInstanceUID"], row["_transfer_syntax"], provenance
        )
        if row["_object"] not in self._shared and self._arrivals.has(row["received"], row["_object"]):
            return ours
        with storage_errors("read an object"), closing(self._objects.open(row["_object"])) as file:
            raw = file.read(HEAD_SIZE)
        try:
            parse_head(raw)
        except Damaged:
            return ours
        return raw
