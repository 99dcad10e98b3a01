"""The worklist of a dataset: Unified Procedure Steps, their states, their locks (PS3.4 Annex CC).

Every method is one transaction: it reads the workitem, asks the table of `states`, checks the data set,
writes and queues the reports, so that of two performers who claim a workitem one gets it. Not here: HTTP
(`dicomweb.ups`), rows (`index.worklist`).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace

from isocenter.dicom.predicate import And, Equal, Everything, OneOf, Predicate, matches
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import BadRequest
from isocenter.index import Index, changes, worklist
from isocenter.index.database import Session
from isocenter.index.worklist import Event, Workitem
from isocenter.worklist import documents, events, subscriptions
from isocenter.worklist.documents import Json
from isocenter.worklist.refusal import Refused
from isocenter.worklist.states import (
    ALREADY_CANCELED,
    ALREADY_COMPLETED,
    CHANGES,
    FINAL_STATE_NOT_MET,
    NO_LONGER_UPDATED,
    NO_SUCH_STEP,
    NOT_CREATED_SCHEDULED,
    NOT_IN_PROGRESS,
    SUCCESS,
    WRONG_TRANSACTION,
    Cell,
    Request,
    State,
    cell,
)
from isocenter.worklist.subscriptions import Wish

WARNINGS = (SUCCESS, ALREADY_CANCELED, ALREADY_COMPLETED)


@dataclass(frozen=True, slots=True)
class Created:
    """A workitem that was created; `modified` when the server filled something in."""

    uid: str
    modified: bool


def new_uid() -> str:
    """A UID that nobody else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


