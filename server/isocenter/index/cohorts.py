"""The tables of frozen cohorts: what was selected, by which question, at which moment, by whom.

A cohort has epochs like every row of a dataset, so that a reset takes it back too, unless it is pinned.
Its members are in parts, found by their digest: they never change, so that cohorts of all epochs and versions
share them.  Rows only; what a member is, is the business of `catalog.members`, what a cohort is, of
`isocenter.cohort`, which calls these functions inside one write transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields

from sqlalchemy import Column, Index, LargeBinary, SmallInteger, Table, Text

from isocenter.dicom.uids import key_of
from isocenter.errors import NotFound
from isocenter.index import changes, epochs
from isocenter.index.database import Session, select_text
from isocenter.index.schema import metadata, versioned
from isocenter.index.worklist import ROWID, TEXT, number_column, text_column

cohort = versioned(
    "cohort",
    ("cohort_key", "name", "version"),
    number_column("cohort_key"),
    text_column("name"),
    number_column("version"),
    text_column("level"),
    Column("query", Text, nullable=False),
    text_column("digest"),
    text_column("members"),
    number_column("studies"),
    number_column("series"),
    number_column("instances"),
    number_column("size"),
    number_column("seq"),
    Column("heads", Text, nullable=False),
    text_column("frozen_by"),
    number_column("frozen"),
    Column("description", Text, nullable=False),
    Column("pinned", SmallInteger, nullable=False),
    pinned="pinned",
)
"""`query` and `heads` are JSON, `digest` is that of the SOP Instance UIDs, `members` that of the parts, `seq`
the last sequence that the question saw, `frozen` microseconds since 1970, UTC."""

part = Table(
    "cohort_part",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=True),
    text_column("members"),
    number_column("number"),
    Column("content", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Members, some thousands a row. Without epochs: what has a digest for a name cannot change."""

Index("cohort_part_members", part.c.members, part.c.number, unique=True)

last_version = Table(
    "cohort_name",
    metadata,
    Column("name", TEXT, primary_key=True),
    number_column("version"),
)
"""The highest version that a name ever had: no reset and no deletion gives a cited version to another."""


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A cohort as it is stored; see the columns of its table."""

    name: str
    version: int
    level: str
    query: str
    digest: str
    members: str
    studies: int
    series: int
    instances: int
    size: int
    seq: int
    heads: str
    frozen_by: str
    frozen: int
    description: str
    pinned: int


_COLUMNS = tuple(field.name for field in fields(CohortRow))
_SAME = "cohort_key = ? AND name = ? AND v1 IS NULL"


def listed(session: Session) -> list[CohortRow]:
    """All versions of all cohorts, by name and version."""
    text = select_text("cohort", _COLUMNS, "v1 IS NULL ORDER BY name, version")
    return [CohortRow(*row) for row in session.rows(text)]


def versions(session: Session, name: str) -> list[CohortRow]:
    """The versions of a name, oldest first."""
    text = select_text("cohort", _COLUMNS, f"{_SAME} ORDER BY version")
    return [CohortRow(*row) for row in session.rows(text, (key_of(name), name))]


def next_version(session: Session, name: str) -> int:
    """A version that this name never had."""
    found = session.rows("SELECT version FROM cohort_name WHERE name = ?", (name,))
    version = (int(found[0][0]) if found else 0) + 1
    session.run("DELETE FROM cohort_name WHERE name = ?", (name,))
    session.insert("cohort_name", ("name", "version"), [(name, version)])
    return version


def add(session: Session, new: CohortRow, parts: Sequence[bytes]) -> None:
    """Add a cohort whose version is new, and its members, unless they are there."""
    if not session.rows("SELECT 1 FROM cohort_part WHERE members = ? LIMIT 1", (new.members,)):
        rows = [(new.members, number, content) for number, content in enumerate(parts)]
        session.insert("cohort_part", ("members", "number", "content"), rows)
    _put(session, new)
    _log(session, "cohort-frozen", new)


def pin(session: Session, row: CohortRow) -> None:
    """Make `row`, which differs in `pinned` alone, the present state of its version."""
    _end(session, row)
    _put(session, row)
    _log(session, "cohort-pinned" if row.pinned else "cohort-unpinned", row)


def remove(session: Session, rows: Sequence[CohortRow]) -> None:
    """End these versions."""
    for row in rows:
        _end(session, row)
        _log(session, "cohort-deleted", row)
    prune_parts(session)


def prune_parts(session: Session) -> int:
    """Delete the members that no cohort of any epoch has any more."""
    return session.run(
        "DELETE FROM cohort_part"
        " WHERE NOT EXISTS (SELECT 1 FROM cohort WHERE cohort.members = cohort_part.members)"
    )


def parts(session: Session, members: str) -> Iterator[bytes]:
    """The parts of a member list, in order, one at a time; none when it is not there."""
    return (part_content(session, one) for one in part_ids(session, members))


def part_ids(session: Session, members: str) -> list[int]:
    """What names the parts of a member list, in order."""
    text = select_text("cohort_part", ("id",), "members = ? ORDER BY number")
    return [row[0] for row in session.rows(text, (members,))]


def all_parts(session: Session, after: int) -> list[tuple[int, bytes]]:
    """The next part of any cohort of any epoch after this id, with its own; none when there are no more."""
    text = select_text("cohort_part", ("id", "content"), "id > ? ORDER BY id LIMIT 1")
    return [(int(row[0]), bytes(row[1])) for row in session.rows(text, (after,))]


def part_content(session: Session, one: int) -> bytes:
    """A part. Raises NotFound when its cohort was deleted meanwhile."""
    found = session.rows(select_text("cohort_part", ("content",), "id = ?"), (one,))
    if not found:
        raise NotFound("The members of the cohort are not there any more")
    return bytes(found[0][0])


def _put(session: Session, row: CohortRow) -> None:
    cells = (*astuple(row), key_of(row.name), epochs.current(session).now)
    session.insert("cohort", (*_COLUMNS, "cohort_key", "v0"), [cells])


def _end(session: Session, row: CohortRow) -> None:
    text = select_text("cohort", ("id", "v0"), f"{_SAME} AND version = ?")
    found = session.rows(text, (key_of(row.name), row.name, row.version))
    epochs.end(session, cohort, epochs.current(session), [(one, v0) for one, v0 in found])


def _log(session: Session, kind: str, row: CohortRow) -> None:
    changes.append(session, [changes.line(kind, seq=row.seq, detail=f"{row.name}@{row.version}")])
