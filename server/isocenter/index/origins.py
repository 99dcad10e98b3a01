"""Where the instances of a view come from: one row for each instance of its source, taken over or kept back.

Rows of a view name objects that are made when they are read. These tables know of what, and how far the view
has come. They have one state, no epochs: a view has no snapshots. They hold identifiers of the source, so
nothing that is asked by the network reads them out. Not here: how objects are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Index, Table, Text

from isocenter.dicom.uids import key_of
from isocenter.index.database import Session, select_text
from isocenter.index.records import Put
from isocenter.index.schema import change, metadata, patient

_TEXT = change.c.kind.type


def _text(name: str) -> Column[object]:
    return Column(name, _TEXT, nullable=False, server_default="")


table = Table(
    "origin",
    metadata,
    Column("id", patient.table.c.id.type, primary_key=True, autoincrement=True),
    Column("source_key", BigInteger, nullable=False),
    _text("SourceInstanceUID"),
    _text("source"),
    _text("SOPInstanceUID"),
    _text("object"),
    Column("size", BigInteger, nullable=False),
    _text("sha256"),
    _text("reason"),
)
progress = Table(
    "view_progress",
    metadata,
    Column("name", _TEXT, primary_key=True),
    Column("value", Text, nullable=False),
)
Index("origin_source", table.c.source_key, table.c.SourceInstanceUID, unique=True)
Index("origin_object", table.c.object)


@dataclass(frozen=True, slots=True)
class Origin:
    """What became of an instance of the source.

    Attributes:
        SourceInstanceUID: its SOP Instance UID there.
        source: its object.
        SOPInstanceUID: of the instance in the view; empty when it was kept back.
        object: by which the view names what is made of it.
        size: bytes of that.
        sha256: identity digest of that.
        reason: why it was kept back; empty when it is in the view.
    """

    SourceInstanceUID: str
    source: str
    SOPInstanceUID: str = ""
    object: str = ""
    size: int = 0
    sha256: str = ""
    reason: str = ""


@dataclass
class Taken:
    """A step of a view, taken over in one transaction.

    Attributes:
        puts: new instances, and ones that are others now.
        gone: SOP Instance UIDs in the view that go.
        origins: what became of which instance of the source.
        forgotten: SOP Instance UIDs of the source that are no more.
        progress: how far the view has come, by name.
    """

    puts: list[Put] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    progress: dict[str, str] = field(default_factory=dict)


_COLUMNS = ("SourceInstanceUID", "source", "SOPInstanceUID", "object", "size", "sha256", "reason")
_WRITTEN = ("source_key", *_COLUMNS)


def take(session: Session, taken: Taken) -> None:
    """Write the origins and the progress of a step."""
    old = [*taken.forgotten, *(one.SourceInstanceUID for one in taken.origins)]
    session.many(
        'DELETE FROM origin WHERE source_key = ? AND "SourceInstanceUID" = ?',
        [(key_of(uid), uid) for uid in old],
    )
    rows = [(key_of(one.SourceInstanceUID), *_values(one)) for one in taken.origins]
    session.insert("origin", _WRITTEN, rows)
    session.many("DELETE FROM view_progress WHERE name = ?", [(name,) for name in taken.progress])
    session.insert("view_progress", ("name", "value"), list(taken.progress.items()))


def _values(one: Origin) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in _COLUMNS)


def of_sources(session: Session, uids: Sequence[str]) -> dict[str, Origin]:
    """What became of these instances of the source; those that are not known are left out."""
    wanted = set(uids)
    text = select_text("origin", _COLUMNS, "{among}")
    rows = session.among(text, "source_key", sorted(map(key_of, wanted)))
    return {row[0]: Origin(*row) for row in rows if row[0] in wanted}


def of_object(session: Session, relpath: str) -> Origin | None:
    """What an object of the view is made of."""
    rows = session.rows(select_text("origin", _COLUMNS, "object = ?"), (relpath,))
    return Origin(*rows[0]) if rows else None


def page(session: Session, after: int, limit: int) -> list[tuple[int, Origin]]:
    """Rows above an id, in order, with their ids."""
    text = select_text("origin", ("id", *_COLUMNS), "id > ? ORDER BY id LIMIT ?")
    return [(row[0], Origin(*row[1:])) for row in session.rows(text, (after, limit))]


def reasons(session: Session) -> dict[str, int]:
    """How many were kept back for which reason."""
    text = "SELECT reason, COUNT(*) FROM origin WHERE reason <> '' GROUP BY reason ORDER BY 2 DESC, 1"
    return {str(reason): int(count) for reason, count in session.rows(text)}


def progress_of(session: Session) -> Mapping[str, str]:
    """How far the view has come, by name."""
    return dict(session.rows("SELECT name, value FROM view_progress"))
