"""`archive.jobs`: the jobs of the server, the newest first; started, found and shown as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from isocenter.client.display.jobs import jobs_html
from isocenter.client.job import FINAL, Job, submit
from isocenter.errors import IsocenterError, NotFound

if TYPE_CHECKING:
    from isocenter.client.transport import Transport


class JobList(tuple[Job, ...]):
    """Jobs, as they stood when they were asked for."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return jobs_html([job.told for job in self])


class Jobs:
    """The jobs that you may know of: your own, and those of datasets that you read.

    `jobs[0]` is the newest; `jobs["3f2a…"]` the one whose id begins so. Asks the server each time.
    """

    def __init__(self, transport: Transport, dataset: str) -> None:
        self._transport, self._dataset = transport, dataset

    def submit(self, kind: str, *, priority: int = 0, **parameters: Any) -> Job:
        """Start a job: `verify`, `compact`, `archive` …; `kinds` tells what there is."""
        return submit(self._transport, kind, parameters, dataset=self._dataset, priority=priority)

    @property
    def kinds(self) -> list[dict[str, Any]]:
        """What jobs there are, and their parameters."""
        found: list[dict[str, Any]] = self._transport.get("/api/jobs/kinds")
        return found

    @property
    def running(self) -> JobList:
        """Those that are not over."""
        return JobList(job for job in self if job.told["State"] not in FINAL)

    def changes(self, since: int = 0, *, wait: int = 0) -> tuple[JobList, int]:
        """The jobs that changed after a revision, and the revision to ask from next.

        Args:
            since: revision.
            wait: seconds to wait for a change, 30 at most.
        """
        told = self._transport.get("/api/jobs/changes", since=since, wait=wait)
        return JobList(Job(self._transport, one) for one in told["Jobs"]), int(told["Last"])

    def __iter__(self) -> Iterator[Job]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, which: int | str) -> Job: ...
    @overload
    def __getitem__(self, which: slice) -> JobList: ...
    def __getitem__(self, which: int | str | slice) -> Job | JobList:
        if isinstance(which, slice):
            return JobList(self._all()[which])
        if isinstance(which, int):
            return self._all()[which]
        found = [job for job in self if job.id.startswith(which)] if which else []
        if len(found) != 1:
            told = "There is no such job" if not found else f"{len(found)} jobs have an id like {which!r}"
            raise NotFound(told, hint="archive.jobs shows those that are kept")
        return found[0]

    def _all(self) -> JobList:
        return JobList(Job(self._transport, told) for told in self._transport.get("/api/jobs", expand="true"))

    def _ipython_key_completions_(self) -> list[str]:
        return [job.id for job in self]

    def __repr__(self) -> str:
        jobs = self._all()
        active = sum(job.told["State"] not in FINAL for job in jobs)
        return f"<{len(jobs)} jobs at {self._transport.url}, {active} not over>"

    def _repr_html_(self) -> str:
        try:
            return self._all()._repr_html_()
        except IsocenterError as error:
            return jobs_html([], str(error))
