"""The writer of a dataset's index: every change is one method, one transaction, one step of the change log.

Any number of processes may have one; they take turns.  A method that returned is durable; one that raised
changed nothing.  Not here: what the transactions write (`ingest`, `removal`, `epochs`), objects, the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isocenter.dicom.levels import Level
from isocenter.errors import Conflict, InvalidValue
from isocenter.index import changes, cohorts, epochs, identity, leases, origins, removal
from isocenter.index.candidate import prepare
from isocenter.index.database import Database
from isocenter.index.familiar import Familiar
from isocenter.index.identity import Identity
from isocenter.index.ingest import Ingest
from isocenter.index.records import Deleted, Lease, OnConflict, Outcome, Put, Snapshot
from isocenter.index.schema import VERSIONED

_PRUNED_AT_ONCE = 2000


class Writer:
    """Changes one index. Safe for threads.

    Args:
        database: the open database.
        default_issuer: IssuerOfPatientID of patients that come without one.
    """

    def __init__(self, database: Database, *, default_issuer: str = "") -> None:
        self.database = database
        self.default_issuer = default_issuer
        self._familiar = Familiar()

    # -- instances -------------------------------------------------------------------------------------

    def commit(
        self,
        puts: Sequence[Put],
        *,
        on_conflict: OnConflict = "keep",
        before_end: Callable[[], None] | None = None,
    ) -> list[Outcome]:
        """Store a group in one transaction; what becomes of each is decided inside it.

        Args:
            puts: the group.
            on_conflict: what to do with other bytes of a known SOP instance.
            before_end: called when all is written and not yet committed; what it raises undoes it.

        Returns:
            An outcome for each put, in order.

        Raises:
            InvalidValue: a put lacks one of its unique keys.
            Unavailable, NoSpace, Damaged: nothing of the group was stored.
        """
        if not puts:
            return []
        try:
            group = [prepare(put) for put in puts]
        except KeyError as error:
            raise InvalidValue(f"{error.args[0]} is missing") from error
        with self.database.write() as session:
            ingest = Ingest(session, on_conflict, self.default_issuer, self._familiar)
            outcomes = ingest.run(group)
            if before_end is not None:
                before_end()
        # Only what was committed; another thread's is as good, since it says which state it holds for.
        self._familiar = ingest.familiar
        return outcomes

    def delete(
        self, level: Level, uid: str, *, study: str = "", series: str = "", issuer: str | None = None
    ) -> Deleted:
        """Delete a patient (by PatientID, and issuer where given), study, series or instance.

        Args:
            level: what `uid` names.
            uid: PatientID or UID. Several series of one UID under different studies all go,
                unless `study` names one.
            study: StudyInstanceUID it must lie in, if given.
            series: SeriesInstanceUID it must lie in, if given.
            issuer: IssuerOfPatientID the patient must have, if given.

        Returns:
            What went; nothing when there was no such thing. Objects stay until no epoch names them.
        """
        with self.database.write() as session:
            return removal.delete(session, level, (uid, study, series, issuer), self.default_issuer)

    def delete_instances(self, sop_uids: Sequence[str]) -> Deleted:
        """Delete these instances; unknown ones are passed over."""
        with self.database.write() as session:
            return removal.delete_instances(session, sop_uids, self.default_issuer)

    def adopt_conflict(self, conflict: int, *, put: Put | None = None) -> Outcome:
        """Make a conflict object the visible one; the one it displaces becomes a conflict object.

        Args:
            conflict: id of the conflict.
            put: the object described anew; needed where the index no longer has its header
                (a displaced one of long ago), else not.

        Raises:
            NotFound: there is no such conflict.
            Conflict: the header is needed and `put` was not given, or is of another object.
        """
        with self.database.write() as session:
            return removal.adopt(session, conflict, put, self.default_issuer)

    def drop_conflict(self, conflict: int) -> str:
        """Forget a conflict object; the path of its object. Raises NotFound."""
        with self.database.write() as session:
            return removal.drop_conflict(session, conflict)

    def take_over(self, taken: origins.Taken) -> None:
        """Take a step of a view: its instances, where they come from and how far it is, all or nothing."""
        group = [prepare(put) for put in taken.puts]
        with self.database.write() as session:
            if taken.gone:
                removal.delete_instances(session, taken.gone, self.default_issuer)
            if group:
                Ingest(session, "replace", self.default_issuer).run(group)
            origins.take(session, taken)

    # -- catalog ---------------------------------------------------------------------------------------

    def flush_done(
        self, seqs: Sequence[int] | int, heads: Mapping[str, int], *, resets: int | None = None
    ) -> None:
        """Move the heads and trim the tail, in one transaction.

        Args:
            seqs: exactly the tail rows that the catalog now holds, or the last sequence of all of them.
            heads: table name to the version that holds them; tables not named keep theirs.
            resets: `View.resets` when the tail was read.

        Raises:
            Conflict: the dataset was reset meanwhile; what was appended must be restored away.
        """
        with self.database.write() as session:
            epoch = epochs.current(session)
            if resets is not None and resets != epoch.resets:
                raise Conflict(
                    "The dataset was reset during the flush", hint="restore the tables to their heads"
                )
            if isinstance(seqs, int):
                session.run("DELETE FROM tail WHERE seq <= ?", (seqs,))
            else:
                session.many("DELETE FROM tail WHERE seq = ?", [(seq,) for seq in seqs])
            removal.move_heads(session, heads)
            changes.append(session, [changes.line("flushed", seq=epoch.last_seq)])

    def set_heads(
        self,
        heads: Mapping[str, int],
        *,
        applied: Sequence[tuple[int, str, int]] = (),
        resets: int | None = None,
    ) -> None:
        """Move the heads alone, as compaction does.

        Args:
            heads: table name to visible version; tables not named keep theirs.
            applied: tombstones (SOP key, SOP Instance UID, sequence) whose rows the new versions no longer
                hold; they end, unless set anew meanwhile.
            resets: `View.resets` when the work began.

        Raises:
            Conflict: the dataset was reset meanwhile, or a snapshot has no heads yet: it would get versions
                without the rows that only it still sees.
        """
        with self.database.write() as session:
            epoch = epochs.current(session)
            epochs.require_flushed(session)
            if resets is not None and resets != epoch.resets:
                raise Conflict("The dataset was reset meanwhile", hint="restore the tables to their heads")
            removal.move_heads(session, heads)
            removal.end_tombstones(session, epoch, applied)
            changes.append(session, [changes.line("flushed", seq=epoch.last_seq)])

    # -- epochs ----------------------------------------------------------------------------------------

    def snapshot(self, name: str) -> Snapshot:
        """Name this moment. Its `heads` are set by `set_snapshot_heads` after a flush up to its `last_seq`.

        Raises Conflict when the name is taken.
        """
        with self.database.write() as session:
            taken = epochs.take_snapshot(session, name, changes.now())
            changes.append(session, [changes.line("snapshot", seq=taken.last_seq, detail=name)])
            return taken

    def set_snapshot_heads(self, name: str, heads: Mapping[str, int]) -> None:
        """Record the catalog versions of a snapshot. Raises NotFound; Conflict before the flush is done."""
        with self.database.write() as session:
            epochs.set_snapshot_heads(session, name, dict(heads))

    def drop_snapshot(self, name: str) -> Snapshot:
        """Forget a snapshot. Raises NotFound."""
        with self.database.write() as session:
            dropped = epochs.drop_snapshot(session, name)
            changes.append(session, [changes.line("snapshot-dropped", detail=name)])
            return dropped

    def reset(self, name: str) -> Snapshot:
        """Return the dataset to a snapshot: rows, tombstones, tail and heads.

        Raises:
            NotFound: there is no such snapshot.
            Conflict: another snapshot still waits for its flush.
        """
        with self.database.write() as session:
            to = epochs.reset(session, name)
            changes.append(
                session, [changes.line("reset", seq=epochs.current(session).last_seq, detail=name)]
            )
            return to

    def prune(self) -> int:
        """Delete rows that no snapshot needs, some thousands a turn; how many went in all."""
        gone = 0
        for table in VERSIONED.values():
            with self.database.read() as reading:
                ids = epochs.prunable(reading, table)
            for start in range(0, len(ids), _PRUNED_AT_ONCE):
                with self.database.write() as session:
                    epochs.prune_rows(session, table, ids[start : start + _PRUNED_AT_ONCE])
            gone += len(ids)
        if gone:
            with self.database.write() as session:
                epochs.prune_values(session)
                cohorts.prune_parts(session)
        return gone

    # -- the rest --------------------------------------------------------------------------------------

    def raise_seq(self, seq: int) -> None:
        """Continue above this sequence, if it is beyond the last one (bundle import, rebuild)."""
        with self.database.write() as session:
            session.run("UPDATE epoch SET last_seq = ? WHERE last_seq < ?", (seq, seq))

    def trim_changes(self, keep: int) -> int:
        """Delete all but the latest `keep` lines of the change log, some thousands a turn; how many went."""
        gone = 0
        while self._trims(keep):
            with self.database.write() as session:
                gone += changes.trim(session, keep, _PRUNED_AT_ONCE)
        return gone

    def _trims(self, keep: int) -> bool:
        """Whether there is something to trim; nobody waits for the answer."""
        with self.database.read() as session:
            return changes.first_id(session) <= changes.last_id(session) - keep

    def identify(self, name: str) -> Identity:
        """Give the index a name for life, unless it has one; its identity."""
        with self.database.write() as session:
            return identity.give(session, name)

    def take_lease(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take a lease that is free, expired or one's own; None when another one holds it."""
        with self.database.write() as session:
            return leases.take(session, name, owner, seconds)

    def renew_lease(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Prolong a lease that is still one's own; None when it was lost."""
        with self.database.write() as session:
            return leases.renew(session, name, owner, seconds)

    def release_lease(self, name: str, owner: str) -> bool:
        """Give a lease back; False when it was not one's own."""
        with self.database.write() as session:
            return leases.release(session, name, owner)