class Worklist:
    """The one worklist of a dataset. Methods block: call them in a thread.

    Args:
        index: of the dataset.
        label: Worklist Label of workitems that come without one.
    """

    def __init__(self, index: Index, label: str = "main") -> None:
        self._database = index.database
        self._label = label

    # -- workitems -------------------------------------------------------------------------------------

    def create(self, document: Json, uid: str) -> Created:
        """Create a workitem (N-CREATE).

        Raises:
            BadRequest: the UID or the data set is not what it must be.
            Refused: there is one with this UID (0111), or its state is not SCHEDULED (C309).
        """
        if not is_valid_uid(uid) or uid in subscriptions.GLOBAL:
            raise BadRequest("The workitem needs a UID of its own", hint="digits and dots, 64 at most")
        documents.well_formed(document)
        if documents.value(document, "ProcedureStepState") not in ("", State.SCHEDULED):
            raise Refused(NOT_CREATED_SCHEDULED)
        made, modified = documents.new(document, uid, label=self._label)
        with self._database.write() as session:
            known = worklist.find(session, uid)
            _allowed(cell(Request.CREATE, State(known.state) if known else State.NONE))
            at = changes.now()
            item = Workitem(uid, State.SCHEDULED, "", "", at, at, "")
            self._put(session, item, made, "workitem-created")
            told = subscriptions.adopt(session, uid, made)
            subscriptions.tell(session, told, events.of_creation(uid, made))
        return Created(uid, modified)

    def retrieve(self, uid: str) -> Json:
        """A workitem, without its lock (N-GET). Raises Refused (C307)."""
        with self._database.read() as session:
            return _document(_found(session, uid))

    def update(self, uid: str, wanted: Json, transaction: str) -> None:
        """Change attributes of a workitem (N-SET).

        Args:
            uid: of the workitem.
            wanted: the elements to set, each as a whole.
            transaction: Transaction UID of the performer; empty for a workitem that is SCHEDULED.

        Raises:
            BadRequest: an attribute may not be set so.
            Refused: C300, C301, C307 or C310.
        """
        documents.well_formed(wanted)
        with self._database.write() as session:
            item = _found(session, uid)
            if State(item.state).final:
                raise Refused(NO_LONGER_UPDATED)
            if item.state == State.SCHEDULED and transaction:
                raise Refused(NOT_IN_PROGRESS)
            if item.state == State.IN_PROGRESS and transaction != item.transaction_uid:
                raise Refused(WRONG_TRANSACTION)
            before = _document(item)
            after = documents.changed(before, wanted)
            self._put(session, item, after, "workitem-updated")
            told = subscriptions.subscribers(session, uid)
            subscriptions.tell(session, told, events.of_update(uid, before, after))

    def change_state(self, uid: str, wanted: str, transaction: str) -> int:
        """Change the state of a workitem (N-ACTION Change UPS State); what Table CC.1.1-2 says happens.

        Returns:
            0, or B304 or B306 when it is in this state already.

        Raises:
            BadRequest: no such state.
            Refused: C300 to C310.
        """
        if wanted not in CHANGES:
            raise BadRequest(f"Procedure Step State is not {wanted[:20]!r}", hint=", ".join(State)[2:])
        with self._database.write() as session:
            item = _found(session, uid)
            correct = _is_correct(item, transaction)
            found = cell(CHANGES[State(wanted)], State(item.state), correct=correct)
            _allowed(found)
            if found.through:
                document = _document(item)
                if found.through == (State.CANCELED,):
                    document = documents.canceled(document)
                if found.checked and (lacks := documents.missing_for(document, State(wanted))):
                    raise Refused(FINAL_STATE_NOT_MET, f"no value in {', '.join(lacks)}")
                self._go(session, replace(item, transaction_uid=transaction), document, found)
        return found.status

    def request_cancel(self, uid: str, reasons: Json, requester: str) -> int:
        """Ask that a workitem be canceled (N-ACTION Request UPS Cancel).

        One that nobody claimed is canceled here; else its performer, if subscribed, is told.

        Returns:
            0, or B304 when it is canceled already.

        Raises:
            Refused: C307, C311.
        """
        documents.well_formed(reasons)
        with self._database.write() as session:
            item = _found(session, uid)
            found = cell(Request.REQUEST_CANCEL, State(item.state))
            _allowed(found)
            if found.through or found.asks:
                report = events.cancel_requested(uid, requester, reasons)
                subscriptions.tell(session, subscriptions.subscribers(session, uid), [report])
                line = changes.line("workitem-cancel-requested", uids=("", "", uid), detail=requester)
                changes.append(session, [line])
            if found.through:
                document = documents.canceled(_document(item), reasons)
                self._go(session, replace(item, transaction_uid=new_uid()), document, found)
        return found.status

    def search(
        self, predicate: Predicate, *, limit: int | None = None, offset: int = 0
    ) -> tuple[list[Json], int]:
        """The workitems that satisfy a predicate (C-FIND), by scheduled start, then age.

        Every one is looked at, save that a wanted state is looked up.

        Returns:
            Those of the page, and how many come after it.
        """
        found: list[Json] = []
        passed = 0
        with self._database.read() as session:
            for item in worklist.workitems(session, _states_of(predicate)):
                document = _document(item)
                if not isinstance(predicate, Everything) and not matches(predicate, document):
                    continue
                passed += 1
                if passed > offset and (limit is None or len(found) < limit):
                    found.append(document)
        return found, max(passed - offset - len(found), 0)

    def _go(self, session: Session, item: Workitem, document: Json, found: Cell) -> None:
        """Enter each state of the cell, and report it."""
        told = subscriptions.subscribers(session, item.SOPInstanceUID)
        for state in found.through:
            item = replace(item, state=state)
            document = document | {documents.tag("ProcedureStepState"): _state(state)}
            self._put(session, item, document, "workitem-state")
            subscriptions.tell(session, told, [events.state_report(item.SOPInstanceUID, document)])

    def _put(self, session: Session, item: Workitem, document: Json, kind: str) -> None:
        stored = replace(
            item,
            scheduled=documents.value(document, "ScheduledProcedureStepStartDateTime"),
            changed=changes.now(),
            content=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        )
        worklist.put(session, stored)
        line = changes.line(kind, uids=("", "", item.SOPInstanceUID), detail=stored.state)
        changes.append(session, [line])

    # -- subscriptions ---------------------------------------------------------------------------------

    def subscribe(self, wish: Wish) -> None:
        """Subscribe to a workitem or to the worklist. Raises Refused (C307)."""
        with self._database.write() as session:
            subscriptions.subscribe(session, wish)

    def unsubscribe(self, uid: str, aetitle: str) -> None:
        """Unsubscribe. Raises NotFound."""
        with self._database.write() as session:
            subscriptions.unsubscribe(session, uid, aetitle)

    def suspend(self, uid: str, aetitle: str) -> None:
        """Suspend a global subscription. Raises NotFound, Refused (C314)."""
        with self._database.write() as session:
            subscriptions.suspend(session, uid, aetitle)

    # -- events ----------------------------------------------------------------------------------------

    def events(self, aetitle: str, after: int | None = None) -> list[Event]:
        """Events for a subscriber after one, or those that were never sent; oldest first."""
        with self._database.read() as session:
            last = worklist.delivered(session, aetitle) if after is None else after
            return worklist.events(session, aetitle, last)

    def last_delivered(self, aetitle: str) -> int:
        """The last event that a subscriber was sent, 0 when none was."""
        with self._database.read() as session:
            return worklist.delivered(session, aetitle)

    def delivered(self, aetitle: str, event_id: int) -> None:
        """Remember that a subscriber was sent events up to this one."""
        with self._database.write() as session:
            worklist.set_delivered(session, aetitle, event_id)

    def announce_restart(self) -> None:
        """Tell all subscribers that the server was restarted, with its lists as they were."""
        with self._database.read() as reading:
            if not subscriptions.everybody(reading):
                return
        with self._database.write() as session:
            subscriptions.tell(session, subscriptions.everybody(session), [events.restarted()])


def _found(session: Session, uid: str) -> Workitem:
    item = worklist.find(session, uid)
    if item is None:
        raise Refused(NO_SUCH_STEP)
    return item


def _document(item: Workitem) -> Json:
    made: Json = json.loads(item.content)
    return made


def _state(state: State) -> Json:
    return documents.element("ProcedureStepState", state.value)


def _allowed(found: Cell) -> None:
    if found.status not in WARNINGS:
        raise Refused(found.status)


def _is_correct(item: Workitem, transaction: str) -> bool:
    """Whether this is the lock of the workitem; one that nobody claimed takes any."""
    if item.state == State.SCHEDULED:
        return is_valid_uid(transaction)
    return bool(transaction) and transaction == item.transaction_uid


def _states_of(predicate: Predicate) -> tuple[str, ...]:
    """The states that a predicate confines a workitem to, empty for any."""
    terms = predicate.terms if isinstance(predicate, And) else (predicate,)
    for term in terms:
        if isinstance(term, Equal) and term.path == ("ProcedureStepState",):
            return (str(term.value),)
        if isinstance(term, OneOf) and term.path == ("ProcedureStepState",):
            return tuple(str(one) for one in term.values)
    return ()
