"""The tables of worklists: UPS workitems and who subscribes to them (versioned), and events to be sent.

Rows only; what may become of a workitem is `isocenter.worklist`'s business, which calls these functions
inside one write transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields

from sqlalchemy import BigInteger, Column, Index, SmallInteger, Table, Text

from isocenter.dicom.uids import key_of
from isocenter.index import epochs
from isocenter.index.database import Session, select_text
from isocenter.index.schema import change, metadata, versioned

TEXT, ROWID = change.c.kind.type, change.c.id.type


def text_column(name: str) -> Column[object]:
    """A text that is always there, in the order of its code points."""
    return Column(name, TEXT, nullable=False, server_default="")


def number_column(name: str) -> Column[object]:
    """A 64-bit number that is always there."""
    return Column(name, BigInteger, nullable=False)


workitem = versioned(
    "workitem",
    ("workitem_key", "SOPInstanceUID"),
    number_column("workitem_key"),
    text_column("SOPInstanceUID"),
    text_column("state"),
    text_column("transaction_uid"),
    text_column("scheduled"),
    number_column("created"),
    number_column("changed"),
    Column("content", Text, nullable=False),
)
"""`state` is Procedure Step State, `transaction_uid` the lock of its performer, `scheduled` the start as
sent, `content` the DICOM JSON without the lock."""

subscription = versioned(
    "subscription",
    ("workitem_key", "SOPInstanceUID", "aetitle"),
    number_column("workitem_key"),
    text_column("SOPInstanceUID"),
    text_column("aetitle"),
    Column("deletion_lock", SmallInteger, nullable=False),
    Column("filter", Text, nullable=False, server_default=""),
)
"""`SOPInstanceUID` is that of the workitem, or the well-known one of a global subscription; `filter` the
matching keys of a filtered one, as JSON."""

event = Table(
    "workitem_event",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=True),
    text_column("aetitle"),
    number_column("time"),
    Column("content", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Events on their way to subscribers, DICOM JSON. Not versioned: what was told cannot be untold."""

subscriber = Table(
    "subscriber",
    metadata,
    Column("aetitle", TEXT, primary_key=True),
    Column("delivered", BigInteger, nullable=False),
)
"""Up to which event a subscriber has been told."""

Index("workitem_event_aetitle", event.c.aetitle, event.c.id)
Index("workitem_event_time", event.c.time)
Index("subscription_aetitle", subscription.table.c.aetitle)


@dataclass(frozen=True, slots=True)
class Workitem:
    """A workitem as it is stored; see the columns of its table."""

    SOPInstanceUID: str
    state: str
    transaction_uid: str
    scheduled: str
    created: int
    changed: int
    content: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it is stored; see the columns of its table."""

    SOPInstanceUID: str
    aetitle: str
    deletion_lock: int
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An event report for one subscriber."""

    id: int
    aetitle: str
    time: int
    content: str


_WORKITEM = tuple(field.name for field in fields(Workitem))
_SUBSCRIPTION = tuple(field.name for field in fields(Subscription))
_EVENT = tuple(field.name for field in fields(Event))
_SAME = 'workitem_key = ? AND "SOPInstanceUID" = ? AND v1 IS NULL'


# -- workitems -----------------------------------------------------------------------------------------


def find(session: Session, uid: str) -> Workitem | None:
    """The workitem with this UID."""
    found = session.rows(select_text("workitem", _WORKITEM, _SAME), (key_of(uid), uid))
    return Workitem(*found[0]) if found else None


def workitems(session: Session, states: Sequence[str] = ()) -> Iterator[Workitem]:
    """All workitems (in one of these states), by scheduled start and age."""
    where = f"v1 IS NULL{' AND state IN (' + ', '.join('?' * len(states)) + ')' if states else ''}"
    order = f'{where} ORDER BY scheduled, created, "SOPInstanceUID"'
    for row in session.stream(select_text("workitem", _WORKITEM, order), tuple(states)):
        yield Workitem(*row)


def put(session: Session, item: Workitem) -> None:
    """Make this the present state of its workitem."""
    epoch = epochs.current(session)
    uid = item.SOPInstanceUID
    found = session.rows(select_text("workitem", ("id", "v0"), _SAME), (key_of(uid), uid))
    epochs.end(session, workitem, epoch, [(row, v0) for row, v0 in found])
    columns = (*_WORKITEM, "workitem_key", "v0")
    session.insert("workitem", columns, [(*astuple(item), key_of(uid), epoch.now)])


# -- subscriptions -------------------------------------------------------------------------------------


def subscriptions(session: Session, *, uid: str = "", aetitle: str = "") -> list[Subscription]:
    """The subscriptions to a workitem (or of a well-known UID), or those of a subscriber, or both."""
    where, params = "v1 IS NULL", []
    if uid:
        where, params = _SAME, [key_of(uid), uid]
    if aetitle:
        where, params = f"{where} AND aetitle = ?", [*params, aetitle]
    rows = session.rows(select_text("subscription", _SUBSCRIPTION, f"{where} ORDER BY id"), params)
    return [Subscription(*row) for row in rows]


def subscribe(session: Session, wanted: Iterable[Subscription]) -> None:
    """Make these the present subscriptions of their workitems and subscribers."""
    made = list(wanted)
    unsubscribe(session, made)
    epoch = epochs.current(session)
    columns = (*_SUBSCRIPTION, "workitem_key", "v0")
    rows = [(*astuple(one), key_of(one.SOPInstanceUID), epoch.now) for one in made]
    session.insert("subscription", columns, rows)


def unsubscribe(session: Session, gone: Iterable[Subscription]) -> None:
    """End these subscriptions, where there are any."""
    epoch = epochs.current(session)
    text = select_text("subscription", ("id", "v0"), f"{_SAME} AND aetitle = ?")
    for one in gone:
        params = (key_of(one.SOPInstanceUID), one.SOPInstanceUID, one.aetitle)
        found = [(row, v0) for row, v0 in session.rows(text, params)]
        epochs.end(session, subscription, epoch, found)


# -- events --------------------------------------------------------------------------------------------


def enqueue(session: Session, told: Sequence[tuple[str, str]], *, now: int, keep: int) -> None:
    """Queue events, each an AE title and DICOM JSON, and forget those older than `keep` microseconds."""
    if not told:
        return
    session.run("DELETE FROM workitem_event WHERE time < ?", (now - keep,))
    session.insert(
        "workitem_event", ("aetitle", "time", "content"), [(aetitle, now, text) for aetitle, text in told]
    )


def events(session: Session, aetitle: str, after: int, limit: int = 1000) -> list[Event]:
    """Events for a subscriber after the one with id `after`, oldest first."""
    where = "aetitle = ? AND id > ? ORDER BY id LIMIT ?"
    return [
        Event(*row)
        for row in session.rows(select_text("workitem_event", _EVENT, where), (aetitle, after, limit))
    ]


def delivered(session: Session, aetitle: str) -> int:
    """The last event that a subscriber was sent, 0 when none was."""
    found = session.rows("SELECT delivered FROM subscriber WHERE aetitle = ?", (aetitle,))
    return int(found[0][0]) if found else 0


def set_delivered(session: Session, aetitle: str, event_id: int) -> None:
    """Remember that a subscriber was sent events up to this one; never fewer than before."""
    known = delivered(session, aetitle)
    if known >= event_id:
        return
    session.run("DELETE FROM subscriber WHERE aetitle = ?", (aetitle,))
    session.insert("subscriber", ("aetitle", "delivered"), [(aetitle, event_id)])
