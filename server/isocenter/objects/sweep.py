"""Removing objects that nothing names.

What names an object (every dataset, epoch, snapshot, conflict) is told by the archive. An object younger
than the grace period is left alone; the rest is checked once without a lock, and again, in short batches,
under the exclusive sweep lock, so that no object is removed between its name and its index row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from isocenter.objects.store import ObjectInfo, ObjectStore

Referenced = Callable[[Sequence[str]], set[str]]
"""Which of these relative paths something names."""

_LOOK = 2000
_BATCH = 100


@dataclass(frozen=True)
class Swept:
    """What a sweep did: objects looked at, removed, and the bytes that freed."""

    seen: int
    removed: tuple[str, ...]
    freed: int


def sweep(
    store: ObjectStore,
    referenced: Referenced,
    *,
    grace: float,
    now: float | None = None,
    spared: Referenced = lambda paths: set(),
) -> Swept:
    """Remove every object older than `grace` seconds that `referenced` does not claim.

    Args:
        store: the object store.
        referenced: which objects something names.
        grace: seconds.
        now: seconds since 1970.
        spared: which of those that nothing names must stay all the same.
    """
    before = (time.time() if now is None else now) - grace
    seen, freed = 0, 0
    removed: list[str] = []
    for batch in _batches(store.list(), _LOOK):
        seen += len(batch)
        old = {info.relpath: info for info in batch if info.modified <= before}
        orphans = sorted(old.keys() - referenced(list(old)))
        for first in range(0, len(orphans), _BATCH):
            part = orphans[first : first + _BATCH]
            spare = spared(part)
            gone = _remove(store, referenced, [relpath for relpath in part if relpath not in spare])
            removed += gone
            freed += sum(old[relpath].size for relpath in gone)
    return Swept(seen, tuple(removed), freed)


def _remove(store: ObjectStore, referenced: Referenced, orphans: list[str]) -> list[str]:
    with store.lock_exclusive():
        still = referenced(orphans)
        gone = [relpath for relpath in orphans if relpath not in still]
        for relpath in gone:
            store.delete(relpath)
    return gone


def _batches(infos: Iterator[ObjectInfo], size: int) -> Iterator[list[ObjectInfo]]:
    while batch := list(islice(infos, size)):
        yield batch
