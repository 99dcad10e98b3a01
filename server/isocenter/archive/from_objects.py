"""Filling a new index with objects, in the order of their arrival."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

from isocenter.archive.arrivals import Arrivals
from isocenter.archive.describe import describe, describe_path, reading
from isocenter.archive.flush import Flush
from isocenter.dicom.predicate import OneOf
from isocenter.errors import IsocenterError, NoSpace, Unavailable
from isocenter.index import Index, Put
from isocenter.index.records import OnConflict
from isocenter.objects import LocalStore, ObjectStore
from isocenter.objects.part10 import Provenance

Progress = Callable[[str, int, int], None]

_GROUP = 256
_AT_ONCE = 2000
_FLUSH_EVERY = 20_000


class FromObjects:
    """Fills the index with objects that nothing in it names, in the order of their arrival.

    Args:
        index: new, or partly filled.
        objects: the object store.
        arrivals: which objects, and when.
        on_conflict: the dataset's rule. What would be rejected is kept beside instead: the order of arrival
            is not quite that of the commits, and one of them was acknowledged.
        assume_charset: character set of text beyond ASCII where an object names none.
        shared: how objects came here that came to another dataset first.
    """

    def __init__(
        self,
        index: Index,
        objects: ObjectStore,
        arrivals: Arrivals,
        on_conflict: OnConflict,
        assume_charset: str | None,
        shared: Mapping[str, Provenance],
    ) -> None:
        self._index = index
        self._objects = objects
        self._arrivals = arrivals
        self._on_conflict: OnConflict = "keep" if on_conflict == "reject" else on_conflict
        self._assume_charset = assume_charset
        self._shared = shared

    def run(self, tell: Progress, *, flush: Flush | None, superseded: Collection[str] = ()) -> dict[str, str]:
        """Fill it; the objects that could not be read, and why.

        Args:
            tell: progress.
            flush: flushes every now and then, and at the end.
            superseded: objects that are known to have been replaced.
        """
        unreadable: dict[str, str] = {}
        done, total, waiting = 0, len(self._arrivals), 0
        for paths, found in self._read_ahead(total):
            unreadable |= {path: put for path, put in found if isinstance(put, str)}
            puts = [self._as_it_came(put) for _, put in found if isinstance(put, Put)]
            for start in range(0, len(puts), _GROUP):
                group = self._not_replaced(puts[start : start + _GROUP], superseded)
                self._index.writer.commit(group, on_conflict=self._on_conflict)
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

    def _as_it_came(self, put: Put) -> Put:
        """A shared object's head tells of another dataset's arrival."""
        came = self._shared.get(put.object)
        if came is None:
            return put
        return replace(put, source_aet=came.source_aet, called_aet=came.called_aet, received=came.received)

    def _not_replaced(self, puts: list[Put], superseded: Collection[str]) -> list[Put]:
        """Those that no later arrival replaced already: nothing names them, and they must not come back."""
        if self._on_conflict != "replace":
            return puts
        uids = {put.keys["SOPInstanceUID"] for put in puts if put.keys.get("SOPInstanceUID")}
        there = self._index.reader.instances(OneOf(("SOPInstanceUID",), tuple(uids))) if uids else []
        latest = {one.SOPInstanceUID: (one.received, one.object) for one in there}
        return [
            put
            for put in puts
            if put.object not in superseded
            and (put.received, put.object) > latest.get(put.keys.get("SOPInstanceUID", ""), (-1, ""))
        ]

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
            with reading(relpath), closing(self._objects.open(relpath)) as file:
                return describe(file, relpath, self._assume_charset)
        except (Unavailable, NoSpace):
            raise
        except IsocenterError as error:
            return error.message
