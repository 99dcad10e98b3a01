"""What the index knows about objects and disagreements, for sweep, verify and doctor."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.uids import key_of
from isocenter.index.database import Session


def references(session: Session, paths: Sequence[str]) -> set[str]:
    """Which of these object paths any instance of any epoch, or a conflict of any epoch, names.

    An object is named after its SOP Instance UID, which leads to its row; those that are not have an index.
    """
    wanted = set(paths)
    keys = {key_of(path.rpartition("/")[2].rsplit(".", 2)[0]) for path in wanted}
    found: set[str] = set()
    for text, column, values in (
        ("SELECT object FROM instance WHERE {among}", "sop_key", sorted(keys)),
        ("SELECT object FROM instance WHERE {among} AND odd_path = 1", "object", sorted(wanted)),
        ("SELECT object FROM conflict WHERE {among}", "object", sorted(wanted)),
    ):
        found |= {row[0] for row in session.among(text, column, values)} if values else set()
    return found & wanted
