"""`DeidReview`: what de-identification would do, to look through before it is done.

It shows a report given to it as a plain dictionary (`REPORT` below says of what) and keeps a decision for
each attribute and image. Values from before are masked until they are asked for, and are no part of what a
notebook keeps. Not here: de-identification.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import traitlets

from isocenter.client.archive import Archive
from isocenter.client.display.masking import MASK, is_identifier
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback

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
"""


class DeidReview(ArchiveWidget, module="review"):
    """Before and after of a de-identification, with a decision for each attribute and image.

    Args:
        report: see `isocenter_jupyter.widgets.review.REPORT`; may be given later, and again.
        archive: where pictures are.

    Attributes:
        decisions: `{"(0010,0010)": "accepted" | "rejected", "<image id>": ...}`.
        verdict: of the whole: empty, `accepted` or `rejected`.
    """

    report = traitlets.Dict()
    decisions = traitlets.Dict().tag(sync=True)
    verdict = traitlets.Enum(("", "accepted", "rejected"), "").tag(sync=True)
    _version = traitlets.Int(0).tag(sync=True)

    def __init__(
        self, report: Mapping[str, Any] | None = None, *, archive: Archive | None = None, **traits: Any
    ) -> None:
        super().__init__(archive, report=dict(report or {}), **traits)

    @traitlets.observe("report")
    def _renew(self, _change: object) -> None:
        self._version += 1

    def answers(self) -> dict[str, Any]:
        """`report`: the report, values from before masked unless `{"show": true}`."""
        return {"report": lambda content: self._told(bool(content and content.get("show")))}

    def fallback(self) -> Fallback:
        """The actions, an attribute a line, without values."""
        attributes = self.report.get("attributes", [])
        if not attributes:
            return Fallback("<DeidReview: no report yet>", "<p>No report of a de-identification yet.</p>")
        lines = [
            (str(one.get("tag", "")), str(one.get("name", "")), str(one.get("action", "")))
            for one in attributes
        ]
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
        text = "\n".join(f"{tag:12}{name:36}{action}" for tag, name, action in lines)
        return Fallback(text, f"<table><tr><th>tag</th><th>name</th><th>action</th></tr>{rows}</table>")

    def _told(self, show: bool) -> dict[str, Any]:
        if show:
            return dict(self.report)
        attributes = [_masked(one) for one in self.report.get("attributes", [])]
        return {**self.report, "attributes": attributes}


def _masked(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """An attribute without the values that it had, nor those that it keeps and that identify."""
    kept = attribute.get("action") == "keep"
    sides = ("before", "after") if kept and is_identifier(str(attribute.get("name"))) else ("before",)
    hidden = () if kept and len(sides) == 1 else sides
    masked = {side: [{**one, "value": MASK} for one in attribute.get(side, [])] for side in hidden}
    return {**attribute, **masked}
