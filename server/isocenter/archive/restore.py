"""Filling a new index, from the rows of a catalog or from objects in the order of their arrival."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby
from typing import Any

from isocenter.archive.arrivals import Arrivals
from isocenter.archive.compact import drop_rows
from isocenter.archive.describe import describe, describe_path
from isocenter.archive.document_keys import keys_of
from isocenter.archive.flush import Flush
from isocenter.archive.keeping import CatalogLock
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.errors import IsocenterError
from isocenter.index import Index, Put, Tombstone
from isocenter.index.records import OnConflict
from isocenter.objects import LocalStore, ObjectStore
from isocenter.objects.part10 import Provenance, build_head, file_digest

Progress = Callable[[str, int, int], None]

_GROUP = 256
_AT_ONCE = 2000
_FLUSH_EVERY = 20_000
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
        dataset: its name, which stands in the head of each object.
    """

    def __init__(self, index: Index, catalog: Catalog, objects: ObjectStore, dataset: str) -> None:
        self._dataset = dataset
        self._index = index
        self._catalog = catalog
        self._objects = objects
        self._heads = {table: catalog.log(table).latest or 0 for table in catalog.tables()}
        self._files = catalog.files(INSTANCES, self._heads[INSTANCES])
        self._total = catalog.count(INSTANCES, self._heads[INSTANCES])
        self._missing: list[str] = []
        self._dead: list[Tombstone] = []
        self.latest = 0
        """When the latest row arrived, microseconds UTC."""

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
        dead = f"SELECT _sop_key, SOPInstanceUID, _seq FROM live QUALIFY _seq < {newest}"
        wanted = f"SELECT {_WANTED} FROM live QUALIFY _seq = {newest} ORDER BY _seq"
        latest = "SELECT max(epoch_us(_received)) AS latest FROM live"
        scope = Scope(tuple(self._files))
        with Engine() as engine:
            with closing(engine.run(scope, latest, {})) as reader:
                self.latest = int(reader.read_all().column(0)[0].as_py() or 0)
            with closing(engine.run(scope, dead, {})) as reader:
                self._dead = [Tombstone(*row.values()) for batch in reader for row in batch.to_pylist()]
            with closing(engine.run(scope, wanted, {})) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, _AT_ONCE):
                        rows = batch.slice(start, _AT_ONCE).to_pylist()
                        if rows[-1]["_seq"] > after:
                            yield [row for row in rows if row["_seq"] > after]

    def _commit(self, rows: Sequence[dict[str, Any]]) -> None:
        """Commit rows under the sequences they have: run by run, where the sequence has no gap."""
        there = [row for row in rows if self._is_there(row)]
        for _, run in groupby(enumerate(there), key=lambda pair: pair[1]["_seq"] - pair[0]):
            part = [row for _, row in run]
            self._index.writer.raise_seq(part[0]["_seq"] - 1)
            self._index.writer.commit([_put(row, self._dataset) for row in part], on_conflict="replace")
        if there:
            self._index.writer.flush_done(there[-1]["_seq"], self._heads)

    def _is_there(self, row: dict[str, Any]) -> bool:
        if self._objects.info(row["_object"]) is not None:
            return True
        self._missing.append(row["_object"])
        self._dead.append(Tombstone(row["_sop_key"], row["SOPInstanceUID"], row["_seq"]))
        return False


def _put(row: dict[str, Any], dataset: str) -> Put:
    """What the row was made of. The catalog holds no file digest: head and identity digest give it again."""
    keys = keys_of(row["json"])
    provenance = Provenance(row["_source_aet"], row["_called_aet"], dataset, row["received"])
    head = build_head(
        keys.get("SOPClassUID", ""), keys["SOPInstanceUID"], row["_transfer_syntax"], provenance
    )
    return Put(
        keys=keys,
        header=b"",
        transfer_syntax=row["_transfer_syntax"],
        data_set_offset=row["_data_set_offset"],
        object=row["_object"],
        size=row["_size"],
        sha256=row["_sha256"],
        file_sha256=file_digest(head, bytes.fromhex(row["_sha256"])),
        source_aet=row["_source_aet"],
        called_aet=row["_called_aet"],
        received=row["received"],
        problems=tuple(row["_problems"] or ()),
    )


