"""One group of stored objects becomes rows, inside one write transaction.

What becomes of each object is decided here, against what is visible and against the group's earlier members:
identical bytes change nothing; other bytes of a known SOP instance follow `on_conflict`.

Not here: the transaction (`writer`), when a group is formed (`group`), bytes of objects (`objects`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of
from isocenter.index import changes, schema
from isocenter.index.candidate import (
    CONFLICT,
    INSTANCE,
    TAIL,
    Candidate,
    batches,
    conflict_cells,
    instance_cells,
    tail_cells,
)
from isocenter.index.database import Row, Session, insert_text, select_text
from isocenter.index.epochs import Epoch, current, end, store
from isocenter.index.familiar import Companions, Familiar
from isocenter.index.records import OnConflict, Outcome
from isocenter.index.summary import Batch, Summary
from isocenter.index.told import Told, to_text

_KNOWN = (
    "sop_key",
    "SOPInstanceUID",
    "id",
    "v0",
    "study_key",
    "series_key",
    "upper_id",
    "seq",
    "size",
    "received",
    "object",
    "sha256",
)


_SAME_BYTES = 'sop_key = ? AND "SOPInstanceUID" = ? AND sha256 = ? AND v1 IS NULL'


@dataclass(slots=True)
class Known:
    """A visible instance that has the SOP Instance UID of a new object."""

    row: int
    v0: int
    study_key: int
    series_key: int
    upper_id: int
    seq: int
    size: int
    received: int
    object: str
    sha256: str


class Ingest:
    """One group inside one write transaction."""

    def __init__(
        self,
        session: Session,
        on_conflict: OnConflict,
        default_issuer: str,
        familiar: Familiar | None = None,
    ) -> None:
        self.session = session
        self.familiar = familiar or Familiar()
        self.on_conflict = on_conflict
        self.epoch: Epoch = current(session)
        self.summary = Summary(session, self.epoch, default_issuer)
        self.known: dict[str, Known] = {}
        self.fresh: dict[str, Candidate] = {}
        self.ended: list[tuple[str, Known]] = []
        self.beside: list[Candidate] = []
        self.lines: list[changes.Line] = []
        self.known_places_hold = False

    def run(self, group: Sequence[Candidate]) -> list[Outcome]:
        """Decide and write; the outcomes are in the order of the group.

        When the transaction is committed, `familiar` holds what the next one may rely on.
        """
        self._find_known(group)
        if self._is_more_of_the_same(group):
            return self._add_only(group)
        self._find_rows(group)
        outcomes = [self._decide(candidate) for candidate in group]
        if self.fresh or self.beside:
            self._write()
        return outcomes

    # -- deciding --------------------------------------------------------------------------------------

    def _find_known(self, group: Sequence[Candidate]) -> None:
        wanted = {candidate.sop_uid for candidate in group}
        text = select_text("instance", _KNOWN, "{among} AND v1 IS NULL")
        keys = [candidate.sop_key for candidate in group]
        for _, uid, *rest in self.session.among(text, "sop_key", keys):
            if uid in wanted:
                self.known[uid] = Known(*rest)

    def _find_rows(self, group: Sequence[Candidate]) -> None:
        pairs = {(candidate.study_key, candidate.series_key) for candidate in group}
        pairs |= {(known.study_key, known.series_key) for known in self.known.values()}
        self.summary.find(pairs)

    def _decide(self, candidate: Candidate) -> Outcome:
        known = self.known.get(candidate.sop_uid)
        earlier = self.fresh.get(candidate.sop_uid)
        there = earlier.put if earlier else known
        if there is None:
            return self._store(candidate)
        seq = earlier.seq if earlier else known.seq if known else 0
        if there.sha256 == candidate.put.sha256:
            return Outcome("duplicate", seq, there.object)
        if self.on_conflict == "reject":
            return Outcome("rejected", 0, "", reason="other bytes are stored under this SOP Instance UID")
        if self.on_conflict == "replace":
            return self._replace(candidate, there.object)
        return self._keep(candidate)

    def _store(self, candidate: Candidate) -> Outcome:
        if not self.summary.accepts(
            candidate.study_uid, candidate.study_key, candidate.series_uid, candidate.series_key
        ):
            return Outcome("rejected", 0, "", reason="its UID has the 64-bit key of another UID")
        candidate.seq = self.epoch.next_seq()
        self.fresh[candidate.sop_uid] = candidate
        self.lines.append(self._line("stored", candidate))
        return Outcome("stored", candidate.seq, candidate.put.object)

    def _replace(self, candidate: Candidate, previous: str) -> Outcome:
        if not self.summary.accepts(
            candidate.study_uid, candidate.study_key, candidate.series_uid, candidate.series_key
        ):
            return Outcome("rejected", 0, "", reason="its UID has the 64-bit key of another UID")
        known = self.known.pop(candidate.sop_uid, None)
        if known is not None:
            self.ended.append((candidate.sop_uid, known))
        candidate.seq = self.epoch.next_seq()
        candidate.operation = "replace"
        # What becomes visible is no longer an object beside the visible one.
        like = [(row, v0) for row, v0, *_ in self._conflicts_like(candidate)]
        end(self.session, schema.conflict, self.epoch, like)
        self.fresh[candidate.sop_uid] = candidate
        self.lines.append(self._line("replaced", candidate))
        return Outcome("replaced", candidate.seq, candidate.put.object, previous)

    def _keep(self, candidate: Candidate) -> Outcome:
        for other in self.beside:
            if other.sop_uid == candidate.sop_uid and other.put.sha256 == candidate.put.sha256:
                return Outcome("duplicate", other.seq, other.put.object)
        if stored := self._conflicts_like(candidate):
            return Outcome("duplicate", *stored[0][2:])
        candidate.seq = self.epoch.next_seq()
        self.beside.append(candidate)
        self.lines.append(self._line("conflict", candidate))
        return Outcome("conflict", candidate.seq, candidate.put.object)

    def _conflicts_like(self, candidate: Candidate) -> list[Row]:
        """The conflict row with the same bytes: id, v0, sequence, object."""
        return self.session.rows(
            select_text("conflict", ("id", "v0", "seq", "object"), _SAME_BYTES),
            (candidate.sop_key, candidate.sop_uid, candidate.put.sha256),
        )

    def _line(self, kind: str, candidate: Candidate) -> changes.Line:
        return changes.line(
            kind, Level.INSTANCE, candidate.uids, seq=candidate.seq, at=candidate.put.received
        )

    # -- writing ---------------------------------------------------------------------------------------

    def _write(self) -> None:
        if self.ended:
            end_instances(self.session, self.epoch, self.summary, [known for _, known in self.ended])
            bury(
                self.session,
                self.epoch,
                [(key_of(uid), uid, self.fresh[uid].seq - 1) for uid, _ in self.ended],
            )
        fresh = sorted(self.fresh.values(), key=lambda candidate: candidate.seq)
        uppers = upper_ids(self.session, {candidate.told for candidate in fresh})
        self._insert(fresh, uppers)
        self.session.insert("conflict", CONFLICT, [conflict_cells(c, self.epoch) for c in self.beside])
        added = batches(fresh)
        for batch in added:
            self.summary.add(batch)
        self.summary.finish()
        born = [
            changes.line(f"new-{level.value}", level, (study, series, ""))
            for level, study, series in self.summary.born
        ]
        changes.append(self.session, [*born, *self.lines])
        store(self.session, self.epoch)
        self._learn(added, uppers)

    def _insert(self, fresh: Sequence[Candidate], uppers: Mapping[Told, int]) -> None:
        self.session.insert(
            "instance", INSTANCE, [instance_cells(c, uppers[c.told], self.epoch) for c in fresh]
        )
        self.session.insert("tail", TAIL, [tail_cells(candidate) for candidate in fresh])

    def _learn(self, added: Sequence[Batch], uppers: Mapping[Told, int]) -> None:
        if not self.summary.only_added:
            self.familiar = Familiar()
            return
        known = self.familiar if self.known_places_hold else Familiar()
        learned = {}
        for batch in added:
            study = self.summary.studies[batch.study_key].values
            patient = study["patient_key"], study["patient_identity"]
            learned[batch.place] = Companions(uppers[batch.told], *patient)
        self.familiar = known.after(self.epoch, learned)

    # -- more of the same ------------------------------------------------------------------------------

    def _is_more_of_the_same(self, group: Sequence[Candidate]) -> bool:
        self.known_places_hold = self.familiar.still_holds(self.epoch)
        return (
            self.known_places_hold
            and not self.known
            and all(candidate.place in self.familiar.places for candidate in group)
            and len({candidate.sop_uid for candidate in group}) == len(group)
        )

    def _add_only(self, group: Sequence[Candidate]) -> list[Outcome]:
        for candidate in group:
            candidate.seq = self.epoch.next_seq()
            self.lines.append(self._line("stored", candidate))
        self._insert(group, {c.told: self.familiar.places[c.place].upper_id for c in group})
        for batch in batches(group):
            self.familiar.count(self.session, batch)
        changes.append(self.session, self.lines)
        store(self.session, self.epoch)
        self.familiar = self.familiar.after(self.epoch, {})
        return [Outcome("stored", candidate.seq, candidate.put.object) for candidate in group]


def end_instances(session: Session, epoch: Epoch, summary: Summary, gone: Sequence[Known]) -> None:
    """End visible instances and count them out."""
    end(session, schema.instance, epoch, [(known.row, known.v0) for known in gone])
    for known in gone:
        summary.remove(known.study_key, known.series_key, known.upper_id)


def bury(session: Session, epoch: Epoch, graves: Sequence[tuple[int, str, int]]) -> None:
    """Set the tombstone of each (SOP key, SOP Instance UID, sequence up to which it holds)."""
    text = select_text("tombstone", ("SOPInstanceUID", "id", "v0"), "{among} AND v1 IS NULL")
    uids = {uid for _, uid, _ in graves}
    found = session.among(text, "sop_key", [key for key, _, _ in graves])
    end(session, schema.tombstone, epoch, {(row, v0) for uid, row, v0 in found if uid in uids})
    session.insert(
        "tombstone", ("sop_key", "SOPInstanceUID", "seq", "v0"), [(*grave, epoch.now) for grave in graves]
    )


def upper_ids(session: Session, told: set[Told]) -> dict[Told, int]:
    """The ids of these sets of values; new ones are inserted."""
    texts = {to_text(one): one for one in told}
    digests = {text: key_of(text) for text in texts}
    select = select_text("upper_values", ("told", "id"), "{among}")
    found = {t: i for t, i in session.among(select, "digest", list(digests.values())) if t in texts}
    missing = [text for text in texts if text not in found]
    if missing:
        session.many(
            insert_text("upper_values", ("digest", "told")), [(digests[text], text) for text in missing]
        )
        fresh = session.among(select, "digest", [digests[text] for text in missing])
        found |= {text: row for text, row in fresh if text in texts}
    return {one: found[text] for text, one in texts.items()}
