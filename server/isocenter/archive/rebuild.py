"""Rebuild: the index from the catalog, or index and catalog from the objects alone.

Everything is made anew beside the old, in `rebuild/`, and takes its place at the end; what was there before
is kept in `before-<time>/`. Killed in between, the next call goes on where it was, unless the dataset was
opened meanwhile. The dataset must not be in use.

Objects tell who sent them and when; so in the order of arrival and by the dataset's rule for conflicts the
same instances win. Worklist and non-patient instances, which no object tells, are carried over from the old
index (`former`), or said to be lost where it cannot be read. Lost in any case: snapshots, the log of changes,
adoptions of conflict objects, that bytes which had been replaced came again; and what was deleted, or
rejected, and not swept yet comes back.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from isocenter.archive import workplace
from isocenter.archive.arrivals import Arrivals
from isocenter.archive.flush import Flush
from isocenter.archive.former import Former
from isocenter.archive.from_catalog import FromCatalog
from isocenter.archive.from_objects import FromObjects
from isocenter.archive.keeping import CatalogLock
from isocenter.archive.known import Known, Note
from isocenter.archive.opening import alone
from isocenter.archive.place import Place
from isocenter.archive.references import UNREADABLE
from isocenter.archive.shared import Shared
from isocenter.archive.swap import swap
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.config import Settings
from isocenter.errors import BadRequest, Damaged, Unavailable
from isocenter.index import Index, drop_index, has_index, in_postgres
from isocenter.objects import ObjectStore
from isocenter.objects.faults import storage_errors

Source = Literal["catalog", "objects"]
Progress = Callable[[str, int, int], None]


@dataclass
class Rebuilt:
    """What a rebuild did.

    Attributes:
        instances: rows of the new index.
        missing: objects that the catalog names and that are not there; their rows were left out.
        unreadable: objects that could not be read, with the reason. Nothing names them, and they stay.
        kept: the folder with what was there before; an index in PostgreSQL is in a schema named after it.
        had_index: whether there was an old index, be it readable or not.
        carried: rows that came from the old index, by table.
        lost: what only the old index told and the new one does not, with the reason.
    """

    instances: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    kept: Path | None = None
    had_index: bool = False
    carried: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


def rebuild(
    settings: Settings,
    name: str,
    objects: ObjectStore,
    *,
    source: Source = "catalog",
    progress: Progress | None = None,
) -> Rebuilt:
    """Rebuild one dataset, which nobody may have open.

    Args:
        settings: of the server.
        name: of the dataset.
        objects: the object store.
        source: `catalog` makes the index anew and leaves the catalog, `objects` makes both.
        progress: told what is done, how many are done, and how many there are.

    Raises:
        Unavailable: the dataset is in use.
        BadRequest: there is no catalog to rebuild from.
    """
    place = Place.of(settings, name)
    with alone(place.folder, place.index):
        return _Rebuild(settings, place, objects, progress or (lambda what, done, of: None)).run(source)


class _Rebuild:
    """One rebuild."""

    def __init__(self, settings: Settings, place: Place, objects: ObjectStore, tell: Progress) -> None:
        self.place = place
        self.objects = objects
        self.tell = tell
        self.is_view = settings.all_datasets()[place.name].view_of is not None
        self.on_conflict = settings.all_datasets()[place.name].on_conflict
        self.folder = place.folder / workplace.NAME
        if in_postgres(place.index):
            self.new = replace(place, folder=self.folder, name=f"{place.name}.{workplace.NAME}")
        else:
            self.new = replace(place, folder=self.folder, index=str(self.folder / "index.db"))
        self.done = Rebuilt()
        self.last_seq = 0
        self.shared = Shared(settings.data.absolute() / "objects", place.name).all()
        self.known = Known(settings.data.absolute() / "objects")
        try:
            self.told = self.known.of(place.name)
        except Damaged:
            self.told = None  # noted anew at the end

    def run(self, source: Source) -> Rebuilt:
        source = "objects" if self.is_view else source
        old = self.place.open_catalog()
        if source == "catalog" and INSTANCES not in old.tables():
            raise BadRequest("There is no catalog to rebuild from", hint="rebuild from the objects")
        self._require_unused()
        _, is_new = workplace.begin(self.place.folder, source)
        if is_new and in_postgres(self.new.index):
            drop_index(self.new.index, self.new.name)
        arrivals = Arrivals(self.folder / "arrivals.db")
        try:
            if not self.is_view:  # which is left empty: the server fills it
                arrivals.fill(
                    self.objects,
                    self.place.name,
                    lambda seen: self.tell("objects found", seen, seen),
                    self.shared,
                )
            self.done.unreadable = dict.fromkeys(arrivals.unreadable(), "its head cannot be read")
            with self.new.open_index() as index:
                index.writer.identify(self.told.index if self.told else uuid.uuid4().hex)
                self._carry(index)
                self._make(index, old, source, arrivals)
                self.done.instances = index.reader.totals().instances
                self._note_unreadable(index)
                own = index.reader.identity()
        finally:
            arrivals.close()
        self.done.kept = self._swap(source)
        if not self.is_view:
            self.known.put(self.place.name, Note(own.name, own.last_seq))
        return self.done

    def _require_unused(self) -> None:
        """The lock of the folder keeps this machine out; what shares PostgreSQL with it has a keeper."""
        if not in_postgres(self.place.index) or not has_index(self.place.index, dataset=self.place.name):
            return
        with self.place.open_index() as index:
            held = index.reader.lease("keeper")
        if held is not None and held.expires > time.time() * 1e6:
            hint = "stop the server there first, or wait a minute where it was killed"
            raise Unavailable(f"The dataset is in use by {held.owner}", hint=hint)

    def _note_unreadable(self, index: Index) -> None:
        """Leave a list of the objects that could not be read, which keeps them from being swept."""
        named = index.reader.references(self.done.unreadable)
        self.done.unreadable = {p: why for p, why in self.done.unreadable.items() if p not in named}
        with storage_errors("write what a rebuild left out"):
            (self.folder / UNREADABLE).unlink(missing_ok=True)
            if self.done.unreadable:
                with open(self.folder / UNREADABLE, "w") as file:
                    json.dump(self.done.unreadable, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())

    def _carry(self, index: Index) -> None:
        """Carry over what only the old index tells, which is open no longer than that."""
        with Former(self.place, self.told) as former:
            carried = former.carry(index)
            self.last_seq = former.last_seq()
            self.done.had_index = former.exists
        self.done.carried, self.done.lost = carried.rows, carried.lost
        count = sum(carried.rows.values())
        self.tell("rows of the old index", count, count)
        if carried.lost:
            self.tell("the old index cannot be read", 0, 0)

    def _make(self, index: Index, old: Catalog, source: Source, arrivals: Arrivals) -> None:
        charset = self.place.assume_charset
        objects = FromObjects(index, self.objects, arrivals, self.on_conflict, charset, self.shared)
        if source == "catalog":
            rows = FromCatalog(index, old, self.objects, arrivals, self.place.name, self.shared)
            self.done.missing = rows.run(self.tell)
            index.writer.raise_seq(self._highest(old))
            rows.bury(CatalogLock(self.place.folder / ".catalog.lock"))
            self.done.unreadable |= objects.run(self.tell, flush=None, superseded=rows.superseded)
            return
        index.writer.raise_seq(self._highest(old))
        flush = Flush(
            index,
            self.new.open_catalog(),
            CatalogLock(self.folder / ".catalog.lock"),
            assume_charset=self.place.assume_charset,
        )
        try:
            self.done.unreadable |= objects.run(self.tell, flush=flush)
        finally:
            flush.close()

    def _highest(self, catalog: Catalog) -> int:
        """The highest sequence that was ever given out, as far as anything still tells."""
        found = [self.told.seq if self.told else 0, self.last_seq]
        for table in catalog.tables():
            found.append(catalog.sequence(table, catalog.latest(table)) or 0)
            found.append(catalog.highest(table, catalog.latest(table)))
        return max(found)

    def _swap(self, source: Source) -> Path:
        """Put the new in the place of the old, which is kept."""
        url = self.place.index if in_postgres(self.place.index) else ""
        names = [UNREADABLE] if url else ["index.db", "index.db-wal", "index.db-shm", UNREADABLE]
        if source == "objects":
            names.append("catalog")
        return swap(self.place.folder, self.folder, names, url)
