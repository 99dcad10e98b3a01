"""`Reviews`: what jobs made and somebody must look at before it leaves, and what was said of it.

Kept in `state.db`: a verdict outlives restarts, is given once, and a job that waits for one is not forgotten.
Not here: what is held, who may say (`rest.deid`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, update

from isocenter.errors import Conflict
from isocenter.state import State as ServerState
from isocenter.state.schema import review


class Verdict(StrEnum):
    """What was said."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """The review of what one job made. Times are microseconds since 1970, UTC; 0 is not yet.

    Attributes:
        rejected: UIDs of originals whose results do not leave though the rest does.
        decisions: of the reviewer, by attribute or UID; kept as they were told.
        release: the job that lets it leave, empty before there is one.
        released: when it had left.
    """

    job: str
    verdict: Verdict
    reviewer: str
    reviewed: int
    released: int
    rejected: tuple[str, ...]
    decisions: dict[str, Any]
    release: str


class Reviews:
    """The reviews of a server. Safe for threads; any number of processes may have one.

    Args:
        state: of the server, open.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def get(self, job: str) -> Review | None:
        """The review of what a job made; None where it needs none."""
        with self._state.read() as connection:
            row = connection.execute(select(review).where(review.c.job == job)).mappings().first()
        return None if row is None else _from_row(row)

    def open(self, job: str) -> None:
        """Hold what a job made until something is said of it. Again is as new."""
        with self._state.write() as connection:
            connection.execute(delete(review).where(review.c.job == job))
            connection.execute(insert(review).values(**_NEW, job=job))

    def decide(
        self,
        job: str,
        verdict: Verdict,
        *,
        by: str,
        at: int,
        rejected: tuple[str, ...] = (),
        decisions: Mapping[str, Any] | None = None,
    ) -> None:
        """Say something of it, once and for good. Raises Conflict when it was said, or is not asked for."""
        values = {"verdict": verdict, "reviewer": by, "reviewed": at, "rejected": json.dumps(rejected)}
        with self._state.write() as connection:
            waits = (review.c.job == job) & (review.c.verdict == Verdict.PENDING)
            changed = update(review).where(waits).values(**values, decisions=json.dumps(decisions or {}))
            if not connection.execute(changed).rowcount:
                raise Conflict("Nothing waits for a review here", hint="a verdict is given once")

    def releasing(self, job: str, release: str, *, before: str) -> bool:
        """Say which job lets it leave; False when another one was said since it was `before`."""
        with self._state.write() as connection:
            same = (review.c.job == job) & (review.c.release == before)
            return bool(connection.execute(update(review).where(same).values(release=release)).rowcount)

    def released(self, job: str, at: int) -> None:
        """It has left."""
        with self._state.write() as connection:
            connection.execute(update(review).where(review.c.job == job).values(released=at))


_NEW: dict[str, Any] = {
    "verdict": Verdict.PENDING,
    "reviewer": "",
    "reviewed": 0,
    "released": 0,
    "rejected": "[]",
    "decisions": "{}",
    "release": "",
}


def _from_row(row: Mapping[Any, Any]) -> Review:
    told = {name: row[name] for name in Review.__dataclass_fields__}
    told |= {name: json.loads(row[name]) for name in ("rejected", "decisions")}
    return Review(**{**told, "verdict": Verdict(row["verdict"]), "rejected": tuple(told["rejected"])})
