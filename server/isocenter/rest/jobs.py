"""`/api/jobs`: work that outlives a request, in routes and shapes of Orthanc, with progress to wait for.

A job is submitted by its kind and parameters, or by the route of what it does (`/api/tools/create-archive`).
`?since=REVISION&wait=SECONDS` answers as soon as something changed, so that nobody needs to ask often.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote

from isocenter.cohort import Cohorts
from isocenter.dicom.predicate import from_json, to_json
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import BadRequest, NotFound, Unavailable
from isocenter.http.conditional import tell_range
from isocenter.http.stream import read_segments, send_pieces
from isocenter.jobs.job import Job, State
from isocenter.jobs.kinds import KINDS, Kind, kind_of
from isocenter.jobs.queue import Jobs, now
from isocenter.jobs.run import folder_of
from isocenter.rest.handler import ApiHandler
from isocenter.security import Action

_LONGEST = 30
_LOOK = 0.2
_MOST_UIDS = 10_000
_ID = r"(?P<job>[0-9a-f-]{36})"


class JobHandler(ApiHandler):
    """What the routes of jobs share."""

    face = "jobs"

    @property
    def jobs(self) -> Jobs:
        """The jobs of the server."""
        if self.context.jobs is None:
            raise Unavailable("This server runs no jobs")
        return self.context.jobs

    def sees(self, job: Job) -> bool:
        """Whether the caller may know of a job: its own, and those of datasets that it reads."""
        if job.dataset:
            return self.identity.may(Action.READ, job.dataset)
        return job.creator == self.identity.name or self.identity.may(Action.ADMINISTER)

    async def seen(self, id: str) -> Job:
        """A job that the caller may know of. Raises NotFound."""
        found = await self.context.short(self.jobs.get, id)
        if not self.sees(found):
            raise NotFound("There is no such job")
        return found

    async def own(self, id: str) -> Job:
        """A job that the caller may end: its own, or as curator of the dataset any. Raises Forbidden."""
        found = await self.seen(id)
        if found.creator != self.identity.name:
            self.identity.require(
                Action.CURATE if found.dataset else Action.ADMINISTER, found.dataset or None
            )
        return found

    async def submit(self, kind: Kind, parameters: dict[str, Any], dataset: str, priority: int | None) -> Job:
        """Queue a job, if the caller may ask for it. Raises BadRequest, Forbidden, NotFound."""
        if kind.of_server:
            self.identity.require(kind.action)
        else:
            self.dataset(dataset, kind.action)
        checked = kind.checked(parameters)
        prepare = PREPARE.get(kind.name)
        if prepare is not None:
            checked = await self.context.short(prepare, self, dataset, checked)
        return await self.context.short(
            lambda: self.jobs.submit(
                kind.name,
                checked,
                dataset="" if kind.of_server else dataset,
                creator=self.identity.name,
                priority=priority or 0,
            )
        )

    def tell(self, job: Job, *, status: int = 200) -> None:
        """Answer with a job."""
        self.write_json(job.to_json(now()), status=status)

    async def until(self, changed: Callable[[], bool]) -> None:
        """Wait until `changed()`, at most for the seconds of `?wait=`; no longer than the client does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.count_argument("wait", 0, _LONGEST)
        seen = self.jobs.version()
        while not await self.context.short(changed):
            while (version := self.jobs.version()) == seen:
                if loop.time() >= end or self._gone():
                    return
                await asyncio.sleep(_LOOK)
            seen = version

    def _gone(self) -> bool:
        stream = getattr(self.request.connection, "stream", None)
        return stream is None or stream.closed()


