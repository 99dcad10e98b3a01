"""Objects without a patient, whole: a table of their own, since they have no study, series or tail row.

They are small and few, so that the bytes are in the row: a snapshot, a reset and a copy of the index have
them. Rows only; what is taken is the archive's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import BigInteger, Column, LargeBinary, Text

from isocenter.dicom.uids import key_of
from isocenter.index import changes, epochs
from isocenter.index.database import Session, select_text
from isocenter.index.schema import change, versioned

_TEXT = change.c.kind.type

table = versioned(
    "nonpatient",
    ("sop_key", "SOPInstanceUID"),
    Column("sop_key", BigInteger, nullable=False),
    Column("SOPInstanceUID", _TEXT, nullable=False, server_default=""),
    Column("SOPClassUID", _TEXT, nullable=False, server_default=""),
    Column("sha256", _TEXT, nullable=False, server_default=""),
    Column("received", BigInteger, nullable=False),
    Column("json", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""`content` is the Part 10 file in Explicit VR Little Endian, `json` all of it as DICOM JSON, `sha256` of its
data set."""


@dataclass(frozen=True, slots=True)
class NonPatient:
    """An object without a patient; see the columns of its table."""

    SOPInstanceUID: str
    SOPClassUID: str
    sha256: str
    received: int
    json: str
    content: bytes


_COLUMNS = tuple(field.name for field in fields(NonPatient))
_SAME = 'sop_key = ? AND "SOPInstanceUID" = ? AND v1 IS NULL'


def find(session: Session, uid: str) -> NonPatient | None:
    """The object with this SOP Instance UID."""
    found = session.rows(select_text("nonpatient", _COLUMNS, _SAME), (key_of(uid), uid))
    if not found:
        return None
    uid, sop_class, digest, received, text, content = found[0]
    return NonPatient(uid, sop_class, digest, received, text, bytes(content))


def documents(session: Session, classes: Sequence[str]) -> Iterator[str]:
    """The DICOM JSON of all objects of these SOP classes, in the order in which they came."""
    where = f'v1 IS NULL AND "SOPClassUID" IN ({", ".join("?" * len(classes))})'
    text = select_text("nonpatient", ("json",), f'{where} ORDER BY received, "SOPInstanceUID"')
    for row in session.stream(text, tuple(classes)):
        yield str(row[0])


def add(session: Session, new: NonPatient) -> None:
    """Add an object; there is none with its UID."""
    epoch = epochs.current(session)
    uid = new.SOPInstanceUID
    cells = (*(getattr(new, name) for name in _COLUMNS), key_of(uid), epoch.now)
    session.insert("nonpatient", (*_COLUMNS, "sop_key", "v0"), [cells])
    line = changes.line("nonpatient-stored", uids=("", "", uid), at=new.received, detail=new.SOPClassUID)
    changes.append(session, [line])


def remove(session: Session, uid: str) -> None:
    """End an object."""
    found = session.rows(select_text("nonpatient", ("id", "v0"), _SAME), (key_of(uid), uid))
    epochs.end(session, table, epochs.current(session), [(row, v0) for row, v0 in found])
    changes.append(session, [changes.line("nonpatient-deleted", uids=("", "", uid))])
