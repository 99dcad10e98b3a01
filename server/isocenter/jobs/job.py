"""A job as `state.db` has it, and as the automation API tells it: Orthanc's shape with fields of ours.

Not here: what may become of one (`queue`).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a job stands, in the words of Orthanc; a cancelled one is a `Failure` whose code says so."""

    PENDING = "Pending"
    RUNNING = "Running"
    PAUSED = "Paused"
    SUCCESS = "Success"
    FAILURE = "Failure"

    @property
    def final(self) -> bool:
        """Whether it ends there, unless it is submitted again."""
        return self in (State.SUCCESS, State.FAILURE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a job failed, as errors are told everywhere."""

    code: str
    message: str
    hint: str = ""


CANCELLED = Trouble("cancelled", "The job was cancelled")
LOST = Trouble("job-lost", "The process that did it died, twice", "the server's log may say why")

_ORTHANC = {"": 0, CANCELLED.code: 37, "not-found": 17, "bad-request": 8, "no-space": 4}
_OTHER = -1
_SUCCESS = "Success"
_LONG = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job made.

    Attributes:
        result: JSON.
        output: name of a file in the job's folder that may be downloaded, empty for none.
        media_type: of that file.
    """

    result: Any = None
    output: str = ""
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times are microseconds since 1970, UTC; 0 is not yet.

    Attributes:
        kind: registered name.
        dataset: it is about; empty: the whole server.
        creator: who submitted it.
        phase: what it does at the moment.
        done, total: how much of how much; total 0 while that is not known.
        attempts: how often it was begun.
        wanted: `cancel` or `stop` while a running one is asked to end.
        error: why it failed.
        revision: grows with every change of any job.
    """

    id: str
    kind: str
    dataset: str
    creator: str
    parameters: dict[str, Any]
    priority: int
    state: State
    wanted: str
    created: int
    started: int
    ended: int
    phase: str
    done: int
    total: int
    attempts: int
    result: Any
    output: str
    media_type: str
    output_size: int
    error: Trouble | None
    revision: int

    @property
    def progress(self) -> int:
        """Percent, as Orthanc tells it."""
        if self.state is State.SUCCESS:
            return 100
        return min(self.done * 100 // self.total, 100) if self.total else 0

    def runtime(self, now: int) -> float:
        """Seconds since it was begun, or that it took."""
        return max((self.ended or now) - self.started, 0) / 1e6 if self.started else 0.0

    def to_json(self, now: int) -> dict[str, Any]:
        """As `/api/jobs/{id}` tells it."""
        error = self.error or Trouble("", "")
        told: dict[str, Any] = {
            "ID": self.id,
            "Type": self.kind,
            "State": self.state.value,
            "Progress": self.progress,
            "Priority": self.priority,
            "CreationTime": _time(self.created),
            "EffectiveRuntime": round(self.runtime(now), 3),
            "Timestamp": _time(now),
            "ErrorCode": _ORTHANC.get(error.code, _OTHER),
            "ErrorDescription": error.message or _SUCCESS,
            "ErrorDetails": error.hint,
            "Content": {name: _short(value) for name, value in self.parameters.items()} | self._made(),
            "Dataset": self.dataset,
            "Creator": self.creator,
            "Phase": self.phase,
            "Done": self.done,
            "Total": self.total,
            "Attempts": self.attempts,
            "Cancelling": self.wanted == "cancel" and not self.state.final,
            "Error": None if self.error is None else _as_json(self.error),
            "Result": self.result,
            "Output": self._output(),
            "Revision": self.revision,
        }
        if self.started:
            told["StartTime"] = _time(self.started)
        if self.ended:
            told["CompletionTime"] = _time(self.ended)
        return told

    def _made(self) -> dict[str, Any]:
        """What the job itself wants to have told in Orthanc's place for it."""
        return dict(self.result.get("content", {})) if isinstance(self.result, dict) else {}

    def _output(self) -> dict[str, Any] | None:
        if not self.output:
            return None
        return {"Name": self.output, "MediaType": self.media_type, "Size": self.output_size}


def from_row(row: Mapping[str, Any]) -> Job:
    """A job from a row of its table."""
    told = {name: row[name] for name in Job.__dataclass_fields__ if name not in ("error", "state")}
    told |= {name: json.loads(row[name]) for name in ("parameters", "result")}
    error = None if row["error"] is None else Trouble(**json.loads(row["error"]))
    return Job(**told, state=State(row["state"]), error=error)


def _short(value: Any) -> Any:
    """A parameter as it is told: of a long list how long it is, and how it begins."""
    if isinstance(value, list) and len(value) > _LONG:
        return {"count": len(value), "first": value[:_LONG]}
    return value


def _as_json(error: Trouble) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _time(microseconds: int) -> str:
    """As Orthanc writes times, UTC."""
    when = datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.UTC)
    return when.strftime("%Y%m%dT%H%M%S.%f")
