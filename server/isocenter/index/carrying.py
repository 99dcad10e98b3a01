"""Carrying over: what only an index tells (`schema.ONLY_HERE`), from the old one into that of a rebuild.

Visible rows alone, born in the present epoch of the new index: what has ended is seen by snapshots only, and
no rebuild keeps those.  Tables without epochs keep their ids, and go on counting where they were, since what
was told to whom is such a number.

Not here: which index is the old one, and what becomes of one that cannot be read (`archive.former`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Table

from isocenter.errors import Damaged, IsocenterError
from isocenter.index import epochs
from isocenter.index.database import Database, Row, Session, quoted, select_text
from isocenter.index.schema import VERSIONED, metadata

_AT_ONCE = 16
"""Rows read and written at a time: one may have an object in it."""


def carry(old: Database, new: Database, names: Sequence[str]) -> dict[str, int]:
    """Make the visible rows of these tables those of the new index, in one transaction. Again is as once.

    Args:
        old: nobody changes it meanwhile.
        new: what it has in these tables goes.
        names: of the tables.

    Returns:
        the number of rows of each.

    Raises:
        Damaged: the old index cannot be read; nothing was carried.
        NoSpace, Unavailable: the new one cannot be written.
    """
    with new.write() as session:
        return {name: _carry(old, session, metadata.tables[name]) for name in names}


def _carry(old: Database, session: Session, table: Table) -> int:
    versioned = VERSIONED.get(table.name)
    columns = versioned.content if versioned else tuple(column.name for column in table.columns)
    born = (epochs.current(session).now,) if versioned else ()
    session.run(f"DELETE FROM {quoted(table.name)}")
    count = 0
    for rows in _visible(old, table, columns):
        session.insert(
            table.name, (*columns, *(("v0",) if versioned else ())), [(*row, *born) for row in rows]
        )
        count += len(rows)
    if not versioned and "id" in table.columns:
        _count_on(session, table.name, _counted(old, table.name))
    return count


def _visible(old: Database, table: Table, columns: tuple[str, ...]) -> Iterator[list[Row]]:
    """The visible rows in the order of their key, a few at a time."""
    (key,) = (column.name for column in table.primary_key)
    order = f"ORDER BY {quoted(key)} LIMIT {_AT_ONCE}"
    visible = "v1 IS NULL" if table.name in VERSIONED else "1 = 1"
    found = _read(old, select_text(table.name, (key, *columns), f"{visible} {order}"))
    while found:
        yield [row[1:] for row in found]
        beyond = f"{visible} AND {quoted(key)} > ? {order}"
        found = _read(old, select_text(table.name, (key, *columns), beyond), (found[-1][0],))


def _read(old: Database, text: str, params: Sequence[object] = ()) -> list[Row]:
    try:
        with old.read() as session:
            return session.rows(text, params)
    except IsocenterError as error:
        raise Damaged(f"The old index cannot be read: {error.message}") from error


def _counted(old: Database, table: str) -> int:
    """The last id that a table gave out, of a row that may be gone."""
    text = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    if old.dialect == "postgresql":
        text = "SELECT pg_sequence_last_value(pg_get_serial_sequence(?, 'id')::regclass)"
    found = _read(old, text, (table,))
    return int(found[0][0] or 0) if found else 0


def _count_on(session: Session, table: str, last: int) -> None:
    """Give out ids above `last`."""
    if last and session.dialect == "postgresql":
        session.rows("SELECT setval(pg_get_serial_sequence(?, 'id')::regclass, ?)", (table, last))
    elif last:
        session.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        session.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))
