"""The reader of a dataset's index: queries at every level, and one moment's view for readers of the catalog.

Every method is one read transaction.  What was committed before it began is seen, by every process.
Not here: attributes that only the catalog holds, and user SQL, which never comes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import And, Equal, Everything, OneOf, Predicate
from isocenter.errors import InvalidQuery
from isocenter.index import audit, changes, cohorts, epochs, identity, names, origins, schema
from isocenter.index.comparisons import Unsupported
from isocenter.index.conditions import Conditions, lowest_level
from isocenter.index.database import Database, Row, Session, quoted, select_text
from isocenter.index.identity import Identity
from isocenter.index.origins import Origin
from isocenter.index.records import (
    Change,
    Collision,
    ConflictObject,
    Kept,
    Lease,
    LevelConflict,
    Snapshot,
    StoredInstance,
    StoredObject,
    TailRow,
    Tombstone,
    Totals,
    View,
)
from isocenter.index.selection import (
    Order,
    count_query,
    find_query,
    instances_between_query,
    instances_query,
)

_TAIL = ", ".join(quoted(column.name) for column in schema.tail.columns)
_AT_ONCE = 10_000
_PAGE = 500


class Reader:
    """Answers from one index. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- queries ---------------------------------------------------------------------------------------

    def supports(self, predicate: Predicate) -> bool:
        """Whether the index alone answers this, at every level."""
        try:
            for level in Level:
                Conditions(level, self.database.dialect, lambda level, keyword: True).of(predicate)
        except Unsupported:
            return False
        return True

    def find(
        self,
        level: Level,
        predicate: Predicate | None = None,
        *,
        relational: bool = True,
        limit: int | None = None,
        offset: int = 0,
        order: Sequence[Order] = (),
        columns: Sequence[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The objects of a level that satisfy a predicate.

        Each is a dict of attribute name to text or number, as sent; absent and blank ones are left out.
        Attributes of the levels above and computed ones are included, and columns of ours: `_seq`, `_object`,
        `_size`, `_transfer_syntax`, `_sha256` ... of an instance, `_changed_seq`, `_received`, `_size` above.

        Args:
            level: what is looked for.
            predicate: what it must satisfy; lower-level attributes as told in `conditions`.
            relational: False demands the unique keys of all levels above (PS3.4 C.4.1.1.3.1).
            limit: most results.
            offset: results to pass over.
            order: (name, `asc` or `desc`) pairs; the rest of the order is that of arrival, and stable.
            columns: the only names wanted.

        Raises:
            InvalidValue: a value does not fit its attribute, or the index cannot answer (see `supports`).
            InvalidQuery: an upper unique key is missing.
        """
        predicate = Everything() if predicate is None else predicate
        if not relational:
            _check_hierarchy(level, predicate)
        return self._found(
            level, predicate, limit, offset, tuple(order), None if columns is None else tuple(columns)
        )

    def _found(
        self,
        level: Level,
        predicate: Predicate,
        limit: int | None,
        offset: int,
        order: tuple[Order, ...],
        columns: tuple[str, ...] | None,
    ) -> Iterator[dict[str, Any]]:
        with self.database.read() as session:
            query = find_query(self._conditions(session, level), predicate, limit, offset, order, columns)
            rows = session.stream(query.sql, query.params)
            names = query.names
            first: list[Row] = []
            for row in rows:
                first.append(row)
                if len(first) == _AT_ONCE:
                    break
            else:
                rows = iter(())
            if len(first) == _AT_ONCE:
                # A long answer keeps its transaction; a usual one has given it back before it is read.
                yield from _dicts(names, first)
                yield from _dicts(names, rows)
                return
        yield from _dicts(names, first)

    def _conditions(self, session: Session, level: Level) -> Conditions:
        def disagrees(at: Level, keyword: str) -> bool:
            text = "SELECT 1 FROM level_conflict WHERE level = ? AND keyword = ? AND v1 IS NULL LIMIT 1"
            return bool(session.rows(text, (at.value, keyword)))

        return Conditions(level, session.dialect, disagrees)

    def count(self, level: Level, predicate: Predicate | None = None) -> int:
        """How many objects of a level satisfy a predicate; from totals of upper rows where they say it."""
        predicate = Everything() if predicate is None else predicate
        lowest = lowest_level(predicate)
        with self.database.read() as session:
            query = count_query(lambda at: self._conditions(session, at), level, lowest, predicate)
            return int(session.rows(query.sql, query.params)[0][0] or 0)

    def instances(self, predicate: Predicate | None = None) -> list[StoredInstance]:
        """All instances below what satisfies the predicate, by study, series and InstanceNumber."""
        with self.database.read() as session:
            wanted = Everything() if predicate is None else predicate
            query = instances_query(self._conditions(session, Level.INSTANCE), wanted)
            return [StoredInstance(*row) for row in session.rows(query.sql, query.params)]

    def names(self, keyword: str, since: int = 0) -> names.Names:
        """Person names of an attribute above the instance, of rows that changed after a sequence."""
        with self.database.read() as session:
            return names.read(session, keyword, since)

    def instances_between(self, low: int, high: int) -> list[StoredInstance]:
        """All instances of studies with keys from `low` to `high`, by study, series and InstanceNumber."""
        with self.database.read() as session:
            query = instances_between_query(session.dialect, low, high)
            return [StoredInstance(*row) for row in session.rows(query.sql, query.params)]

    def kept(self, low: int, high: int) -> set[Kept]:
        """What the catalog must hold of the studies with keys from `low` to `high`."""
        columns = ("SOPInstanceUID", "seq", "sha256")
        text = select_text("instance", columns, "v1 IS NULL AND study_key BETWEEN ? AND ?")
        with self.database.read() as session:
            return {Kept(*row) for row in session.rows(text, (low, high))}

    # -- one moment ------------------------------------------------------------------------------------

    def view(self, since: int = 0) -> View:
        """Heads, tail, tombstones and epoch of one moment; tail rows above sequence `since` only."""
        with self.database.read() as session:
            epoch = epochs.current(session)
            heads: dict[str, int] = dict(session.rows("SELECT name, version FROM catalog_head"))
            tail = _tail(session, "seq > ? ORDER BY seq", (since,))
            seqs = [row[0] for row in session.rows("SELECT seq FROM tail ORDER BY seq")]
            graves = session.rows('SELECT sop_key, "SOPInstanceUID", seq FROM tombstone WHERE v1 IS NULL')
            return View(
                heads=heads,
                tail=tail,
                tail_seqs=seqs,
                tombstones=[Tombstone(*grave) for grave in graves],
                epoch=epoch.now,
                last_seq=epoch.last_seq,
                resets=epoch.resets,
            )

    def tail(self, up_to: int | None = None, *, limit: int | None = None) -> list[TailRow]:
        """The first tail rows, up to a sequence, in order."""
        with self.database.read() as session:
            top, most = (2**62 if number is None else number for number in (up_to, limit))
            return _tail(session, "seq <= ? ORDER BY seq LIMIT ?", (top, most))

    def tail_row(self, seq: int) -> TailRow | None:
        """One tail row by its sequence (`_seq` of an instance); None when the catalog has it already."""
        with self.database.read() as session:
            found = _tail(session, "seq = ?", (seq,))
            return found[0] if found else None

    def waiting(self) -> tuple[int, int | None]:
        """How many rows wait in the tail, and when the oldest arrived (microseconds UTC)."""
        with self.database.read() as session:
            count, oldest = session.rows("SELECT COUNT(*), MIN(received) FROM tail")[0]
            return int(count), oldest

    def heads(self) -> dict[str, int]:
        """The visible version of each catalog table."""
        with self.database.read() as session:
            return dict(session.rows("SELECT name, version FROM catalog_head"))

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""
        with self.database.read() as session:
            return epochs.snapshots(session)

    # -- changes ---------------------------------------------------------------------------------------

    def changes(self, since: int = 0, limit: int = 1000) -> list[Change]:
        """Lines of the change log after the one with id `since`."""
        with self.database.read() as session:
            return changes.since(session, since, limit)

    def last_change(self) -> int:
        """Id of the latest line of the change log."""
        with self.database.read() as session:
            return changes.last_id(session)

    def was_deleted(self, study: str, series: str = "", instance: str = "") -> bool:
        """Whether something inside this study, series or instance was deleted; until the log is trimmed."""
        with self.database.read() as session:
            return changes.was_deleted(session, study, series, instance)

    def data_version(self) -> int:
        """A number that is another one after another connection's commit; asking costs microseconds."""
        return self.database.data_version()

    # -- objects ---------------------------------------------------------------------------------------

    def references(self, paths: Iterable[str]) -> set[str]:
        """Which of these object paths any row of any epoch, or a conflict, still names."""
        with self.database.read() as session:
            return audit.references(session, list(paths))

    def shows(self, path: str) -> bool:
        """Whether a visible instance names this object."""
        with self.database.read() as session:
            return audit.shows(session, path)

    def origins(self, uids: Sequence[str]) -> dict[str, Origin]:
        """Of a view: what became of these instances of its source."""
        with self.database.read() as session:
            return origins.of_sources(session, uids)

    def origins_after(self, after: int, limit: int) -> list[tuple[int, Origin]]:
        """Of a view: what became of the instances of its source, row by row, with the ids of the rows."""
        with self.database.read() as session:
            return origins.page(session, after, limit)

    def origin_of(self, path: str) -> Origin | None:
        """Of a view: what an object is made of."""
        with self.database.read() as session:
            return origins.of_object(session, path)

    def kept_back(self) -> dict[str, int]:
        """Of a view: how many instances of its source are not in it, by reason."""
        with self.database.read() as session:
            return origins.reasons(session)

    def progress(self) -> Mapping[str, str]:
        """Of a view: how far it has come."""
        with self.database.read() as session:
            return origins.progress_of(session)

    def cohort_parts(self) -> Iterator[bytes]:
        """The packed members of every cohort of every epoch, part by part."""
        with self.database.read() as session:
            if "cohort_part" not in self.database.tables(session):  # of an older index, put aside
                return
        after = 0
        while True:
            with self.database.read() as session:
                page = cohorts.all_parts(session, after)
            if not page:
                return
            after = page[0][0]
            yield page[0][1]

    def file_digests(self, path: str) -> set[str]:
        """The file digests that anything that names an object knows of it."""
        with self.database.read() as session:
            return audit.file_digests(session, path)

    def stored_objects(self) -> Iterator[StoredObject]:
        """Every object that a row of any epoch, or a conflict, names.

        Read page by page: nothing waits for whoever looks at each of them.
        """
        for table in audit.NAMING:
            after = 0
            while True:
                with self.database.read() as session:
                    page = audit.stored_objects(session, table, after, _PAGE)
                if not page:
                    break
                after = page[-1][0]
                yield from (stored for _, stored in page)

    def conflicts(self, sop_uid: str | None = None) -> list[ConflictObject]:
        """Objects kept beside the visible ones, of one SOP instance or of all."""
        with self.database.read() as session:
            return audit.conflicts(session, sop_uid)

    def level_conflicts(
        self, level: Level, keyword: str | None = None, *, limit: int = 1000
    ) -> list[LevelConflict]:
        """Values that instances told of their patient, study or series, and that it does not show."""
        with self.database.read() as session:
            return audit.level_conflicts(session, level, keyword, limit)

    def collisions(self) -> list[Collision]:
        """Patients whose instances disagree about birth date, sex or family name."""
        with self.database.read() as session:
            return audit.collisions(session)

    def totals(self) -> Totals:
        """How much the dataset holds, from totals of its patients."""
        with self.database.read() as session:
            row = session.rows(
                "SELECT COUNT(*), COALESCE(SUM(studies), 0), COALESCE(SUM(series), 0),"
                " COALESCE(SUM(instances), 0), COALESCE(SUM(size), 0) FROM patient WHERE v1 IS NULL"
            )[0]
            return Totals(*(int(number) for number in row))

    def identity(self) -> Identity:
        """Which index this is."""
        with self.database.read() as session:
            return identity.read(session)

    def lease(self, name: str) -> Lease | None:
        """Who holds a lease, or held it last."""
        with self.database.read() as session:
            found = session.rows("SELECT name, owner, expires FROM lease WHERE name = ?", (name,))
            return Lease(*found[0]) if found else None


def _tail(session: Session, where: str, params: Sequence[Any]) -> list[TailRow]:
    return [TailRow(*row) for row in session.rows(f"SELECT {_TAIL} FROM tail WHERE {where}", params)]


def _dicts(names: tuple[str, ...], rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}


def _check_hierarchy(level: Level, predicate: Predicate) -> None:
    """Without relational queries, one object of each level above must be named (a study has no patient
    above it in the Study Root, so its own levels are study and below)."""
    terms = predicate.terms if isinstance(predicate, And) else (predicate,)
    named = {".".join(term.path) for term in terms if isinstance(term, (Equal, OneOf))}
    for above in level.above:
        if above is not Level.PATIENT and above.unique_key not in named:
            raise InvalidQuery(
                f"{above.unique_key} is needed at the {level.value} level",
                hint="name it, or negotiate relational queries (PS3.4 C.4.1.1.3.1)",
            )
