"""`/api/deid/{job}/review`: what a reviewer sees, and the verdict that lets results leave.

What is held leaves after a verdict of somebody who may curate, by a job of its own. A verdict is written into
the audit log before it counts. Not here: the document (`review_document`), how results leave (`releasing`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import BadRequest, Conflict, NotFound
from isocenter.jobs.job import Job, State
from isocenter.jobs.queue import now
from isocenter.jobs.reviews import Review, Verdict
from isocenter.jobs.run import folder_of
from isocenter.rest.deid import ID, Deidentification
from isocenter.rest.deid_kinds import RELEASE
from isocenter.rest.held import REVIEW, Held
from isocenter.security import Action

AUDIT = Path("audit", "deid.jsonl")
"""In the data folder: who accepted or rejected what, and when."""


class Reviewed(Deidentification):
    """What a reviewer sees, and says."""

    async def get(self, job: str) -> None:
        """Attributes before and after, pictures with boxes, what was kept back; it identifies."""
        found = await self.deidentifying(job)
        if not self.identity.may(Action.CURATE, found.dataset):
            self.identity.require(Action.DEIDENTIFY, found.dataset)
        await self.send_file(found, REVIEW, "application/json")

    async def post(self, job: str) -> None:
        """`{"verdict", "rejected", "decisions"}`: `accepted`, all but the `rejected` UIDs, or `rejected`."""
        found = await self.deidentifying(job)
        self.identity.require(Action.CURATE, found.dataset)
        asked = self.fields(verdict=str, rejected=list, decisions=dict)
        if asked["verdict"] not in ("accepted", "rejected"):
            raise BadRequest("The verdict is accepted or rejected", hint='{"verdict": "accepted"}')
        if found.state is not State.SUCCESS:
            raise Conflict("There are no results to look at", hint=f"the job is {found.state.value}")
        verdict = Verdict(asked["verdict"])
        await self.context.long(self._decide, found, verdict, asked["rejected"] or [], asked["decisions"])
        await self.tell_state(await self.seen(job))

    def _decide(self, job: Job, verdict: Verdict, rejected: list[Any], decisions: Any) -> None:
        reviews, folder = self.jobs.reviews, folder_of(self.context.settings.data, job.id)
        review = reviews.get(job.id)
        if review is None:
            raise Conflict("Nothing waits for a review here")
        chosen = _uids(rejected, folder, review)
        if review.verdict is Verdict.PENDING:
            self._note(job, verdict, chosen)
            reviews.decide(
                job.id, verdict, by=self.identity.name, at=now(), rejected=chosen, decisions=decisions
            )
        elif review.verdict is not verdict or set(chosen) - set(review.rejected):
            raise Conflict(f"It was {review.verdict.value} already", hint=f"by {review.reviewer}")
        if verdict is Verdict.REJECTED:
            Held(folder).drop()
        else:
            self._release(job)

    def _note(self, job: Job, verdict: Verdict, rejected: tuple[str, ...]) -> None:
        """Write down who says what, before it counts. Raises BadRequest where the log was changed."""
        from isocenter.deid.audit_log import add_line

        log = self.context.settings.data / AUDIT
        log.parent.mkdir(mode=0o700, exist_ok=True)
        told = {"user": self.identity.name, "what": f"review {verdict.value}", "job": job.id}
        told |= {"dataset": job.dataset, "into": job.parameters.get("into") or "zip"}
        add_line(log, {**told, "rejected": len(rejected)})

    def _release(self, job: Job) -> None:
        """Start the job that lets it leave, unless one does or has."""
        review = self.jobs.reviews.get(job.id)
        if review is None or review.released:
            return
        if review.release:
            try:
                last = self.jobs.get(review.release)
            except NotFound:
                last = None
            if last is not None and last.state is not State.FAILURE:
                return
        made = self.jobs.submit(
            RELEASE.name,
            {"job": job.id},
            dataset=job.dataset,
            creator=self.identity.name,
            priority=job.priority,
        )
        if not self.jobs.reviews.releasing(job.id, made.id, before=review.release):
            self.jobs.cancel(made.id)  # somebody else has just started one


def _uids(rejected: list[Any], folder: Path, review: Review) -> tuple[str, ...]:
    """Those of what is rejected that are results; what was kept back anyway may be named too.

    Raises:
        BadRequest: one was never looked at.
    """
    if not all(isinstance(uid, str) and is_valid_uid(uid) for uid in rejected):
        raise BadRequest("rejected is a list of SOP Instance UIDs of originals")
    results = Held(folder).uids() | set(review.rejected)
    strange = set(rejected) - results
    if strange:
        document = json.loads((folder / REVIEW).read_bytes())
        strange -= {one["id"] for one in (*document["quarantined"], *document["images"])}
    if strange:
        raise BadRequest(f"{len(strange)} of what is rejected are none of the results")
    return tuple(uid for uid in dict.fromkeys(rejected) if uid in results)


routes = [(rf"/api/deid/{ID}/review", Reviewed)]
