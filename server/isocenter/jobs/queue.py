"""`Jobs`: the jobs of a server in `state.db`, and every change that may become of one, each a transaction.

A running job belongs to an owner for a while and must be prolonged (`beat`); one whose time is over lost its
process, and is begun once more, then fails. Not here: running them (`executor`, `run`).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from isocenter.errors import Conflict, NotFound
from isocenter.jobs.job import CANCELLED, LOST, Job, Outcome, State, Trouble, from_row
from isocenter.jobs.reviews import Reviews, Verdict
from isocenter.state import State as ServerState
from isocenter.state.schema import counter, job, review

TRIES = 2
"""How often a job is begun at most when its process dies."""


def now() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Jobs:
    """The jobs of a server. Safe for threads; any number of processes may have one.

    Args:
        state: of the server, open.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self.reviews = Reviews(state)

    # -- asking ----------------------------------------------------------------------------------------

    def version(self) -> int:
        """A number that changes when any other connection changed something; a few microseconds."""
        return self._state.version()

    def get(self, id: str) -> Job:
        """One job. Raises NotFound."""
        with self._state.read() as connection:
            return _get(connection, id)

    def all(self) -> list[Job]:
        """Every job that is kept, the newest first."""
        return self._list(select(job).order_by(job.c.created.desc(), job.c.id))

    def since(self, revision: int) -> list[Job]:
        """Those that changed after a revision, in the order of their changes."""
        return self._list(select(job).where(job.c.revision > revision).order_by(job.c.revision))

    def revision(self) -> int:
        """The latest revision."""
        with self._state.read() as connection:
            found = connection.execute(select(counter.c.value).where(counter.c.name == "job")).scalar()
        return int(found or 0)

    def running(self) -> list[Job]:
        """Those that run, or are said to."""
        return self._list(select(job).where(job.c.state == State.RUNNING))

    def _list(self, query: Select[Any]) -> list[Job]:
        with self._state.read() as connection:
            return [from_row(dict(row)) for row in connection.execute(query).mappings()]

    # -- what users do ---------------------------------------------------------------------------------

    def submit(
        self, kind: str, parameters: dict[str, Any], *, dataset: str = "", creator: str, priority: int = 0
    ) -> Job:
        """Queue a job; of those that wait the highest priority is begun first, then the oldest."""
        id = str(uuid.uuid4())
        made = {
            "id": id,
            "kind": kind,
            "dataset": dataset,
            "creator": creator,
            "parameters": json.dumps(parameters),
            "priority": priority,
            "state": State.PENDING,
            "created": now(),
        }
        with self._state.write() as connection:
            connection.execute(insert(job).values(**_NEW, **made, revision=_next(connection)))
            return _get(connection, id)

    def cancel(self, id: str) -> Job:
        """End a job: at once when it waits, soon when it runs; one that is over stays as it is."""
        with self._state.write() as connection:
            found = _get(connection, id)
            if found.state is State.RUNNING:
                _set(connection, id, wanted="cancel")
            elif not found.state.final:
                _set(connection, id, state=State.FAILURE, ended=now(), error=_error(CANCELLED))
            return _get(connection, id)

    def pause(self, id: str) -> Job:
        """Let a job wait until it is resumed. Raises Conflict when it has begun."""
        return self._move(id, State.PENDING, State.PAUSED, "paused")

    def resume(self, id: str) -> Job:
        """Queue a paused job again. Raises Conflict when it is none."""
        return self._move(id, State.PAUSED, State.PENDING, "resumed")

    def resubmit(self, id: str) -> Job:
        """Queue a job that failed again, as if it were new. Raises Conflict when it did not."""
        return self._move(id, State.FAILURE, State.PENDING, "submitted again", **_AGAIN)

    def _move(self, id: str, old: State, new: State, what: str, **more: Any) -> Job:
        with self._state.write() as connection:
            found = _get(connection, id)
            if found.state is not old:
                raise Conflict(
                    f"A job that is {found.state.value} cannot be {what}", hint=f"it must be {old.value}"
                )
            _set(connection, id, state=new, **more)
            return _get(connection, id)

    def delete(self, id: str) -> None:
        """Forget a job that is over. Raises Conflict when it is not."""
        with self._state.write() as connection:
            if not _get(connection, id).state.final:
                raise Conflict("The job is not over", hint="cancel it first")
            connection.execute(delete(job).where(job.c.id == id))
            connection.execute(delete(review).where(review.c.job == id))
            _next(connection)

    # -- what runs them --------------------------------------------------------------------------------

    def claim(self, owner: str, seconds: float) -> Job | None:
        """Begin the job that is due, if one waits."""
        waiting = (
            select(job.c.id)
            .where(job.c.state == State.PENDING)
            .order_by(job.c.priority.desc(), job.c.created, job.c.id)
            .limit(1)
        )
        with self._state.read() as connection:  # most looks find nothing, and disturb nobody
            if connection.execute(waiting).scalar() is None:
                return None
        with self._state.write() as connection:
            id = connection.execute(waiting).scalar()
            if id is None:
                return None
            attempts = _get(connection, id).attempts + 1
            _set(
                connection,
                id,
                state=State.RUNNING,
                owner=owner,
                lease=_until(seconds),
                started=now(),
                attempts=attempts,
                phase="starting",
                done=0,
                total=0,
                wanted="",
            )
            return _get(connection, id)

    def beat(self, id: str, owner: str, seconds: float, told: tuple[str, int, int]) -> str | None:
        """Prolong a running job and tell its phase and how much is done of how much.

        Returns:
            What is wanted of it: nothing (empty), `cancel` or `stop`; None when it is the owner's no more.
        """
        phase, done, total = told
        with self._state.read() as connection:
            found = _owned(connection, id, owner)
        if found is None:
            return None
        changed = (found["phase"], found["done"], found["total"]) != told
        if changed or found["lease"] - now() < seconds * 1e6 / 2:
            with self._state.write() as connection:
                if _owned(connection, id, owner) is None:
                    return None
                values: dict[str, Any] = {"lease": _until(seconds)}
                if changed:
                    _set(connection, id, **values, phase=phase, done=done, total=total)
                else:  # nothing to tell those who watch
                    connection.execute(update(job).where(job.c.id == id).values(**values))
        return str(found["wanted"])

    def finish(self, id: str, owner: str, outcome: Outcome, size: int, told: tuple[str, int, int]) -> None:
        """It is done."""
        phase, done, total = told
        self._end(
            id,
            owner,
            state=State.SUCCESS,
            result=json.dumps(outcome.result),
            output=outcome.output,
            media_type=outcome.media_type,
            output_size=size,
            phase=phase,
            done=total or done,
            total=total,
        )

    def fail(self, id: str, owner: str, why: Trouble) -> None:
        """It failed."""
        self._end(id, owner, state=State.FAILURE, error=_error(why))

    def release(self, id: str, owner: str) -> None:
        """Give a running job back, which counts as no attempt: the server stops."""
        with self._state.write() as connection:
            found = _owned(connection, id, owner)
            if found is not None:
                attempts = max(found["attempts"] - 1, 0)
                _set(connection, id, **{**_AGAIN, "attempts": attempts, "state": State.PENDING})

    def stop(self, ids: Collection[str]) -> None:
        """Ask running jobs to be given back."""
        with self._state.write() as connection:
            for id in ids:
                connection.execute(
                    update(job)
                    .where(job.c.id == id, job.c.state == State.RUNNING, job.c.wanted == "")
                    .values(wanted="stop")
                )

    def recover(self, id: str, *, expired: bool = True) -> Job | None:
        """What becomes of a running job whose process died: it is begun once more, then it failed.

        Args:
            id: of the job.
            expired: only when its time is over, since its process may live.
        """
        with self._state.write() as connection:
            row = connection.execute(select(job).where(job.c.id == id)).mappings().first()
            if row is None or row["state"] != State.RUNNING or (expired and row["lease"] > now()):
                return None
            if row["wanted"] == "cancel":
                _set(connection, id, state=State.FAILURE, ended=now(), error=_error(CANCELLED), owner="")
            elif row["attempts"] >= TRIES and row["wanted"] != "stop":
                _set(connection, id, state=State.FAILURE, ended=now(), error=_error(LOST), owner="")
            else:
                attempts = row["attempts"] - (row["wanted"] == "stop")
                _set(connection, id, **{**_AGAIN, "attempts": attempts, "state": State.PENDING})
            return _get(connection, id)

    def deliver(self, id: str, output: str, media_type: str, size: int) -> None:
        """What a job that is over made may be downloaded from now on. Raises NotFound."""
        with self._state.write() as connection:
            _get(connection, id)
            _set(connection, id, output=output, media_type=media_type, output_size=size)

    def trim(self, seconds: float) -> list[str]:
        """Forget jobs that were over so long ago; their ids. Where something is held, so long after that."""
        before = now() - round(seconds * 1e6)
        over = job.c.state.in_([State.SUCCESS, State.FAILURE]) & (job.c.ended < before)
        held = (review.c.verdict != Verdict.REJECTED) & (review.c.released == 0)
        recent = (review.c.reviewed >= before) | (review.c.released >= before)
        over &= job.c.id.not_in(select(review.c.job).where(held | recent))
        with self._state.read() as connection:
            ids = [str(id) for id in connection.execute(select(job.c.id).where(over)).scalars()]
        if ids:
            with self._state.write() as connection:
                for id in ids:
                    connection.execute(delete(job).where(over, job.c.id == id))
                connection.execute(delete(review).where(review.c.job.not_in(select(job.c.id))))
                _next(connection)
        return ids

    def _end(self, id: str, owner: str, **values: Any) -> None:
        with self._state.write() as connection:
            if _owned(connection, id, owner) is not None:
                _set(connection, id, ended=now(), owner="", lease=0, wanted="", **values)


