"""What ids of resources are made of, read in pages: Patient ID and UIDs of every instance, as it told them.

An instance counts by the Patient ID that it sent itself, though its study may show another one. Not here: the
ids (`dicom.public_ids`), keeping them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from isocenter.dicom.uids import key_of
from isocenter.index import changes
from isocenter.index.database import Row, Session
from isocenter.index.told import PLACES, from_text

_NAMED = 'i.sop_key, i."SOPInstanceUID", i.study_key, i.series_key, u.told'
_FROM = "FROM instance i JOIN upper_values u ON u.id = i.upper_id"
_UPPER = tuple(PLACES[name] for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))


class Named(NamedTuple):
    """An instance by its keys, and the parts of its id."""

    sop_key: int
    study_key: int
    series_key: int
    parts: tuple[str, str, str, str]


def page(session: Session, after: int, limit: int) -> tuple[int, list[Named]]:
    """Instances in the order of their rows, those that ended too; the last row read, 0 at the end."""
    rows = session.rows(f"SELECT i.id, {_NAMED} {_FROM} WHERE i.id > ? ORDER BY i.id LIMIT ?", (after, limit))
    return (rows[-1][0] if rows else 0), [_named(row[1:]) for row in rows]


def changed(session: Session, since: int, limit: int) -> tuple[int, list[Named]] | None:
    """Instances that the change log tells of after a line; None where it does not reach back so far."""
    if not changes.first_id(session) - 1 <= since <= changes.last_id(session):
        return None
    lines = changes.since(session, since, limit)
    wanted = {line.SOPInstanceUID for line in lines if line.SOPInstanceUID}
    found = by_uid(session, list(wanted))
    return (lines[-1].id if lines else since), found


def by_uid(session: Session, uids: Sequence[str]) -> list[Named]:
    """Instances of these SOP Instance UIDs, those that ended too: a reset may bring them back."""
    text = f"SELECT {_NAMED} {_FROM} WHERE {{among}}"
    wanted = set(uids)
    rows = session.among(text, "i.sop_key", [key_of(uid) for uid in uids])
    return [_named(row) for row in rows if row[1] in wanted]


def by_keys(
    session: Session, *, sop: int | None = None, study: int = 0, series: int | None = None
) -> list[Named]:
    """Visible instances of a key: one, or of a study or series one for each set of values that was told."""
    if sop is not None:
        where, keys = "i.sop_key = ? AND i.v1 IS NULL", [sop]
        return [_named(row) for row in session.rows(f"SELECT {_NAMED} {_FROM} WHERE {where}", keys)]
    where, keys = "study_key = ?", [study]
    if series is not None:
        where, keys = f"{where} AND series_key = ?", [study, series]
    ids = session.rows(f"SELECT MIN(id) FROM instance WHERE {where} AND v1 IS NULL GROUP BY upper_id", keys)
    rows = session.among(f"SELECT {_NAMED} {_FROM} WHERE {{among}}", "i.id", [row[0] for row in ids])
    return [_named(row) for row in rows]


def _named(row: Row) -> Named:
    sop_key, uid, study_key, series_key, told = row
    return Named(sop_key, study_key, series_key, (*_upper(told), uid))


@lru_cache(maxsize=4096)
def _upper(told: str) -> tuple[str, str, str]:
    values = from_text(told)
    patient, study, series = (values[place] for place in _UPPER)
    return patient, study, series
