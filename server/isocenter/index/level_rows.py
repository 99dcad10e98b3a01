"""Patient, study and series rows while a transaction changes them: loaded once, changed here, written once.

Also the values that disagree within one of them (`level_conflict`).  What the changes are is decided in
`summary`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.index import schema
from isocenter.index.columns import Cell, Column, encode
from isocenter.index.database import Session, select_text, update_text
from isocenter.index.epochs import Epoch, end
from isocenter.index.schema import Versioned
from isocenter.index.told import Other, Told

TABLES: dict[Level, Versioned] = {
    Level.PATIENT: schema.patient,
    Level.STUDY: schema.study,
    Level.SERIES: schema.series,
}


class LevelRow:
    """One row of a level; `id` is 0 until it is written."""

    __slots__ = ("changed", "id", "level", "merged", "others", "v0", "values")

    def __init__(self, level: Level, values: dict[str, Any], row: int = 0, v0: int = 0) -> None:
        self.level = level
        self.values = values
        self.id = row
        self.v0 = v0
        self.changed: set[str] = set()
        self.others: set[Other] | None = None
        self.merged: set[Told] = set()

    def set(self, name: str, value: Any) -> None:
        """Change a value."""
        if self.values[name] != value:
            self.values[name] = value
            self.changed.add(name)

    def show(self, column: Column, text: str | None) -> None:
        """Show this value of an attribute, in all its columns."""
        for name, value in zip(column.sql_names, encode(column, text), strict=True):
            self.set(name, value)

    @property
    def owner(self) -> tuple[int, int]:
        """What its conflicts are filed under: its key, and the key above it."""
        values = self.values
        if self.level is Level.SERIES:
            return values["series_key"], values["study_key"]
        return (values["study_key"], 0) if self.level is Level.STUDY else (values["patient_key"], 0)


def blank(level: Level, **values: Any) -> LevelRow:
    """A new row of a level without instances."""
    row: dict[str, Any] = dict.fromkeys(TABLES[level].content)
    row |= dict.fromkeys(schema.TOTALS, 0)
    if level is Level.PATIENT:
        row |= {"studies": 0, "series": 0}
    if level is Level.STUDY:
        row |= {"series": 0, "patient_key": 0, "patient_identity": ""}
    return LevelRow(level, row | values)


class LevelRows:
    """Reads and writes the rows of the levels above the instance in one transaction."""

    def __init__(self, session: Session, epoch: Epoch) -> None:
        self.session = session
        self.epoch = epoch

    def load(self, level: Level, column: str, keys: Iterable[int]) -> list[LevelRow]:
        """The visible rows whose `column` is one of `keys`."""
        table = TABLES[level]
        names = ("id", "v0", *table.content)
        found = self.session.among(
            select_text(table.name, names, "{among} AND v1 IS NULL"), f'"{column}"', list(keys)
        )
        return [
            LevelRow(level, dict(zip(table.content, row[2:], strict=True)), row[0], row[1]) for row in found
        ]

    def save(self, row: LevelRow) -> None:
        """Write what changed; in a new epoch the old state ends and a copy begins."""
        table = TABLES[row.level]
        if row.id and not row.changed:
            return
        if row.id and row.v0 == self.epoch.now:
            names = tuple(name for name in table.content if name in row.changed)
            values = [row.values[name] for name in names]
            self.session.run(update_text(table.name, names), (*values, row.id))
            return
        self.remove(row)
        content = [row.values[name] for name in table.content]
        self.session.insert(table.name, (*table.content, "v0"), [(*content, self.epoch.now)])

    def remove(self, row: LevelRow) -> None:
        """End a row."""
        if row.id:
            end(self.session, TABLES[row.level], self.epoch, [(row.id, row.v0)])

    # -- values that are not shown ---------------------------------------------------------------------

    def others(self, row: LevelRow) -> set[Other]:
        """The (keyword, text) that instances of this row sent, and that it does not show."""
        if row.others is None:
            row.others = {(keyword, value) for _, _, keyword, value in self._stored(row)} if row.id else set()
        return row.others

    def _stored(self, row: LevelRow) -> list[tuple[Any, ...]]:
        text = (
            "SELECT id, v0, keyword, value FROM level_conflict"
            " WHERE owner = ? AND level = ? AND owner_above = ? AND v1 IS NULL"
        )
        owner, above = row.owner
        return self.session.rows(text, (owner, row.level.value, above))

    def add_other(self, row: LevelRow, column: Column, text: str) -> None:
        """Keep a value that is not shown."""
        known = self.others(row)
        if (column.name, text) not in known:
            known.add((column.name, text))
            self.session.insert(
                "level_conflict", _CONFLICT, [_conflict_values(row, column, text, self.epoch)]
            )

    def set_others(self, row: LevelRow, wanted: dict[Other, Column]) -> None:
        """Make exactly these the values that are not shown."""
        stored = {(keyword, value): (row_id, v0) for row_id, v0, keyword, value in self._stored(row)}
        gone = [stored[key] for key in stored.keys() - wanted.keys()]
        end(self.session, schema.level_conflict, self.epoch, gone)
        fresh = [
            _conflict_values(row, column, text, self.epoch)
            for (name, text), column in wanted.items()
            if (name, text) not in stored
        ]
        self.session.insert("level_conflict", _CONFLICT, fresh)
        row.others = set(wanted)

    def has_others(self, row: LevelRow) -> bool:
        """Whether its instances disagree about anything."""
        return bool(self.others(row))


_CONFLICT = ("level", "owner", "owner_above", "keyword", "value", "compared", "number", "v0")


def _conflict_values(row: LevelRow, column: Column, text: str, epoch: Epoch) -> tuple[Any, ...]:
    compared: Cell = encode(column, text)[-1]
    number = compared if isinstance(compared, (int, float)) else None
    plain = None if compared is None else str(compared)
    return (row.level.value, *row.owner, column.name, text, plain, number, epoch.now)