class AllJobs(JobHandler):
    """The jobs of the server, as far as the caller may know of them."""

    async def get(self) -> None:
        """A list of ids, the newest first; of what is told of each with `?expand`; `?state=`, `?dataset=`."""
        found = [job for job in await self.context.short(self.jobs.all) if self.sees(job)]
        if state := self.get_query_argument("state", ""):
            found = [job for job in found if job.state.value == _state(state)]
        if dataset := self.get_query_argument("dataset", ""):
            found = [job for job in found if job.dataset == dataset]
        expand = self.get_query_argument("expand", None)
        if expand is None or expand.lower() in ("false", "0"):
            self.write_json([job.id for job in found])
        else:
            self.write_json([job.to_json(now()) for job in found])

    async def post(self) -> None:
        """Submit `{"Type", "Parameters", "Dataset", "Priority"}`; 201, and the job."""
        asked = self.fields(Type=str, Parameters=dict, Dataset=str, Priority=int)
        kind = kind_of(asked["Type"] or "")
        job = await self.submit(
            kind, asked["Parameters"] or {}, asked["Dataset"] or "main", asked["Priority"]
        )
        self.set_header("Location", f"/api/jobs/{job.id}")
        self.tell(job, status=201)


class Kinds(JobHandler):
    """What jobs there are."""

    async def get(self) -> None:
        """A list of `{"Type", "Description", "Parameters", "Server"}`."""
        self.write_json(
            [
                {
                    "Type": kind.name,
                    "Description": kind.says,
                    "Parameters": sorted(kind.fields.keys() - {"members"}),
                    "Server": kind.of_server,
                }
                for kind in sorted(KINDS.values(), key=lambda one: one.name)
            ]
        )


class Changes(JobHandler):
    """What happened to jobs."""

    async def get(self) -> None:
        """`?since=REVISION&wait=SECONDS`: `{"Jobs", "Last"}`, what changed since; waits for a change."""
        since = self.count_argument("since", 0, 2**62)
        await self.until(lambda: self.jobs.revision() > since)
        found = await self.context.short(self.jobs.since, since)
        last = found[-1].revision if found else await self.context.short(self.jobs.revision)
        self.write_json({"Jobs": [job.to_json(now()) for job in found if self.sees(job)], "Last": last})


class OneJob(JobHandler):
    """One job."""

    actions: ClassVar = {"GET": Action.READ, "HEAD": Action.READ, "DELETE": Action.READ}

    async def get(self, job: str) -> None:
        """What it does and how far it is; `?since=REVISION&wait=SECONDS` waits until it changed."""
        await self.seen(job)
        since = self.count_argument("since", 0, 2**62)
        if self.get_query_argument("since", None) is not None:
            await self.until(lambda: self.jobs.get(job).revision > since)
        self.tell(await self.seen(job))

    async def delete(self, job: str) -> None:
        """Forget one that is over, with what it made."""
        found = await self.own(job)
        await self.context.short(self.jobs.delete, found.id)
        await self.context.short(shutil.rmtree, folder_of(self.context.settings.data, found.id), True)
        self.set_status(204)


class Act(JobHandler):
    """What may be done with a job, besides forgetting it."""

    async def post(self, job: str, act: str) -> None:
        """`cancel`, `pause` (one that waits), `resume`, `resubmit` (one that failed): the job."""
        found = await self.own(job)
        self.tell(await self.context.short(getattr(self.jobs, act), found.id))


class Output(JobHandler):
    """What a job made."""

    async def get(self, job: str, output: str) -> None:
        """The file, in ranges as well: `archive` of a zip, `findings.json` of a verification."""
        found = await self.seen(job)
        path = folder_of(self.context.settings.data, found.id) / found.output
        if found.state is not State.SUCCESS or output != found.output or not path.is_file():
            raise NotFound(f"The job has made no {output!r}")
        etag = f'"{found.id}"'
        self.set_header("ETag", etag)
        self.set_header("Content-Type", found.media_type)
        if found.media_type == "application/zip":
            name = found.parameters.get("filename") or f"{found.id}.zip"
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}")
        start, length = tell_range(self, path.stat().st_size, etag)
        self.set_header("Content-Length", str(length))
        if self.request.method != "HEAD":
            with await self.context.short(path.open, "rb") as file:
                await send_pieces(self, read_segments(file, [(start, length)]))

    head = get


