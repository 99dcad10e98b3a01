"""The person names that an attribute of the index has, for matching by sound. Not here: the sound."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dicom.levels import Level
from isocenter.index import epochs
from isocenter.index.columns import BY_NAME
from isocenter.index.database import Session, quoted


class Names(NamedTuple):
    """Values of an attribute as sent, and of which moment: sequence, and how often it was reset before."""

    found: list[str]
    seq: int
    resets: int


def read(session: Session, keyword: str, since: int) -> Names:
    """The values of rows that changed after a sequence, and all that rows have besides the one they show.

    Args:
        session: one read transaction.
        keyword: an attribute of the index of VR PN, above the instance.
        since: a sequence, 0 for all.
    """
    column = BY_NAME[keyword]
    table = "series" if column.level is Level.SERIES else "study"
    name = quoted(column.sql)
    now = epochs.current(session)
    shown = session.rows(
        f"SELECT DISTINCT {name} FROM {table} WHERE v1 IS NULL AND changed_seq > ? AND {name} IS NOT NULL",
        (since,),
    )
    others = session.rows(
        "SELECT DISTINCT value FROM level_conflict WHERE keyword = ? AND v1 IS NULL", (keyword,)
    )
    found = [str(row[0]) for row in (*shown, *others)]
    return Names(found, now.last_seq, now.resets)
