"""Epochs: how rows are born, replaced and ended, and what snapshot, reset and prune do to them.

A versioned row is visible now while `v1` is null, and visible at snapshot epoch `s` when `v0 <= s` and `v1`
is null or greater than `s`.  The first change of a row in a new epoch ends it and inserts a copy; later
changes in the same epoch happen in place.  Reset moves forward, into a new epoch, so that no other snapshot
changes.

All functions run inside the caller's write transaction, where the epoch is read anew each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.errors import Conflict, NotFound
from isocenter.index.database import Session, quoted
from isocenter.index.records import Snapshot
from isocenter.index.schema import VERSIONED, Versioned


@dataclass(slots=True)
class Epoch:
    """The one row of `epoch`: the current epoch, the highest sequence given out, the number of resets."""

    now: int
    last_seq: int
    resets: int

    def next_seq(self) -> int:
        """A new sequence; written back by `store`."""
        self.last_seq += 1
        return self.last_seq


def current(session: Session) -> Epoch:
    """The epoch, as this transaction sees it."""
    return Epoch(*session.rows("SELECT now, last_seq, resets FROM epoch")[0])


def store(session: Session, epoch: Epoch) -> None:
    """Write the epoch row back."""
    session.run(
        "UPDATE epoch SET now = ?, last_seq = ?, resets = ?", (epoch.now, epoch.last_seq, epoch.resets)
    )


def end(session: Session, table: Versioned, epoch: Epoch, rows: Iterable[tuple[int, int]]) -> None:
    """End visible rows, given as (id, v0): those born in this epoch vanish, the others get their `v1`."""
    born_now: list[Sequence[int]] = []
    older: list[Sequence[int]] = []
    for row, v0 in rows:
        if v0 == epoch.now:
            born_now.append((row,))
        else:
            older.append((epoch.now, row))
    if born_now:
        session.many(f"DELETE FROM {quoted(table.name)} WHERE id = ?", born_now)
    if older:
        session.many(f"UPDATE {quoted(table.name)} SET v1 = ? WHERE id = ?", older)


# -- snapshots -----------------------------------------------------------------------------------------


def take_snapshot(session: Session, name: str, time: int) -> Snapshot:
    """Name this moment and begin a new epoch. Raises Conflict when the name is taken."""
    if session.rows("SELECT 1 FROM snapshot WHERE name = ?", (name,)):
        raise Conflict(f"There is a snapshot named {name!r}", hint="drop it first, or choose another name")
    session.run(
        "INSERT INTO snapshot (name, epoch, last_seq, time) SELECT ?, now, last_seq, ? FROM epoch",
        (name, time),
    )
    session.run("UPDATE epoch SET now = now + 1")
    return snapshot(session, name)


def snapshots(session: Session) -> list[Snapshot]:
    """All snapshots, oldest first."""
    rows = session.rows("SELECT name, epoch, last_seq, time, heads FROM snapshot ORDER BY epoch")
    return [Snapshot(n, e, s, t, None if h is None else json.loads(h)) for n, e, s, t, h in rows]


def snapshot(session: Session, name: str) -> Snapshot:
    """One snapshot. Raises NotFound."""
    for found in snapshots(session):
        if found.name == name:
            return found
    raise NotFound(f"There is no snapshot named {name!r}")


def set_snapshot_heads(session: Session, name: str, heads: dict[str, int]) -> None:
    """Record the catalog versions of a snapshot, once flushed exactly up to its sequence."""
    found = snapshot(session, name)
    if session.rows("SELECT 1 FROM tail WHERE seq <= ? LIMIT 1", (found.last_seq,)):
        raise Conflict(f"The catalog does not yet hold all of snapshot {name!r}")
    session.run("UPDATE snapshot SET heads = ? WHERE name = ?", (json.dumps(heads, sort_keys=True), name))


def drop_snapshot(session: Session, name: str) -> Snapshot:
    """Forget a snapshot; `prune` then frees what only it needed. Raises NotFound."""
    found = snapshot(session, name)
    session.run("DELETE FROM snapshot WHERE name = ?", (name,))
    return found


def require_flushed(session: Session, *, besides: str = "") -> None:
    """Raise Conflict while a snapshot has no heads yet: heads and tail must not lose what it needs."""
    for one in snapshots(session):
        if one.heads is None and one.name != besides:
            raise Conflict(f"The catalog does not yet hold snapshot {one.name!r}", hint="flush first")


# -- reset ---------------------------------------------------------------------------------------------


def reset(session: Session, name: str) -> Snapshot:
    """Return every versioned row, the tail and the heads to a snapshot.

    Raises:
        NotFound: there is no such snapshot.
        Conflict: another one still waits for its flush: it would lose its part of the tail.
    """
    to = snapshot(session, name)
    require_flushed(session, besides=name)
    session.run("UPDATE epoch SET now = now + 1, resets = resets + 1")
    now = current(session).now
    for table in VERSIONED.values():
        _reset_table(session, table, to.epoch, now)
    session.run("DELETE FROM tail WHERE seq > ?", (to.last_seq,))
    if to.heads is not None:
        session.run("DELETE FROM catalog_head")
        session.many("INSERT INTO catalog_head (name, version) VALUES (?, ?)", list(to.heads.items()))
    return to


def _reset_table(session: Session, table: Versioned, to: int, now: int) -> None:
    name = quoted(table.name)
    content = ", ".join(quoted(column) for column in table.content)
    identity = _agree("n", "o", table.identity)
    changed = "v1 IS NULL AND v0 > ?"
    params: tuple[int, ...] = (now, to)
    if table.pinned:
        changed += f" AND {quoted(table.pinned)} = 0"
    if table.same:
        # A row that an earlier reset brought back is the very row the snapshot saw: leave it.
        changed += (
            f" AND NOT EXISTS (SELECT 1 FROM {name} o WHERE {_agree('o', name, table.identity + table.same)}"
            " AND o.v0 <= ? AND o.v1 > ?)"
        )
        params = (now, to, to, to)
    session.run(f"UPDATE {name} SET v1 = ? WHERE {changed}", params)
    # The plus keeps the planner on the index of v1: almost every row satisfies the first term.
    session.run(
        f"INSERT INTO {name} ({content}, v0) SELECT {content}, ? FROM {name} o"
        " WHERE +v0 <= ? AND v1 > ?"
        f" AND NOT EXISTS (SELECT 1 FROM {name} n WHERE {identity} AND n.v1 IS NULL)",
        (now, to, to),
    )


def _agree(one: str, other: str, columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{one}.{quoted(column)} = {other}.{quoted(column)}" for column in columns)


# -- prune ---------------------------------------------------------------------------------------------

_NEEDED = "EXISTS (SELECT 1 FROM snapshot WHERE epoch >= v0 AND epoch < v1)"


def prunable(session: Session, table: Versioned) -> list[int]:
    """The ids of rows that ended and that no snapshot sees.

    None of them can be needed again: a snapshot taken later sees only what has not ended.  So a read
    transaction may look for them, and writers need not wait for it.
    """
    text = f"SELECT id FROM {quoted(table.name)} WHERE v1 IS NOT NULL AND NOT {_NEEDED}"
    return [row[0] for row in session.rows(text)]


def prune_rows(session: Session, table: Versioned, ids: Sequence[int]) -> None:
    """Delete these rows."""
    session.many(f"DELETE FROM {quoted(table.name)} WHERE id = ?", [(row,) for row in ids])


def prune_values(session: Session) -> int:
    """Delete the values above the instance that no instance of any epoch has any more."""
    return session.run(
        "DELETE FROM upper_values WHERE NOT EXISTS (SELECT 1 FROM instance WHERE upper_id = upper_values.id)"
    )
