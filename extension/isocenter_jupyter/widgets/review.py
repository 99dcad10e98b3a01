"""`DeidReview`: a de-identification to look through: before anything is done, or before results leave.

It shows a run or its preview, or a report given as a plain dictionary (`REPORT` below says of what), and
keeps a decision for each attribute and image. Results that are held go, or are deleted, by the verdict given
here. Values from before are masked until they are asked for, and are no part of what a notebook keeps. Not
here: de-identification.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import traitlets

from isocenter.client.archive import Archive
from isocenter.client.display.masking import MASK, is_identifier
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback

if TYPE_CHECKING:
    from isocenter.client.deid import Plan
    from isocenter.client.deid_run import Run

REPORT = """
title         str: what was looked at, `Cohort thin-ct, 120 instances`
profile       str: profile and options, in words
attributes    list, an attribute each:
  tag         `(0010,0010)`
  name        keyword
  action      what is done: `remove`, `empty`, `replace`, `new UID`, `shift`, `clean`, `keep`
  before      list of {"value", "count"}: the distinct values and how many instances have them
  after       the same, of what they become
  distinct    int: how many there are, when `before` has the first ones only
  note        str: what a reviewer should know, if anything
  flag        bool: it should be looked at
images        list, an image each:
  id          its SOP instance UID
  label       str
  path        of its picture on the data server (`/dicom-web/.../thumbnail`), or `src`: a data URI
  width, height   of the image, in its pixels
  boxes       list of {"x", "y", "width", "height", "label"}: what is blacked out, in the same pixels
  note        str
quarantined   list of {"id", "label", "reason"}: what is kept back, whatever is accepted
counts        {"in", "out", "quarantined", "skipped"}, of instances
"""


class DeidReview(ArchiveWidget, module="review"):
    """Before and after of a de-identification, with a decision for each attribute and image.

    Args:
        source: a run (`plan.run()`), a plan (its preview, which is made if there was none), or a report as
            `isocenter_jupyter.widgets.review.REPORT` says; one may be given later: `review.report = …`.
        archive: where pictures are, when `source` does not say.

    Attributes:
        decisions: `{"(0010,0010)": "accepted" | "rejected", "<image id>": ...}`.
        verdict: of the whole: empty, `accepted` or `rejected`.
    """

    report = traitlets.Dict()
    decisions = traitlets.Dict().tag(sync=True)
    verdict = traitlets.Enum(("", "accepted", "rejected"), "").tag(sync=True)
    _version = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        source: Plan | Run | Mapping[str, Any] | None = None,
        *,
        archive: Archive | None = None,
        **traits: Any,
    ) -> None:
        report = source if isinstance(source, Mapping) else {}
        self.run = None if source is None or isinstance(source, Mapping) else _run_of(source)
        self._loaded: dict[str, Any] = {}
        self._asking = threading.Lock()
        if archive is None and self.run is not None:
            archive = Archive(self.run.transport, self.run.dataset_name)
        super().__init__(archive, report=dict(report), **traits)

    @property
    def rejected(self) -> list[str]:
        """The images that are rejected, by SOP Instance UID: `run.accept(rejected=review.rejected)`."""
        return _rejected(self._whole(), self.decisions)

    @traitlets.observe("report")
    def _renew(self, _change: object) -> None:
        self._version += 1

    def answers(self) -> dict[str, Any]:
        """What the browser side asks.

        `report`: the report, values from before masked unless `{"show": true}`, with how it stands.
        `settle`: give the verdict `{"verdict", "decisions"}` to the server; how it then stands.
        """
        return {
            "report": lambda content: self._told(bool(content and content.get("show"))),
            "settle": self._settle,
        }

    def fallback(self) -> Fallback:
        """The actions, an attribute a line, without values."""
        attributes = self._whole().get("attributes", [])
        if not attributes:
            return Fallback("<DeidReview: no report yet>", "<p>No report of a de-identification yet.</p>")
        lines = [
            (str(one.get("tag", "")), str(one.get("name", "")), str(one.get("action", "")))
            for one in attributes
        ]
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
        text = "\n".join(f"{tag:12}{name:36}{action}" for tag, name, action in lines)
        return Fallback(text, f"<table><tr><th>tag</th><th>name</th><th>action</th></tr>{rows}</table>")

    def _whole(self) -> dict[str, Any]:
        """The report that was given, else that of the run, asked for once."""
        with self._asking:
            if not self.report and not self._loaded and self.run is not None:
                self._loaded = dict(self.run.report())
            return dict(self.report or self._loaded)

    def _told(self, show: bool) -> dict[str, Any]:
        report = self._whole()
        if not show:
            report["attributes"] = [_masked(one) for one in report.get("attributes", [])]
        return {**report, "standing": _standing(self.run)}

    def _settle(self, content: Any) -> dict[str, Any]:
        if self.run is None:
            raise BadRequest("This report is of no run", hint="plan.run(review=True).review()")
        decisions = {str(name): str(what) for name, what in (content.get("decisions") or {}).items()}
        if content.get("verdict") == "rejected":
            self.run.reject(decisions=decisions)
        else:
            self.run.accept(_rejected(self._whole(), decisions), decisions=decisions)
        return _standing(self.run)


def _run_of(source: Any) -> Any:
    """The run that a plan or run is."""
    if hasattr(source, "previewed"):
        return (source if source.previewed is not None else source.preview()).previewed
    if not hasattr(source, "accept"):
        raise BadRequest(f"{type(source).__name__} is no run of a de-identification", hint="plan.review()")
    return source


def _rejected(report: Mapping[str, Any], decisions: Mapping[str, str]) -> list[str]:
    kept = {one["id"] for one in report.get("quarantined", [])}
    images = (str(one["id"]) for one in report.get("images", []) if one["id"] not in kept)
    return [image for image in images if decisions.get(image) == "rejected"]


def _standing(run: Any) -> dict[str, str]:
    """Who may still say something: `open` (a report alone), `preview`, `held`, `settled` or `released`."""
    if run is None:
        return {"kind": "open", "words": ""}
    if run.is_preview:
        return {"kind": "preview", "words": "A preview: nothing is made yet. plan.run() does it"}
    verdict, counts = run.verdict, run.counts
    if verdict == "pending":
        return {"kind": "held", "words": ""}
    if verdict == "rejected":
        return {"kind": "settled", "words": "✕ Rejected: the results are deleted, nothing left"}
    where = f"are in the dataset {run.into}" if run.into else 'run.download("folder") fetches them'
    if verdict == "none":
        return {"kind": "released", "words": f"No review was asked for: the results {where}"}
    left = counts["out"] - counts["rejected"]
    said = f"✓ Accepted: {left:,} of {counts['out']:,} instances leave"
    return {"kind": "settled", "words": f"{said}; {where.replace('are', 'they are')}"}


def _masked(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute without the values that it had, nor those that it keeps and that identify."""
    kept = attribute.get("action") == "keep"
    sides = ("before", "after") if kept and is_identifier(str(attribute.get("name"))) else ("before",)
    hidden = () if kept and len(sides) == 1 else sides
    masked = {side: [{**one, "value": MASK} for one in attribute.get(side, [])] for side in hidden}
    return {**attribute, **masked}
