"""`/api/deid`: keys by name, de-identification as a job, where it stands and its report.

Not here: jobs themselves (`jobs`), how it is done (`deidentifying`), the review of results (`deid_review`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from isocenter.errors import BadRequest, NotFound
from isocenter.jobs.job import Job, State
from isocenter.jobs.reviews import Review
from isocenter.jobs.run import folder_of
from isocenter.rest.deid_kinds import DEIDENTIFY
from isocenter.rest.held import PAGE, REPORT
from isocenter.rest.jobs import JobHandler
from isocenter.security import Action

if TYPE_CHECKING:
    from isocenter.deid import KeyRing

ID = r"(?P<job>[0-9a-f-]{36})"
_COUNTS = ("in", "out", "quarantined", "skipped")
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class DeidHandler(JobHandler):
    """What the routes of de-identification share."""

    face = "deid"

    @property
    def ring(self) -> KeyRing:
        """The keys of the server."""
        from isocenter.deid import KeyRing

        return KeyRing.of(self.context.settings.data)

    async def deidentifying(self, id: str) -> Job:
        """A job that de-identifies, of which the caller may know. Raises NotFound."""
        found = await self.seen(id)
        if found.kind != DEIDENTIFY.name:
            raise NotFound("This job does not de-identify", hint=f"it is of the kind {found.kind}")
        return found

    async def send_file(self, job: Job, name: str, media_type: str) -> None:
        """Answer with a document of a job. Raises NotFound."""
        path = folder_of(self.context.settings.data, job.id) / name
        try:
            content = await self.context.short(path.read_bytes)
        except FileNotFoundError:
            raise NotFound("The job has not told it yet", hint=f"it is {job.state.value}") from None
        self.set_header("Content-Type", media_type)
        self.write(content)


class Keys(DeidHandler):
    """The project keys of the server, by name; a key itself is told to nobody."""

    actions: ClassVar = {"GET": Action.DEIDENTIFY, "HEAD": Action.DEIDENTIFY, "POST": Action.ADMINISTER}

    async def get(self) -> None:
        """A list of `{"name", "fingerprint"}`."""
        self.write_json([one._asdict() for one in await self.context.short(self.ring.all)])

    async def post(self) -> None:
        """`{"name"}`: make a new key; 201, and its name and fingerprint."""
        name = self.fields(name=str)["name"]
        if not name:
            raise BadRequest("Which name shall the key have?", hint='{"name": "trial-7"}')
        self.write_json((await self.context.short(self.ring.make, name))._asdict(), status=201)


class Deidentify(DeidHandler):
    """De-identification of what is named, by a job."""

    async def get(self) -> None:
        """`?review=pending`: where those stand that the caller may know of, the newest first."""
        wanted = self.get_query_argument("review", "")
        self.write_json(await self.context.short(self._all, wanted))

    def _all(self, wanted: str) -> list[dict[str, Any]]:
        jobs = [job for job in self.jobs.all() if job.kind == DEIDENTIFY.name and self.sees(job)]
        told = [state_of(job, self.jobs.reviews.get(job.id)) for job in jobs]
        return [one for one in told if wanted in ("", one["Review"])]

    async def post(self) -> None:
        """Start it, or a preview that writes nothing; 201, and `{"ID", "Path", "Type"}` of the job.

        `{"Dataset", "Cohort", "Resources", "Where", "Recipe", "Preview", "Into", "Review", "Priority"}`: a
        cohort, UIDs of any level or a condition, by a recipe whose key the server has. Results go `Into` a
        dataset, or into a zip; with `Review` not before somebody has accepted them.
        """
        asked = self.fields(
            Dataset=str,
            Cohort=str,
            Resources=list,
            Where=dict,
            Recipe=dict,
            Preview=bool,
            Into=str,
            Review=bool,
            Priority=int,
        )
        names = {"Cohort": "cohort", "Resources": "uids", "Where": "where", "Recipe": "recipe"}
        names |= {"Preview": "preview", "Into": "into", "Review": "review"}
        told = {names[name]: value for name, value in asked.items() if name in names and value is not None}
        job = await self.submit(DEIDENTIFY, told, asked["Dataset"] or "main", asked["Priority"])
        self.set_header("Location", f"/api/deid/{job.id}")
        self.write_json({"ID": job.id, "Path": f"/jobs/{job.id}", "Type": job.kind}, status=201)


class Deidentification(DeidHandler):
    """One de-identification."""

    async def get(self, job: str) -> None:
        """Where it stands: state, counts, review, recipe."""
        found = await self.deidentifying(job)
        await self.tell_state(found)

    async def tell_state(self, job: Job, *, status: int = 200) -> None:
        """Answer with where it stands."""
        review = await self.context.short(self.jobs.reviews.get, job.id)
        self.write_json(state_of(job, review), status=status)


class Report(DeidHandler):
    """What was done and what is left, signed; no value of an original is in it."""

    async def get(self, job: str) -> None:
        """The report as JSON."""
        await self.send_file(await self.deidentifying(job), REPORT, "application/json")


class Page(DeidHandler):
    """The report for people."""

    async def get(self, job: str) -> None:
        """The report as a page."""
        self.set_header("Content-Security-Policy", _PAGE_POLICY)
        await self.send_file(await self.deidentifying(job), PAGE, "text/html; charset=utf-8")


def state_of(job: Job, review: Review | None) -> dict[str, Any]:
    """Where a de-identification stands, as it is told."""
    told, result = job.parameters, job.result if isinstance(job.result, dict) else {}
    counts = {name: int(result.get(name, 0)) for name in (*_COUNTS, "missing")}
    waits = job.state is not State.SUCCESS or review is None
    return {
        "ID": job.id,
        "State": job.state.value,
        "Review": "none" if waits or review is None else review.verdict.value,
        "Counts": counts | {"rejected": 0 if review is None else len(review.rejected)},
        "Dataset": job.dataset,
        "Into": told.get("into"),
        "Cohort": told.get("cohort"),
        "Recipe": told["recipe"],
        "Preview": told["preview"],
        "Reviewer": review.reviewer or None if review else None,
        "Reviewed": review.reviewed / 1e6 if review and review.reviewed else None,
        "Release": review.release or None if review else None,
        "Released": _is_released(job, review),
    }


def _is_released(job: Job, review: Review | None) -> bool:
    """Whether the results have left."""
    if review is not None:
        return bool(review.released)
    return job.state is State.SUCCESS and not job.parameters["preview"]


routes = [
    (r"/api/deid", Deidentify),
    (r"/api/deid/keys", Keys),
    (rf"/api/deid/{ID}", Deidentification),
    (rf"/api/deid/{ID}/report", Report),
    (rf"/api/deid/{ID}/report\.html", Page),
]