class CreateArchive(JobHandler):
    """A zip of what is named, made by a job."""

    async def post(self) -> None:
        """Start it; `{"ID", "Path", "Type"}` of the job, as Orthanc answers to `"Asynchronous": true`.

        `{"Resources", "Cohort", "Where", "Dataset", "Media", "Filename", "Priority", "Asynchronous",
        "Synchronous", "Deidentify"}`: UIDs of any level, or a cohort, or a condition; `Media` with a
        DICOMDIR; `Deidentify`, a recipe, lets only de-identified files in.
        """
        asked = self.fields(
            Resources=list,
            Cohort=str,
            Where=dict,
            Dataset=str,
            Media=bool,
            Filename=str,
            Priority=int,
            Asynchronous=bool,
            Synchronous=bool,
            Deidentify=dict,
        )
        if asked["Asynchronous"] is False or asked["Synchronous"]:
            raise BadRequest(
                "A zip is made by a job here", hint='"Asynchronous": true, or the zip of WADO-RS'
            )
        told = {"uids": asked["Resources"], "cohort": asked["Cohort"], "where": asked["Where"]}
        told |= {"media": asked["Media"], "filename": asked["Filename"], "deidentify": asked["Deidentify"]}
        given = {name: value for name, value in told.items() if value is not None}
        job = await self.submit(kind_of("archive"), given, asked["Dataset"] or "main", asked["Priority"])
        self.write_json({"ID": job.id, "Path": f"/jobs/{job.id}", "Type": job.kind})


def chosen(handler: ApiHandler, dataset: str, told: dict[str, Any]) -> dict[str, Any]:
    """Parameters that tell what a job is about: a cohort in its present version, a condition understood."""
    if sum(told.get(name) is not None for name in ("uids", "where", "cohort")) != 1 or "members" in told:
        raise BadRequest("Say what it is about", hint="by `uids`, by `where` or by `cohort`")
    made = dict(told)
    if "cohort" in told:
        found = Cohorts(handler.dataset(dataset)).get(told["cohort"])
        made |= {"cohort": found.id, "members": found.row.members}
    if "where" in told:
        made["where"] = to_json(from_json(told["where"]))
    if "uids" in told:
        made["uids"] = _uids(told["uids"])
    return made


def _archived(handler: ApiHandler, dataset: str, told: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a zip."""
    made = chosen(handler, dataset, told)
    if "deidentify" in told:
        from isocenter.rest.recipes import recipe_of  # few servers need what it loads

        made["deidentify"] = recipe_of(handler, dataset, told["deidentify"]).to_json()
    return made


PREPARE: dict[str, Callable[[JobHandler, str, dict[str, Any]], dict[str, Any]]] = {"archive": _archived}
"""Kind to what makes its parameters of those that were asked for in a dataset, or refuses them."""


def _state(text: str) -> str:
    known = {state.value.lower(): state.value for state in State}
    if text.lower() not in known:
        raise BadRequest(f"There is no state {text!r}", hint=", ".join(known.values()))
    return known[text.lower()]


def _uids(given: list[Any]) -> list[str]:
    if not given or not all(isinstance(uid, str) and is_valid_uid(uid) for uid in given):
        raise BadRequest("The resources are a list of UIDs, and not empty")
    if len(given) > _MOST_UIDS:
        raise BadRequest(f"At most {_MOST_UIDS} UIDs", hint="freeze a cohort, which may be of any size")
    return list(dict.fromkeys(given))


routes = [
    (r"/api/jobs", AllJobs),
    (r"/api/jobs/changes", Changes),
    (r"/api/jobs/kinds", Kinds),
    (rf"/api/jobs/{_ID}", OneJob),
    (rf"/api/jobs/{_ID}/(?P<act>cancel|pause|resume|resubmit)", Act),
    (rf"/api/jobs/{_ID}/(?P<output>[A-Za-z0-9._-]{{1,100}})", Output),
    (r"/api/tools/create-archive", CreateArchive),
]
