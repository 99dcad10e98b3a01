"""Leases: who of several processes or machines does a piece of work, until when (`keeper` is one)."""

from __future__ import annotations

from isocenter.index.changes import now
from isocenter.index.database import Session
from isocenter.index.records import Lease


def take(session: Session, name: str, owner: str, seconds: float) -> Lease | None:
    """Take a lease that is free, expired or one's own."""
    time = now()
    found = session.rows("SELECT owner, expires FROM lease WHERE name = ?", (name,))
    if found and found[0][0] != owner and found[0][1] > time:
        return None
    lease = Lease(name, owner, time + round(seconds * 1e6))
    session.run("DELETE FROM lease WHERE name = ?", (name,))
    session.run("INSERT INTO lease (name, owner, expires) VALUES (?, ?, ?)", (name, owner, lease.expires))
    return lease


def renew(session: Session, name: str, owner: str, seconds: float) -> Lease | None:
    """Prolong a lease that is still one's own: an expired one may have been another's meanwhile."""
    time = now()
    lease = Lease(name, owner, time + round(seconds * 1e6))
    held = session.run(
        "UPDATE lease SET expires = ? WHERE name = ? AND owner = ? AND expires > ?",
        (lease.expires, name, owner, time),
    )
    return lease if held else None


def release(session: Session, name: str, owner: str) -> bool:
    """Give a lease back."""
    return session.run("DELETE FROM lease WHERE name = ? AND owner = ?", (name, owner)) > 0