_NEW: dict[str, Any] = {
    "wanted": "",
    "started": 0,
    "ended": 0,
    "phase": "",
    "done": 0,
    "total": 0,
    "attempts": 0,
    "owner": "",
    "lease": 0,
    "result": "null",
    "output": "",
    "media_type": "",
    "output_size": 0,
    "error": None,
}
_AGAIN = {name: value for name, value in _NEW.items() if name not in ("output_size", "media_type")}


def _get(connection: Connection, id: str) -> Job:
    row = connection.execute(select(job).where(job.c.id == id)).mappings().first()
    if row is None:
        raise NotFound("There is no such job", hint="it may have been over for long, and forgotten")
    return from_row(dict(row))


def _owned(connection: Connection, id: str, owner: str) -> Any:
    running = (job.c.id == id) & (job.c.owner == owner) & (job.c.state == State.RUNNING)
    return connection.execute(select(job).where(running)).mappings().first()


def _set(connection: Connection, id: str, **values: Any) -> None:
    connection.execute(update(job).where(job.c.id == id).values(**values, revision=_next(connection)))


def _next(connection: Connection) -> int:
    """A new revision."""
    if not connection.execute(
        update(counter).where(counter.c.name == "job").values(value=counter.c.value + 1)
    ).rowcount:
        connection.execute(insert(counter).values(name="job", value=1))
    return int(connection.execute(select(counter.c.value).where(counter.c.name == "job")).scalar_one())


def _until(seconds: float) -> int:
    return now() + round(seconds * 1e6)


def _error(why: Trouble) -> str:
    return json.dumps(asdict(why))
