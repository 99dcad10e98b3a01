"""`ResourceIds`: finds what an id of Orthanc's routes names, in a dataset of any size.

SHA-1 cannot be turned around, so every id that instances make is kept, in a SQLite file in the cache folder:
read once from the index, then followed by the change log whenever somebody asks. Not columns of the index:
another index by random keys would cost every stored instance a page of its log, for who never asks for an id.
What is found is checked against the index, so that the file may be stale, and removed at any time.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.dicom.public_ids import digest_in, digest_of
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import NotFound, Unavailable
from isocenter.index import Index, public_ids
from isocenter.index.public_ids import Named

_PAGE = 20_000
_LINES = 5_000
_PATIENCE = 25.0
_DEPTH = {Level.PATIENT: 1, Level.STUDY: 2, Level.SERIES: 3, Level.INSTANCE: 4}
_TABLES = """
CREATE TABLE IF NOT EXISTS id (digest BLOB NOT NULL, depth INTEGER NOT NULL, one, other);
CREATE TABLE IF NOT EXISTS mark (
    index_name TEXT NOT NULL, line INTEGER NOT NULL, row INTEGER NOT NULL, whole INTEGER NOT NULL
);
"""


class Resource(NamedTuple):
    """A patient by its ID, or a study, series or instance by its UID."""

    level: Level
    uid: str


class ResourceIds:
    """The ids of one dataset. Safe for threads and processes; opens its file for each question.

    Args:
        index: of the dataset.
        path: the file; made when it is first needed.
        patience: seconds that one question reads at most, while not all ids are there.
    """

    def __init__(self, index: Index, path: Path, *, patience: float = _PATIENCE) -> None:
        self._index = index
        self._path = path
        self._patience = patience

    def find(self, level: Level, text: str) -> Resource:
        """What an id or a plain UID (of a patient: its ID) names.

        Raises:
            NotFound: nothing.
            Unavailable: the ids are still read from the index.
        """
        digest = digest_in(text)
        found = self._by_digest(level, digest) if digest is not None else None
        if found is None and (digest is None or level is Level.PATIENT):
            found = self._by_uid(level, text)
        if found is None:
            raise NotFound(f"There is no {level.value} of this id")
        return found

    def _by_uid(self, level: Level, text: str) -> Resource | None:
        if not text or (level is not Level.PATIENT and not is_valid_uid(text)):
            return None
        key = "PatientID" if level is Level.PATIENT else level.unique_key
        rows = self._index.reader.find(level, Equal((key,), text), limit=1, columns=(key,))
        return Resource(level, text) if next(iter(rows), None) else None

    def _by_digest(self, level: Level, digest: bytes) -> Resource | None:
        with self._open() as kept:
            found = self._there(kept, level, digest)
            if found is None:
                self._follow(kept)
                found = self._there(kept, level, digest)
        return found

    # -- looking up ------------------------------------------------------------------------------------

    def _there(self, kept: sqlite3.Connection, level: Level, digest: bytes) -> Resource | None:
        if not _is_whole(kept):
            return None
        text = "SELECT DISTINCT one, other FROM id WHERE digest = ? AND depth = ?"
        for one, other in kept.execute(text, (digest, _DEPTH[level])).fetchall():
            if level is Level.PATIENT:
                found = self._by_uid(level, one)
            else:
                found = self._checked(level, digest, one, other)
            if found is not None:
                return found
        return None

    def _checked(self, level: Level, digest: bytes, one: int, other: int) -> Resource | None:
        """What the keys name, if an instance of it still makes this id."""
        depth = _DEPTH[level]
        with self._index.database.read() as session:
            if level is Level.INSTANCE:
                named = public_ids.by_keys(session, sop=one)
            else:
                series = other if level is Level.SERIES else None
                named = public_ids.by_keys(session, study=one, series=series)
        uids = (each.parts[depth - 1] for each in named if digest_of(*each.parts[:depth]) == digest)
        uid = next(uids, None)
        return None if uid is None else Resource(level, uid)

    # -- keeping ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as kept:
            kept.execute("PRAGMA journal_mode = WAL")
            kept.execute("PRAGMA synchronous = NORMAL")
            kept.executescript(_TABLES)
            yield kept

    def _follow(self, kept: sqlite3.Connection) -> None:
        """Keep the ids of what was stored since. Raises Unavailable when that takes too long."""
        end = time.monotonic() + self._patience
        while self._step(kept):
            if time.monotonic() > end:
                raise Unavailable("The ids of all instances are still read", hint="ask again, or name UIDs")

    def _step(self, kept: sqlite3.Connection) -> bool:
        """Read one page in a transaction; whether there is more."""
        name = self._index.reader.identity().name
        with _transaction(kept):
            mark = kept.execute("SELECT index_name, line, row, whole FROM mark").fetchone()
            if mark is None or mark[0] != name:
                self._begin(kept, name)
                return True
            _, line, row, whole = mark
            return self._more(kept, line) if whole else self._fill(kept, row)

    def _begin(self, kept: sqlite3.Connection, name: str) -> None:
        kept.execute("DROP INDEX IF EXISTS by_digest")
        kept.execute("DELETE FROM id")
        kept.execute("DELETE FROM mark")
        last = self._index.reader.last_change()  # what is stored from now on is found by the log
        kept.execute("INSERT INTO mark VALUES (?, ?, 0, 0)", (name, last))

    def _fill(self, kept: sqlite3.Connection, row: int) -> bool:
        with self._index.database.read() as session:
            last, named = public_ids.page(session, row, _PAGE)
        kept.executemany("INSERT INTO id VALUES (?, ?, ?, ?)", _rows(named))
        if named:
            kept.execute("UPDATE mark SET row = ?", (last,))
        else:
            kept.execute("CREATE INDEX by_digest ON id (digest)")
            kept.execute("UPDATE mark SET whole = 1")
        return True

    def _more(self, kept: sqlite3.Connection, line: int) -> bool:
        with self._index.database.read() as session:
            told = public_ids.changed(session, line, _LINES)
        if told is None:
            kept.execute("DELETE FROM mark")
            return True
        last, named = told
        kept.executemany(
            "INSERT INTO id SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
            " (SELECT 1 FROM id WHERE digest = ?1 AND depth = ?2 AND one = ?3 AND other IS ?4)",
            _rows(named),
        )
        kept.execute("UPDATE mark SET line = ?", (last,))
        return last > line


def _is_whole(kept: sqlite3.Connection) -> bool:
    mark = kept.execute("SELECT whole FROM mark").fetchone()
    return bool(mark and mark[0])


@contextlib.contextmanager
def _transaction(kept: sqlite3.Connection) -> Iterator[None]:
    kept.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        kept.execute("ROLLBACK")
        raise
    kept.execute("COMMIT")


_Row = tuple[bytes, int, int | str, int | None]
_KEYS: tuple[tuple[int, Callable[[Named], tuple[int | str, int | None]]], ...] = (
    (1, lambda named: (named.parts[0], None)),
    (2, lambda named: (named.study_key, None)),
    (3, lambda named: (named.study_key, named.series_key)),
)


def _rows(named: Iterable[Named]) -> Iterator[_Row]:
    """A row for each instance, and one for each of the levels above it that this page had not yet."""
    above: set[tuple[str, ...]] = set()
    for one in named:
        yield digest_of(*one.parts), 4, one.sop_key, None
        if one.parts[:3] in above:
            continue
        above.add(one.parts[:3])
        for depth, keys in _KEYS:
            if depth > 1 or one.parts[0]:
                yield digest_of(*one.parts[:depth]), depth, *keys(one)
