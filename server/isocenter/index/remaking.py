"""Making a patient, study or series row anew after instances went from it.

Totals come from the rows below.  Values come from `upper_values`, in order of lowest sequence, and only where
they can have changed: when what a lost instance told is told by no other one, or where instances disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isocenter.index.database import Row
from isocenter.index.epochs import Epoch
from isocenter.index.level_rows import LevelRow, LevelRows
from isocenter.index.told import SHOWN, from_text, winners

_IN_SERIES = "study_key = ? AND series_key = ?"
_IN_STUDY = "study_key = ?"
_IN_PATIENT = (
    "study_key IN (SELECT study_key FROM study WHERE patient_key = ? AND patient_identity = ? AND v1 IS NULL)"
)


def joined(words: Iterable[str | None]) -> str | None:
    """Distinct words in order, as one multi-valued text; None for none."""
    return "\\".join(sorted({word for word in words if word})) or None


class Remaking:
    """Remakes rows in one transaction: series first, then their studies, then the patients."""

    def __init__(self, rows: LevelRows, epoch: Epoch) -> None:
        self.rows = rows
        self.session = rows.session
        self.epoch = epoch
        self._poorer: set[int] = set()

    def series(self, row: LevelRow, lost: set[int]) -> None:
        """A series from which instances with these `upper_values` went."""
        place = row.values["study_key"], row.values["series_key"]
        found = self.session.rows(
            'SELECT COUNT(*), SUM(size), MIN(seq), MAX(received), "SOPClassUID" FROM instance'
            f' WHERE {_IN_SERIES} AND v1 IS NULL GROUP BY "SOPClassUID"',
            place,
        )
        _set_totals(row, found, self.epoch)
        row.set("sop_classes", joined(one[4] for one in found))
        told = self._told(_IN_SERIES, place)
        if not lost <= {upper for upper, _ in told}:
            self._poorer.add(row.values["study_key"])
        elif not self.rows.has_others(row):
            return
        self._show(row, told)

    def study(self, row: LevelRow) -> bool:
        """A study some of whose series were remade; whether it has instances left."""
        key = (row.values["study_key"],)
        found = self.session.rows(
            'SELECT SUM(instances), SUM(size), MIN(first_seq), MAX(received), COUNT(*), "Modality",'
            f" sop_classes FROM series WHERE {_IN_STUDY} AND v1 IS NULL GROUP BY 6, 7",
            key,
        )
        _set_totals(row, found, self.epoch)
        row.set("series", sum(int(one[4]) for one in found))
        row.set("ModalitiesInStudy", joined(one[5] for one in found))
        row.set("SOPClassesInStudy", joined(word for one in found for word in (one[6] or "").split("\\")))
        if key[0] in self._poorer or self.rows.has_others(row):
            self._show(row, self._told(_IN_STUDY, key))
        return bool(found)

    def patient(self, row: LevelRow) -> None:
        """A patient whose studies changed."""
        place = row.values["patient_key"], row.values["identity"]
        found = self.session.rows(
            "SELECT SUM(instances), SUM(size), MIN(first_seq), MAX(received), COUNT(*), SUM(series)"
            " FROM study WHERE patient_key = ? AND patient_identity = ? AND v1 IS NULL HAVING COUNT(*) > 0",
            place,
        )
        _set_totals(row, found, self.epoch)
        row.set("studies", sum(int(one[4]) for one in found))
        row.set("series", sum(int(one[5]) for one in found))
        self._show(row, self._told(_IN_PATIENT, place))

    def _told(self, where: str, params: tuple[Any, ...]) -> list[tuple[int, int]]:
        """(`upper_values` id, lowest sequence) below a row, lowest first."""
        rows = self.session.rows(
            f"SELECT upper_id, MIN(seq) FROM instance WHERE {where} AND v1 IS NULL GROUP BY upper_id", params
        )
        return sorted(((int(upper), int(seq)) for upper, seq in rows), key=lambda pair: pair[1])

    def _show(self, row: LevelRow, told: list[tuple[int, int]]) -> None:
        ids = [upper for upper, _ in told]
        texts: dict[int, str] = (
            dict(self.session.among("SELECT id, told FROM upper_values WHERE {among}", "id", ids))
            if ids
            else {}
        )
        shown, others = winners((from_text(texts[upper]) for upper in ids), row.level)
        for column in SHOWN[row.level]:
            row.show(column, shown.get(column.name))
        self.rows.set_others(row, others)


def _set_totals(row: LevelRow, found: list[Row], epoch: Epoch) -> None:
    """Totals from rows that begin with count, size, lowest sequence, latest arrival."""
    row.set("instances", sum(int(one[0]) for one in found))
    row.set("size", sum(int(one[1]) for one in found))
    if found:
        row.set("first_seq", min(int(one[2]) for one in found))
        row.set("received", max(int(one[3]) for one in found))
    row.set("changed_seq", epoch.last_seq)
