"""`Run`: a de-identification that the server does or has done: how far it is, what came out, who accepted it.

Where a review is needed its results are held in the server, neither downloadable nor in any dataset, until
somebody who curates the dataset has accepted them. Not here: how it is asked for (`deid`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from isocenter.client.deid_report import DeidSummary, Page, ReviewReport
from isocenter.client.display.deid import COUNTED, run_html
from isocenter.client.job import FINAL, Job
from isocenter.errors import BadRequest, Conflict, IsocenterError

if TYPE_CHECKING:
    from isocenter.client.archive import Archive
    from isocenter.client.export import Exported

_LAST = frozenset({"none", "rejected"})


class Run:
    """A de-identification, or the preview of one.

    Attributes:
        job: the job that does it.
        told: what the server told last of it, in the shape of `/api/deid/{job}`.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.told: dict[str, Any] = {}

    @property
    def id(self) -> str:
        """The id of its job: `archive.deid[id]` finds it again."""
        return self.job.id

    @property
    def transport(self) -> Any:
        """To its server."""
        return self.job.transport

    @property
    def dataset_name(self) -> str:
        """The dataset of the originals."""
        return str(self._told()["Dataset"] or "main")

    @property
    def state(self) -> str:
        """`Pending`, `Running`, `Paused`, `Success` or `Failure`; whether it is held: `verdict`."""
        return self.job.state

    @property
    def verdict(self) -> str:
        """Of its review: `none` is needed, `pending`, `accepted` or `rejected`."""
        return str(self._told()["Review"])

    @property
    def counts(self) -> dict[str, int]:
        """Instances: `in` = `out` + `quarantined` + `skipped`; `rejected`, of those out, by the review."""
        counts = self._told()["Counts"] or {}
        return {name: int(counts.get(name) or 0) for name in COUNTED}

    @property
    def into(self) -> str | None:
        """Name of the dataset that results are stored into; None: they are to be downloaded."""
        into = self._told()["Into"]
        return str(into) if into else None

    @property
    def is_preview(self) -> bool:
        """Whether it only says what would be done."""
        return bool(self.job.told["Content"].get("preview"))

    @property
    def archive(self) -> Archive:
        """The dataset with its results.

        Raises:
            BadRequest: they went to none.
            Conflict: they are held, or were rejected.
        """
        from isocenter.client.archive import Archive

        if self.into is None:
            raise BadRequest("These results are in no dataset", hint='run.download("folder"), or run(into=…)')
        self._check_released("they are in the dataset then")
        return Archive(self.transport, self.into)

    def wait(
        self, progress: bool | Callable[[int, int], None] = True, *, timeout: float | None = None
    ) -> Run:
        """Wait until it is over, showing how far it is; the run itself. An interrupt leaves it running.

        Results that were accepted go by a job of their own, which is waited for as well.

        Args:
            progress: shown, or a function called with how many are done and how many there are.
            timeout: seconds to wait at most.

        Raises:
            Timeout: it is not over by then.
            IsocenterError: it failed.
        """
        over = self.job.refresh().told["State"] in FINAL  # then there is nothing to show
        self.job.wait(progress if callable(progress) or not over else False, timeout=timeout)
        told = self._told()
        if told.get("Release") and not told.get("Released"):
            path = f"/api/jobs/{told['Release']}"
            Job(self.transport, self.transport.get(path)).wait(progress, timeout=timeout)
        return self

    # -- what it says

    def report(self) -> ReviewReport:
        """What a review shows: attributes before and after, images, what is kept back. It identifies.

        Raises:
            IsocenterError: it failed, or is not over.
        """
        _ = self.job.result
        return ReviewReport(self.transport.get(f"/api/deid/{self.id}/review"))

    @property
    def summary(self) -> DeidSummary:
        """The signed report: counts, findings, what was kept back; no identifiers."""
        _ = self.job.result
        return DeidSummary(self.transport.get(f"/api/deid/{self.id}/report"))

    def report_html(self) -> Page:
        """The signed report as a page: shown in a notebook, `.save(path)` writes it."""
        _ = self.job.result
        headers = {"Accept": "text/html"}
        with self.transport.request("GET", f"/api/deid/{self.id}/report.html", headers=headers) as answer:
            return Page(answer.readall().decode("utf-8"))

    def review(self, **how: Any) -> Any:
        """The review widget of isocenter-jupyter, where that is installed; else the report as a table.

        Args:
            how: for the widget.
        """
        from isocenter.client.display.shows import widget_of

        widget = widget_of("review")
        return self.report() if widget is None else widget(self, **how)

    # -- what becomes of it

    def accept(self, rejected: Iterable[Any] = (), *, decisions: Mapping[str, str] | None = None) -> Run:
        """Let the results go where they were asked to go; the run itself.

        Args:
            rejected: what does not leave: instances, or SOP Instance UIDs of originals.
            decisions: what was decided of attributes and images, kept with the review.

        Raises:
            Conflict: it is not held: nobody has to accept it, or somebody has decided.
            Forbidden: you do not curate the dataset.
        """
        return self._decide("accepted", [_uid(one) for one in rejected], decisions)

    def reject(self, *, decisions: Mapping[str, str] | None = None) -> Run:
        """Delete the results: nothing leaves; the run itself. Raises as `accept`."""
        return self._decide("rejected", [], decisions)

    def download(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Exported:
        """Its results as DICOM files in a folder, by names that say nothing; it is waited for.

        Args:
            folder: made when it is not there.
            overwrite: replace files of the same names that are other ones.
            progress: shown, or a function called with what is done and what there is.

        Raises:
            Conflict: the results are held, or were rejected.
            BadRequest: a preview, or they went into a dataset.
        """
        from isocenter.client.export import unpacked

        if self.is_preview:
            raise BadRequest("A preview has no results", hint="plan.run() makes them")
        self.wait(progress)
        if self.into is not None:
            hint = f'archive.dataset("{self.into}").studies'
            raise BadRequest(f"These results went into the dataset {self.into!r}", hint=hint)
        self._check_released("then call this again")
        self.job.told = self.transport.get(f"/api/jobs/{self.id}")  # its zip may have come after its end
        return unpacked(self.job, folder, overwrite=overwrite, progress=progress)

    def cancel(self) -> Run:
        """End it soon; the run itself."""
        self.job.cancel()
        return self

    def _decide(self, verdict: str, rejected: list[str], decisions: Mapping[str, str] | None) -> Run:
        asked = {"verdict": verdict, "rejected": rejected, "decisions": dict(decisions or {})}
        with self.transport.post(f"/api/deid/{self.id}/review", asked) as answer:
            answer.finish()
        self.told = {}
        self._told()
        return self

    def _check_released(self, then: str) -> None:
        if self.verdict == "pending":
            raise Conflict(
                "The results are held until somebody has looked at them",
                hint=f'run = archive.deid["{self.id[:8]}"]; run.review() shows them and run.accept() lets '
                f"them go; {then}",
            )
        if self.verdict == "rejected":
            raise Conflict(
                "The results were rejected, and are deleted", hint="change the plan and run it again"
            )

    def _told(self) -> dict[str, Any]:
        """As it is now; what is settled is not asked again."""
        state, review = self.told.get("State"), self.told.get("Review")
        settled = state == "Success" and (review in _LAST or self.told.get("Released"))
        if state != "Failure" and not settled:
            self.told = self.transport.get(f"/api/deid/{self.id}")
        return self.told

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.job == other.job

    def __hash__(self) -> int:
        return hash(self.job)

    def __repr__(self) -> str:
        what = "Preview" if self.is_preview else "Run"
        told = self.told
        counts = told.get("Counts") or {}
        said = ", ".join(f"{counts[name]:,} {name}" for name in COUNTED if counts.get(name))
        review = told.get("Review", "none")
        held = "" if review == "none" else f", review {review}"
        return (
            f"<{what} {self.id[:8]}: {told.get('State', self.job.told['State'])}{held}{said and '; '}{said}>"
        )

    def _repr_html_(self) -> str:
        try:
            self.job.refresh()
            self._told()
        except IsocenterError as error:
            return run_html(self.job.told, self.told, str(error))
        return run_html(self.job.told, self.told)


def _uid(thing: Any) -> str:
    uid = getattr(thing, "uid", thing)
    if not isinstance(uid, str):
        raise BadRequest(f"{type(thing).__name__} is no instance", hint="give instances or SOP Instance UIDs")
    return uid
