"""`archive.changes()`: what happened in a dataset, in order, to be gone on with where one left off.

`GET /api/changes`, in Orthanc's shape. Not here: acting on it.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from isocenter.dicom.levels import Level
from isocenter.errors import InvalidQuery, Unavailable

if TYPE_CHECKING:
    from isocenter.client.resources import Instance, Patient, Series, Study
    from isocenter.client.transport import Transport

_PAGE = 500
_SHORTEST, _LONGEST = 0.2, 2.0


@dataclass(frozen=True)
class Change:
    """One line of the change log.

    Attributes:
        sequence: its place in the log; `archive.changes(since=…)` takes it.
        kind: what happened: `NewInstance`, `NewSeries`, `NewStudy`, `NewPatient`, `Deleted` …
        level: of what it happened to; None: to the dataset.
        time: when, UTC.
        study_uid: empty where it is about none, as are the next two.
        series_uid: of the series.
        instance_uid: of the instance.
    """

    sequence: int
    kind: str
    level: Level | None
    time: datetime.datetime
    study_uid: str = ""
    series_uid: str = ""
    instance_uid: str = ""

    @property
    def uid(self) -> str:
        """Of what it happened to; empty for patients and the dataset."""
        uids = {
            Level.STUDY: self.study_uid,
            Level.SERIES: self.series_uid,
            Level.INSTANCE: self.instance_uid,
        }
        return uids.get(self.level, "") if self.level is not None else ""

    def __repr__(self) -> str:
        of = f" {self.uid}" if self.uid else ""
        return f"<change {self.sequence}: {self.kind}{of} at {self.time:%Y-%m-%d %H:%M:%S}>"


class Changes(Iterator[Change]):
    """The changes after some point, oldest first; made by `archive.changes`.

    `last` is how far it is: `archive.changes(since=changes.last)` goes on there, in another session too.

    Attributes:
        last: sequence of the last change that was given.
    """

    def __init__(
        self, transport: Transport, dataset: str, since: int | Change | Literal["now"], follow: bool
    ) -> None:
        self._transport, self._dataset, self._follow = transport, dataset, follow
        self.last = self._start(since)
        self._waiting: list[Change] = []
        self._done = False
        self._pause = _SHORTEST

    def __next__(self) -> Change:
        while not self._waiting:
            if self._done and not self._follow:
                raise StopIteration
            if self._done:
                time.sleep(self._pause)
                self._pause = min(self._pause * 1.5, _LONGEST)
            self._fetch()
        change = self._waiting.pop(0)
        self.last = change.sequence
        return change

    def resource(self, change: Change) -> Patient | Study | Series | Instance:
        """What a change happened to. Raises InvalidQuery when it has no UID."""
        from isocenter.client.resources import resource_of

        if change.level is None or not change.uid:
            raise InvalidQuery(f"{change!r} is about no study, series or instance")
        uids = {
            "StudyInstanceUID": change.study_uid,
            "SeriesInstanceUID": change.series_uid,
            "SOPInstanceUID": change.instance_uid,
        }
        row = {name: uid for name, uid in uids.items() if uid}
        return resource_of(self._transport, change.level, row, self._dataset)

    def __repr__(self) -> str:
        return f"<changes of {self._dataset!r} after {self.last}{', followed' if self._follow else ''}>"

    def _start(self, since: int | Change | Literal["now"]) -> int:
        if isinstance(since, Change):
            return since.sequence
        if since == "now":
            return int(self._transport.get("/api/changes", last="", dataset=self._dataset)["Last"])
        if isinstance(since, bool) or not isinstance(since, int) or since < 0:
            raise InvalidQuery("since is the sequence of a change, a change, or 'now'")
        return since

    def _fetch(self) -> None:
        """The next page; a server that is being started again is waited for while following."""
        try:
            told = self._transport.get("/api/changes", dataset=self._dataset, since=self.last, limit=_PAGE)
        except Unavailable:
            if not self._follow:
                raise
            self._done = True
            return
        self._waiting = [_change(one) for one in told["Changes"]]
        self._done = bool(told["Done"])
        if self._waiting:
            self._pause = _SHORTEST


def _change(told: dict[str, Any]) -> Change:
    kind = str(told["ResourceType"]).lower()
    when = datetime.datetime.strptime(told["Date"], "%Y%m%dT%H%M%S").replace(tzinfo=datetime.UTC)
    return Change(
        int(told["Seq"]),
        str(told["ChangeType"]),
        Level(kind) if kind in tuple(Level) else None,
        when,
        *(str(told.get(f"{name}UID", "")) for name in ("StudyInstance", "SeriesInstance", "SOPInstance")),
    )
