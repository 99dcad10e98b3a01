"""`Plan`: how to de-identify what; looked at before it is done, and done by a job of the server.

::

    plan = cohort.deidentify(options=["modified-dates"], key="study-42").preview()
    plan.review()                       # before and after, to look through
    run = plan.run(review=True).wait()  # held until somebody has looked at it
    run.accept()
    run.download("out/")

Nothing is done before it is asked for. The key stays in the server: it is named. Not here: what a run gives
(`deid_run`), the keys (`deid_keys`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from isocenter.client.cohort import Cohort
from isocenter.client.contents import Contents
from isocenter.client.deid_run import Run
from isocenter.client.display.deid import plan_html, source_text
from isocenter.client.frame import Frame
from isocenter.client.job import Job
from isocenter.client.recipe import recipe, recipe_text
from isocenter.client.resource import Resource
from isocenter.client.selection import Selection
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, to_json
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from isocenter.client.archive import Archive
    from isocenter.client.deid_report import DeidSummary, ReviewReport
    from isocenter.client.transport import Transport

_MOST = 10_000
_HELD = ("pending", "accepted")
_GOES_ON = ("Pending", "Running", "Paused")


class Plan:
    """A de-identification that is not done yet. Change nothing in it: make another one.

    Attributes:
        transport: to the server.
        dataset_name: of the originals.
        source: what is to be de-identified: a cohort, a frame, a resource, a UID or a list of these.
        recipe: how, as the server takes it.
        into: name of the dataset that results go to; None: they are downloaded.
        needs_review: whether results are held until somebody has looked at them; None: as the server says.
        previewed: the preview, once there was one.
        latest: what was run last.
    """

    def __init__(
        self,
        transport: Transport,
        dataset: str,
        source: object,
        recipe: dict[str, Any],
        *,
        into: Archive | str | None = None,
        review: bool | None = None,
    ) -> None:
        self.transport, self.dataset_name, self.source, self.recipe = transport, dataset, source, recipe
        self.into, self.needs_review = _name_of(into), review
        self.previewed: Run | None = None
        self.latest: Run | None = None

    # -- before it is done

    def preview(self, progress: bool | Callable[[int, int], None] = True) -> Plan:
        """Do everything but write: a job, waited for; the plan itself.

        Args:
            progress: shown, or a function called with how many are done and how many there are.

        Raises:
            NotFound: the server has no key of this name, or nothing of the source is there.
            BadRequest: it cannot be done so; or more than 10,000 instances that are not frozen.
            Forbidden: your role may not de-identify.
        """
        self.previewed = self._start(preview=True).wait(progress)
        return self

    def report(self) -> ReviewReport:
        """What a review shows: attributes before and after, images, what is kept back. It identifies.

        Of the preview, which is made if there was none. Its display is masked.
        """
        return self._preview().report()

    @property
    def summary(self) -> DeidSummary:
        """The signed report of the preview: counts, findings, what was kept back; no identifiers."""
        return self._preview().summary

    def review(self, **how: Any) -> Any:
        """The preview as the review widget of isocenter-jupyter, where that is installed; else a table.

        Args:
            how: for the widget.
        """
        return self._preview().review(**how)

    # -- to do it

    def run(self, into: Archive | str | None = None, *, review: bool | None = None, priority: int = 0) -> Run:
        """Start it as a job, which goes on while nobody waits: `run.wait()` shows how far it is.

        Args:
            into: the dataset of the same server that results are stored into; the plan's if not given. With
                neither they are a zip, for `run.download(folder)`.
            review: hold the results until somebody accepts them; the plan's if not given.
            priority: of the job.

        Raises:
            NotFound: no such key or dataset, or nothing of the source is there.
            Forbidden: your role may not de-identify these, or may not store into `into`.
        """
        target = _name_of(into) or self.into
        self.latest = self._start(into=target, review=review, priority=priority)
        return self.latest

    def run_for(self, source: object) -> Run:
        """The run whose results an export takes: the latest if it goes on or is held, else a new one.

        Args:
            source: the plan's, or something else of the same dataset.
        """
        plan = self if source == self.source else self.over(source)
        latest = plan.latest
        if latest is None or latest.into or not (latest.verdict in _HELD or latest.state in _GOES_ON):
            latest = plan.latest = plan._start()
        return latest

    def over(self, source: object) -> Plan:
        """The same plan for something else of the same dataset."""
        return Plan(
            self.transport,
            self.dataset_name,
            source,
            self.recipe,
            into=self.into,
            review=self.needs_review,
        )

    def _preview(self) -> Run:
        if self.previewed is None:
            self.preview()
        assert self.previewed is not None
        return self.previewed

    def _start(
        self,
        *,
        preview: bool = False,
        into: str | None = None,
        review: bool | None = None,
        priority: int = 0,
    ) -> Run:
        held = self.needs_review if review is None else review
        asked = {
            "Dataset": self.dataset_name,
            **asked_of(self.transport, self.dataset_name, self.source),
            "Recipe": self.recipe,
            "Preview": preview,
            "Into": into,
            "Review": None if preview else held,
            "Priority": priority,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        with self.transport.post("/api/deid", given) as answer:
            started = answer.json()["ID"]
        return Run(Job(self.transport, self.transport.get(f"/api/jobs/{started}")))

    def __repr__(self) -> str:
        into = f" into {self.into}" if self.into else ""
        done = ", previewed" if self.previewed else ""
        return f"<Plan to de-identify {source_text(self.source)}{into}: {recipe_text(self.recipe)}{done}>"

    def _repr_html_(self) -> str:
        return plan_html(self)


def plan_of(
    home: Archive | Contents,
    source: object,
    profile: str = "basic",
    *,
    into: Archive | str | None = None,
    review: bool | None = None,
    **how: Any,
) -> Plan:
    """See `Contents.deidentify`."""
    told = recipe(profile, **how)
    return Plan(home.transport, home.dataset_name, source, told, into=into, review=review)


def asked_of(transport: Transport, dataset: str, source: object) -> dict[str, Any]:
    """What a source is in the words of `POST /api/deid`: a cohort, a condition on instances, or UIDs.

    Raises:
        BadRequest: of another archive or dataset, or more than 10,000 UIDs.
        NotFound: a UID that the dataset does not have.
    """
    home = (transport.url, dataset)
    if isinstance(source, Contents) and (source.transport.url, source.dataset_name) != home:
        raise BadRequest("These are of another archive or dataset", hint="ask that one for them")
    if isinstance(source, Cohort):
        return {"Cohort": source.id}
    if isinstance(source, Resource) and source.level is not Level.PATIENT:
        return {"Resources": [source.uid]}
    if isinstance(source, Frame) and source.level is not Level.PATIENT:
        cut = source.limit is not None or source.offset
        everything = isinstance(source.predicate, Everything)
        if source.cohort and everything and not cut:
            return {"Cohort": source.cohort}
        if not source.cohort and not cut and not everything and source.level is Level.INSTANCE:
            return {"Where": to_json(source.predicate)}
        if not source.cohort and source.level is not Level.INSTANCE:
            return {"Resources": _few(source.uids())}
    rows = islice(Selection(transport, dataset).rows(source), _MOST + 1)
    return {"Resources": _few([str(row["SOPInstanceUID"]) for row in rows])}


def _few(uids: list[str]) -> list[str]:
    if not uids:
        raise BadRequest("There is nothing to de-identify", hint="does the frame have rows?")
    if len(uids) > _MOST:
        hint = 'freeze it, a cohort may be of any size: frame.freeze("name").deidentify(…)'
        raise BadRequest(f"At most {_MOST:,} are de-identified that are not frozen", hint=hint)
    return uids


def _name_of(into: Archive | str | None) -> str | None:
    return into if isinstance(into, str) or into is None else into.dataset_name
