"""Who is told of what: subscriptions to one workitem, to all, and to those that match (PS3.4 CC.2.3).

A global subscription makes one subscription to each workitem there is and to each that comes; what is told
follows from these alone. The functions run inside the caller's write transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from isocenter.dicom.matching import QIDO, match_all
from isocenter.dicom.predicate import matches
from isocenter.errors import NotFound
from isocenter.index import changes, worklist
from isocenter.index.database import Session
from isocenter.index.worklist import Subscription
from isocenter.worklist import events
from isocenter.worklist.documents import Json
from isocenter.worklist.refusal import Refused
from isocenter.worklist.states import NO_SUCH_STEP, NOT_APPROPRIATE

WORKLIST = events.WORKLIST
"""Well-known UID: all workitems."""
FILTERED = "1.2.840.10008.5.1.4.34.5.1"
"""Well-known UID: all workitems that match the filter."""
GLOBAL = (WORKLIST, FILTERED)

_KEPT = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription as it is asked for: to what, for whom, with a deletion lock or not, with which keys."""

    uid: str
    aetitle: str
    deletion_lock: bool = False
    keys: Mapping[str, str] | None = None


def tell(session: Session, aetitles: Iterable[str], reports: Iterable[Json]) -> None:
    """Queue reports for subscribers, in order; forget what is older than a day."""
    texts = [json.dumps(report, ensure_ascii=False, separators=(",", ":")) for report in reports]
    told = [(aetitle, text) for text in texts for aetitle in aetitles]
    worklist.enqueue(session, told, now=changes.now(), keep=_KEPT)


def subscribers(session: Session, uid: str) -> list[str]:
    """The AE titles that subscribe to a workitem."""
    return [one.aetitle for one in worklist.subscriptions(session, uid=uid)]


def adopt(session: Session, uid: str, document: Json) -> list[str]:
    """Subscribe who has a fitting global subscription to a new workitem; the AE titles."""
    wanted: dict[str, Subscription] = {}
    for one in (
        *worklist.subscriptions(session, uid=WORKLIST),
        *worklist.subscriptions(session, uid=FILTERED),
    ):
        if _fits(one, document):
            known = wanted.get(one.aetitle)
            lock = max(one.deletion_lock, known.deletion_lock if known else 0)
            wanted[one.aetitle] = Subscription(uid, one.aetitle, lock)
    worklist.subscribe(session, wanted.values())
    return list(wanted)


def _fits(one: Subscription, document: Json) -> bool:
    return not one.filter or matches(match_all(json.loads(one.filter), QIDO), document)


def subscribe(session: Session, wish: Wish) -> None:
    """Subscribe, as Table CC.2.3-2 says; initial reports are queued.

    Raises:
        Refused: there is no such workitem (C307).
    """
    if wish.uid in GLOBAL:
        _subscribe_globally(session, wish)
    else:
        item = worklist.find(session, wish.uid)
        if item is None:
            raise Refused(NO_SUCH_STEP)
        worklist.subscribe(session, [Subscription(wish.uid, wish.aetitle, int(wish.deletion_lock))])
        tell(session, [wish.aetitle], [events.state_report(wish.uid, json.loads(item.content))])
    _log(session, "workitem-subscribed", wish)


def _subscribe_globally(session: Session, wish: Wish) -> None:
    keys = json.dumps(wish.keys, ensure_ascii=False) if wish.keys else ""
    mine = Subscription(wish.uid, wish.aetitle, int(wish.deletion_lock), keys)
    known = {one.SOPInstanceUID for one in worklist.subscriptions(session, aetitle=wish.aetitle)}
    fitting = {
        item.SOPInstanceUID: document
        for item in list(worklist.workitems(session))
        if item.SOPInstanceUID not in known and _fits(mine, document := json.loads(item.content))
    }
    each = [replace(mine, SOPInstanceUID=uid, filter="") for uid in fitting]
    worklist.subscribe(session, [mine, *each])
    if wish.deletion_lock:
        tell(session, [wish.aetitle], [events.state_report(*one) for one in fitting.items()])


def unsubscribe(session: Session, uid: str, aetitle: str) -> None:
    """Unsubscribe; from the well-known UIDs, from every workitem as well while no other of them holds.

    Raises:
        NotFound: there is no such subscription.
    """
    mine = worklist.subscriptions(session, aetitle=aetitle)
    gone = [one for one in mine if one.SOPInstanceUID == uid]
    others = [one for one in mine if one.SOPInstanceUID in GLOBAL and one.SOPInstanceUID != uid]
    if uid in GLOBAL and not others:
        gone = mine
    if not gone:
        raise NotFound(f"{aetitle} has no such subscription")
    worklist.unsubscribe(session, gone)
    _log(session, "workitem-unsubscribed", Wish(uid, aetitle))


def suspend(session: Session, uid: str, aetitle: str) -> None:
    """End a global subscription for workitems to come; those to existing ones stay.

    Raises:
        Refused: the UID is not a well-known one (C314).
        NotFound: there is no such subscription.
    """
    if uid not in GLOBAL:
        raise Refused(NOT_APPROPRIATE)
    gone = worklist.subscriptions(session, uid=uid, aetitle=aetitle)
    if not gone:
        raise NotFound(f"{aetitle} has no such subscription")
    worklist.unsubscribe(session, gone)
    _log(session, "workitem-suspended", Wish(uid, aetitle))


def everybody(session: Session) -> list[str]:
    """The AE titles that have any subscription."""
    return sorted({one.aetitle for one in worklist.subscriptions(session)})


def _log(session: Session, kind: str, wish: Wish) -> None:
    changes.append(session, [changes.line(kind, uids=("", "", wish.uid), detail=wish.aetitle)])
