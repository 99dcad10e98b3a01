"""The index that a rebuild replaces: what it alone tells is carried over, as far as it can be read.

It is in the place of the new one, or still in its SQLite file where the dataset moves to PostgreSQL. One that
is not the dataset's own, as the note beside the objects says, was put or made there by mistake, and tells
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import TracebackType

from isocenter.archive.known import Note
from isocenter.archive.place import Place
from isocenter.errors import IsocenterError, NoSpace, Unavailable
from isocenter.index import Index, carry, has_index, in_postgres
from isocenter.index.identity import Identity
from isocenter.index.schema import ONLY_HERE


@dataclass
class Carried:
    """What became of what only the old index tells.

    Attributes:
        rows: those in the new index, by table.
        lost: what is not there, as a user calls it, and why.
    """

    rows: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


class Former:
    """The index that a dataset had, open, if there is one.

    Args:
        place: of the dataset, which nobody else has open.
        told: what is noted of it.

    Attributes:
        exists: whether there is an index, be it readable or not.
    """

    def __init__(self, place: Place, told: Note | None) -> None:
        self.exists = False
        self._index: Index | None = None
        self._own = Identity("", 0)
        self._why = "there is no old index"
        in_file = replace(place, index=str(place.folder / "index.db"))
        for one in (place, in_file) if in_postgres(place.index) else (place,):
            if self._index is None and has_index(one.index, dataset=one.name):
                self._open(one, told)

    def _open(self, place: Place, told: Note | None) -> None:
        self.exists = True
        try:
            index = place.open_index()
        except IsocenterError as error:
            self._why = error.message
            return
        try:
            self._own = index.reader.identity()
            if self._own.name and (told is None or self._own.name == told.index):
                self._index = index
                return
            self._why = "the old index is not that of this dataset, or empty"
        except IsocenterError as error:
            self._why = error.message
        index.close()

    def last_seq(self) -> int:
        """The highest sequence that it gave out; 0 when it cannot be read."""
        return self._own.last_seq if self._index else 0

    def carry(self, new: Index) -> Carried:
        """Carry over what only this one tells. Raises NoSpace, Unavailable."""
        made = Carried()
        for what, tables in ONLY_HERE.items():
            if self._index is None:
                made.lost[what] = self._why
                continue
            try:
                made.rows |= carry(self._index.database, new.database, tables)
            except (NoSpace, Unavailable):
                raise
            except IsocenterError as error:
                made.lost[what] = error.message
        return made

    def __enter__(self) -> Former:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._index is not None:
            self._index.close()
