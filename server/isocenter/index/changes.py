"""The change log: what was committed, in order, for whoever follows the dataset.

Every commit that changes something appends to it, in the same transaction.  Other processes notice a commit
by `Reader.data_version` and read on from the last `id` they know.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from isocenter.dicom.levels import Level
from isocenter.index.database import Session
from isocenter.index.records import Change

COLUMNS = (
    "kind",
    "level",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "seq",
    "time",
    "detail",
)

Line = tuple[str, str, str, str, str, int, int, str]


def now() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def line(
    kind: str,
    level: Level | None = None,
    uids: Sequence[str] = ("", "", ""),
    *,
    seq: int = 0,
    at: int = 0,
    detail: str = "",
) -> Line:
    """One line of the log, not yet written."""
    return (kind, level.value if level else "", uids[0], uids[1], uids[2], seq, at or now(), detail)


def append(session: Session, lines: Sequence[Line]) -> None:
    """Append lines."""
    session.insert("change", COLUMNS, lines)


def since(session: Session, after: int, limit: int) -> list[Change]:
    """Lines after the one with id `after`, oldest first."""
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    rows = session.rows(f"SELECT id, {names} FROM change WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [Change(*row) for row in rows]


def was_deleted(session: Session, study: str, series: str, sop: str) -> bool:
    """Whether the log tells of a deletion inside this study (and series, and of this instance, where named).

    Not from the tombstones: compaction ends those, and they do not know their study.
    """
    given = [(name, uid) for name, uid in zip(COLUMNS[2:5], (study, series, sop), strict=True) if uid]
    where = " AND ".join(f'"{name}" = ?' for name, _ in given)
    text = f"SELECT 1 FROM change WHERE kind = 'deleted' AND {where} LIMIT 1"
    return bool(given) and bool(session.rows(text, [uid for _, uid in given]))


def last_id(session: Session) -> int:
    """Id of the latest line, 0 when there is none."""
    return int(session.rows("SELECT COALESCE(MAX(id), 0) FROM change")[0][0])


def first_id(session: Session) -> int:
    """Id of the oldest line, 1 when there is none."""
    return int(session.rows("SELECT COALESCE(MIN(id), 1) FROM change")[0][0])


def trim(session: Session, keep: int, most: int) -> int:
    """Delete the oldest of the lines beyond the latest `keep`, at most `most` of them; how many went."""
    first, last = session.rows("SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM change")[0]
    return session.run("DELETE FROM change WHERE id <= ?", (min(last - keep, first + most - 1),))
