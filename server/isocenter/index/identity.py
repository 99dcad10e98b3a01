"""Which index this is: a random name that it keeps for life, so that another one is not taken for it.

It stands among the leases, as one that nobody can take.
"""

from __future__ import annotations

from typing import NamedTuple

from isocenter.index.database import Session

_NAME = "identity"


class Identity(NamedTuple):
    """`name` of the index, empty while it has none, and the highest sequence that it gave out."""

    name: str
    last_seq: int


def read(session: Session) -> Identity:
    """The identity of an index."""
    found = session.rows("SELECT owner FROM lease WHERE name = ?", (_NAME,))
    last = session.rows("SELECT last_seq FROM epoch")[0][0]
    return Identity(str(found[0][0]) if found else "", int(last))


def give(session: Session, name: str) -> Identity:
    """Give it this name, unless it has one; the identity it has then."""
    if not read(session).name:
        session.run("INSERT INTO lease (name, owner, expires) VALUES (?, ?, ?)", (_NAME, name, 2**62))
    return read(session)