class FromObjects:
    """Fills the index with objects that nothing in it names, in the order of their arrival.

    Args:
        index: new, or partly filled.
        objects: the object store.
        arrivals: which objects, and when.
        on_conflict: the dataset's rule.
        assume_charset: character set of text beyond ASCII where an object names none.
    """

    def __init__(
        self,
        index: Index,
        objects: ObjectStore,
        arrivals: Arrivals,
        on_conflict: OnConflict,
        assume_charset: str | None,
    ) -> None:
        self._index = index
        self._objects = objects
        self._arrivals = arrivals
        self._on_conflict = on_conflict
        self._assume_charset = assume_charset

    def run(self, tell: Progress, *, flush: Flush | None, flushed_until: int | None = None) -> dict[str, str]:
        """Fill it; the objects that could not be read, and why.

        Args:
            tell: progress.
            flush: flushes every now and then, and at the end.
            flushed_until: up to this time (microseconds UTC) the index knows what exists: of the objects
                before it only those count that conflict with an instance it has.
        """
        unreadable: dict[str, str] = {}
        done, total, waiting = 0, len(self._arrivals), 0
        for paths, found in self._read_ahead(total):
            unreadable |= {path: put for path, put in found if isinstance(put, str)}
            puts = [put for _, put in found if isinstance(put, Put) and self._counts(put, flushed_until)]
            for start in range(0, len(puts), _GROUP):
                self._index.writer.commit(puts[start : start + _GROUP], on_conflict=self._on_conflict)
            done, waiting = done + len(paths), waiting + len(puts)
            tell("objects", done, total)
            if flush is not None and waiting >= _FLUSH_EVERY:
                flush.everything()
                waiting = 0
        if flush is not None:
            flush.everything()
        return unreadable

    def _read_ahead(self, total: int) -> Iterator[tuple[list[str], list[tuple[str, Put | str]]]]:
        """Batches of paths, and what the objects among them say that the index does not have yet.

        While one batch is committed, the next one is read.
        """
        with self._pool(total) as (pool, read):
            ahead: tuple[list[str], list[str], Iterator[Put | str]] | None = None
            for paths in self._arrivals.batches(_AT_ONCE):
                named = self._index.reader.references(paths)
                fresh = [path for path in paths if path not in named]
                began = paths, fresh, pool.map(read, fresh, chunksize=50)
                if ahead is not None:
                    yield ahead[0], list(zip(ahead[1], ahead[2], strict=True))
                ahead = began
            if ahead is not None:
                yield ahead[0], list(zip(ahead[1], ahead[2], strict=True))

    def _counts(self, put: Put, flushed_until: int | None) -> bool:
        if flushed_until is None or put.received > flushed_until:
            return True
        known = Equal(("SOPInstanceUID",), put.keys.get("SOPInstanceUID", ""))
        return self._on_conflict == "keep" and self._index.reader.count(Level.INSTANCE, known) > 0

    @contextmanager
    def _pool(self, total: int) -> Iterator[tuple[Executor, Callable[[str], Put | str]]]:
        """Processes where reading is most of the work and files are local; threads otherwise."""
        count = os.cpu_count() or 1
        if isinstance(self._objects, LocalStore) and total > _AT_ONCE:
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(count, mp_context=spawn) as processes:
                yield processes, partial(describe_path, self._objects.root, self._assume_charset)
        else:
            with ThreadPoolExecutor(2 * count) as threads:
                yield threads, self._read

    def _read(self, relpath: str) -> Put | str:
        try:
            with closing(self._objects.open(relpath)) as file:
                return describe(file, relpath, self._assume_charset)
        except IsocenterError as error:
            return error.message
