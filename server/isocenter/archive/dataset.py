"""One dataset of the archive: what may be asked of it and done to it, by everything above.

DICOM queries are answered by the index, other attributes by the query process; both see what was
acknowledged. Objects are received by `reception` and `ingest`, moved into the catalog by `flush`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO, Literal

import pyarrow as pa

from isocenter.archive.arrival import Announced, Clock, Origin
from isocenter.archive.column_words import describe_column
from isocenter.archive.compact import Upkeep
from isocenter.archive.describe import describe
from isocenter.archive.flush import Flush, Flushed
from isocenter.archive.ingest import Ingest
from isocenter.archive.keeping import CatalogLock
from isocenter.archive.opening import Opened
from isocenter.archive.place import Place
from isocenter.archive.reception import Reception
from isocenter.archive.research import Asks
from isocenter.archive.shared import Shared
from isocenter.archive.sounding import Sounding
from isocenter.archive.summaries import Summaries
from isocenter.archive.view import View
from isocenter.config import DatasetSettings
from isocenter.dicom.header import Header, read_header
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, OneOf, Predicate, to_json
from isocenter.errors import Conflict, Forbidden, NotFound
from isocenter.index import Change, GroupCommit, Outcome, Put, StoredInstance
from isocenter.index.records import ConflictObject, Deleted, Snapshot
from isocenter.objects import ObjectStore

Order = Sequence[tuple[str, Literal["asc", "desc"]]]
_CHUNK = 500


class Dataset:
    """A dataset that is open.

    Args:
        place: where it lives.
        settings: its settings.
        objects: the object store that all datasets share.
        research: who answers research questions.
        clock: arrival times of this process.
        executor: threads that may block on the disk.
        shared: objects that came to another dataset first.
        vacuum_after: how long files that were removed from the catalog are kept, in seconds.
    """

    def __init__(
        self,
        place: Place,
        settings: DatasetSettings,
        objects: ObjectStore,
        research: Asks,
        clock: Clock,
        executor: Executor,
        shared: Shared,
        *,
        vacuum_after: float = 3600.0,
    ) -> None:
        self.name = place.name
        self.view_of = settings.view_of
        self.view: View | None = None
        self.shared = shared
        self.ae_title = settings.ae_title
        self.objects = objects
        self.place = place
        self._opened = Opened(place.folder, place.index)
        try:
            self.index = place.open_index()
        except BaseException:
            self._opened.close()
            raise
        self.sounding = Sounding(self.index)
        self.catalog = place.open_catalog()
        self.catalog_lock = CatalogLock(place.folder / ".catalog.lock", self.index.database)
        self.flushing = Flush(
            self.index, self.catalog, self.catalog_lock, assume_charset=place.assume_charset
        )
        self._upkeep = Upkeep(self.index, self.catalog, self.catalog_lock, self.flushing)
        self._research = research
        self._executor = executor
        self._vacuum_hours = vacuum_after / 3600
        self._commit = GroupCommit(self.index.writer, self._make_durable, on_conflict=settings.on_conflict)
        self._ingest = Ingest(self.name, objects, self._commit, clock, shared, place.assume_charset)

    def close(self) -> None:
        """Commit what is queued, close index and catalog."""
        self._commit.close()
        self.flushing.close()
        self.index.close()
        self._opened.close()

    # -- receiving -------------------------------------------------------------------------------------

    def receive(
        self,
        origin: Origin,
        transfer_syntax: str | None = None,
        sop_class: str | None = None,
        sop_instance: str | None = None,
        study: str | None = None,
    ) -> Reception:
        """Begin to receive one object.

        Args:
            origin: who sends it.
            transfer_syntax: of the bare data set that is fed; without it a Part 10 file is fed, or a bare
                data set whose syntax is guessed.
            sop_class: Affected SOP Class UID of the command, which the data set must confirm.
            sop_instance: Affected SOP Instance UID of the command, likewise.
            study: the only Study Instance UID that is taken here (PS3.18 10.5.1).
        """
        self.require_writable()
        announced = Announced(transfer_syntax, sop_class, sop_instance, study)
        return Reception(self._ingest.sink(origin, announced), self._executor)

    def store(self, raw: bytes, origin: Origin, transfer_syntax: str | None = None) -> Outcome:
        """Store one object that is in memory, and wait until it is durable. See `receive` for errors."""
        reception = self.receive(origin, transfer_syntax)
        reception.feed(raw)
        return reception.finish().result().outcome

    def _make_durable(self, puts: Sequence[Put]) -> None:
        self.objects.sync_directories([put.object for put in puts])

    # -- asking ----------------------------------------------------------------------------------------

    def find(
        self,
        level: Level,
        predicate: Predicate | None = None,
        *,
        relational: bool = True,
        limit: int | None = None,
        offset: int = 0,
        order: Order = (),
    ) -> Iterator[dict[str, Any]]:
        """What satisfies the predicate at a level: keyword to value, see `index.Reader.find`.

        Attributes that the index does not hold are looked for in the catalog.
        """
        reader = self.index.reader
        if predicate is None or reader.supports(predicate):
            return reader.find(
                level, predicate, relational=relational, limit=limit, offset=offset, order=order
            )
        uids = self._uids(level, predicate, order, limit, offset)
        return self._by_uid(level, uids)

    def count(self, level: Level, predicate: Predicate | None = None, *, members: str | None = None) -> int:
        """How many there are at a level, among the members of a cohort where given."""
        predicate = Everything() if predicate is None else predicate
        if members is None and self.index.reader.supports(predicate):
            return self.index.reader.count(level, predicate)
        asked = self._question("count", level=level.value, where=to_json(predicate), members=members)
        return int(self._research.ask(asked))

    def instances(self, predicate: Predicate | None = None) -> list[StoredInstance]:
        """The instances that satisfy the predicate, by series and InstanceNumber."""
        predicate = Everything() if predicate is None else predicate
        reader = self.index.reader
        if reader.supports(predicate):
            return reader.instances(predicate)
        uids = list(self._uids(Level.INSTANCE, predicate, (), None, 0))
        return reader.instances(OneOf(("SOPInstanceUID",), tuple(uids))) if uids else []

    def table(
        self,
        level: Level,
        predicate: Predicate | None = None,
        columns: Sequence[str] | None = None,
        *,
        order: Order = (),
        limit: int | None = None,
        offset: int = 0,
        members: str | None = None,
    ) -> pa.RecordBatchReader:
        """Any attribute as a table, in record batches; see `catalog.query.Engine.query`.

        Without `order` instances come as the catalog keeps them, which costs least. `members` names those of
        a frozen cohort, which then are all that there is (`isocenter.cohort`).

        Raises:
            UnknownAttribute: no such column, naming the nearest.
            InvalidValue: a value does not fit its attribute.
        """
        question = self._question(
            "table",
            level=level.value,
            where=to_json(Everything() if predicate is None else predicate),
            columns=None if columns is None else list(columns),
            order=[tuple(one) for one in order],
            limit=limit,
            offset=offset,
            members=members,
        )
        return self._research.rows(question)

    def summaries(
        self, level: Level, predicate: Predicate | None = None, *, members: str | None = None
    ) -> Summaries:
        """Counts by value, histograms, facets and a description of the rows that satisfy the predicate."""
        return Summaries(self._research, self.name, level, predicate, members)

    def select(
        self,
        level: Level,
        predicate: Predicate | None = None,
        *,
        order: Order = (),
        limit: int | None = None,
        offset: int = 0,
        uids: Sequence[str] | None = None,
        members: str | None = None,
    ) -> pa.RecordBatchReader:
        """All instances of the rows of a level that satisfy the predicate, sorted by SOPInstanceUID.

        The columns are those of `catalog.members.SCHEMA` and `_size`; the schema's metadata `MOMENT` says
        what the question saw. `uids` are the unique keys of the rows, if only some count. Raises as `table`.
        """
        question = self._question(
            "select",
            level=level.value,
            where=to_json(Everything() if predicate is None else predicate),
            order=[tuple(one) for one in order],
            limit=limit,
            offset=offset,
            uids=None if uids is None else tuple(uids),
            members=members,
        )
        return self._research.rows(question)

    def lost(self, members: str) -> pa.RecordBatchReader:
        """The members of a cohort that are `missing` or `changed`: `what` and their UIDs."""
        return self._research.rows(self._question("lost", members=members))

    def sql(self, text: str) -> pa.RecordBatchReader:
        """The answer of one SELECT of a user over the catalog's tables, in a process of its own."""
        return self._research.rows(self._question("sql", sql=text))

    def columns(self, level: Level) -> list[dict[str, str]]:
        """The columns there are: name, Arrow type and what they mean."""
        found = self._research.ask(self._question("columns", level=level.value))
        return [
            {"name": name, "type": kind, "description": describe_column(name)} for name, kind in found.items()
        ]

    def metadata(self, predicate: Predicate) -> Iterator[tuple[str, str]]:
        """SOPInstanceUID and DICOM JSON of every instance that satisfies the predicate, in series order."""
        columns = ["SOPInstanceUID", "json"]
        order: Order = [("StudyInstanceUID", "asc"), ("SeriesInstanceUID", "asc"), ("InstanceNumber", "asc")]
        with self.table(Level.INSTANCE, predicate, columns, order=order) as reader:
            for batch in reader:
                yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)

    def open(self, instance: StoredInstance) -> BinaryIO:
        """The object of an instance, as a seekable file. Raises NotFound."""
        return self.objects.open(instance.object)

    def header(self, instance: StoredInstance) -> Header:
        """The header of an instance, read from its object. Raises NotFound, UnreadableObject."""
        with self.open(instance) as file:
            return read_header(file)

    def size(self) -> int:
        """Bytes of the objects of all visible instances."""
        return self.index.reader.totals().size

    def changes(self, since: int, limit: int) -> list[Change]:
        """The change log after a line."""
        return list(self.index.reader.changes(since, limit))

    def conflicts(self, sop_uid: str | None = None) -> list[ConflictObject]:
        """Objects that have the SOP Instance UID of a visible instance, but other bytes."""
        return self.index.reader.conflicts(sop_uid)

    def _question(self, kind: str, **told: Any) -> dict[str, Any]:
        return {"kind": kind, "dataset": self.name, **told}

    def _uids(
        self, level: Level, predicate: Predicate, order: Order, limit: int | None, offset: int
    ) -> Iterator[str]:
        with self.table(
            level, predicate, [level.unique_key], order=order, limit=limit, offset=offset
        ) as reader:
            for batch in reader:
                yield from batch.column(0).to_pylist()

    def _by_uid(self, level: Level, uids: Iterator[str]) -> Iterator[dict[str, Any]]:
        key = level.unique_key
        while part := tuple(islice(uids, _CHUNK)):
            found = {row[key]: row for row in self.index.reader.find(level, OneOf((key,), part))}
            yield from (found[uid] for uid in part if uid in found)

    # -- changing --------------------------------------------------------------------------------------

    def require_writable(self) -> None:
        """Raises Forbidden for a view, which changes with its source alone."""
        if self.view_of:
            hint = f"what changes in {self.view_of} changes here"
            raise Forbidden(
                f"The dataset {self.name} is a view of {self.view_of}, to be read only", hint=hint
            )

    def delete(self, level: Level, uid: str, *, study: str = "", series: str = "") -> Deleted:
        """Delete a patient, study, series or instance; its objects stay until the sweep."""
        self.require_writable()
        return self.index.writer.delete(level, uid, study=study, series=series)

    def adopt_conflict(self, conflict: int) -> Outcome:
        """Make a conflict object the visible one, which changes places with it.

        Raises:
            NotFound: there is no such conflict, or its object is lost.
            Damaged, UnreadableObject: its object is not what was stored.
        """
        told = next((one for one in self.conflicts() if one.id == conflict), None)
        if told is None:
            raise NotFound("There is no such conflict object")
        try:
            return self.index.writer.adopt_conflict(conflict)
        except Conflict:  # it was visible once: its header left the index with a flush
            return self.index.writer.adopt_conflict(conflict, put=self._described(told))

    def _described(self, told: ConflictObject) -> Put:
        """What the index needs of a conflict object; who sent it and when is what the index says."""
        with self.objects.open(told.object) as file:
            put = describe(file, told.object, self.place.assume_charset)
        return replace(put, source_aet=told.source_aet, received=told.received, file_sha256=told.file_sha256)

    def snapshots(self) -> list[Snapshot]:
        """The snapshots, oldest first."""
        return list(self.index.reader.snapshots())

    def snapshot(self, name: str) -> Snapshot:
        """Name this moment, flushed exactly up to it. Raises Conflict when the name is taken."""
        self.require_writable()
        with self.catalog_lock.held():
            taken = self.index.writer.snapshot(name)
            self.flushing.complete_snapshots()
        return taken

    def drop_snapshot(self, name: str) -> None:
        """Forget a snapshot. Raises NotFound."""
        self.index.writer.drop_snapshot(name)

    def reset(self, name: str) -> Snapshot:
        """Return to a snapshot: rows, tail, tombstones and heads in one transaction. Raises NotFound."""
        self.require_writable()
        if any(one.heads is None for one in self.snapshots()):
            self.flushing.complete_snapshots()
        return self.index.writer.reset(name)

    # -- keeping ---------------------------------------------------------------------------------------

    def complete_snapshots(self) -> None:
        """Flush exactly up to each snapshot that has no heads yet, and give it them."""
        self.flushing.complete_snapshots()

    def flush(self) -> Flushed:
        """Move the tail into the catalog."""
        return self.flushing.everything()

    def compact(self, *, thorough: bool = False) -> list[str]:
        """Rewrite small files of the catalog and those with many dead rows; the tables rewritten."""
        return self._upkeep.compact(thorough=thorough)

    def vacuum(self, *, hours: float | None = None) -> dict[str, list[str]]:
        """Delete files of the catalog that neither head nor snapshot holds, once removed for an hour."""
        return self._upkeep.vacuum(self._vacuum_hours if hours is None else hours)
