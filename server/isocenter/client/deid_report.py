"""What a de-identification says of itself: for a review, signed for the record, and as a page.

Plain dictionaries and text that show themselves masked in a notebook. Not here: what is in them.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from isocenter.client.display.deid import review_html, summary_html


class ReviewReport(dict[str, Any]):
    """What a review shows, as plain data (`isocenter_jupyter.widgets.review.REPORT` says of what).

    It holds values of originals: what is shown of it does not.
    """

    @property
    def flagged(self) -> list[str]:
        """Keywords of the attributes that should be looked at."""
        return [str(one["name"]) for one in self.get("attributes", []) if one.get("flag")]

    @property
    def quarantined(self) -> list[dict[str, Any]]:
        """What is kept back, and why: `id` (its SOP Instance UID), `label`, `reason`."""
        return list(self.get("quarantined", []))

    def __repr__(self) -> str:
        attributes, images = len(self.get("attributes", [])), len(self.get("images", []))
        kept = f", {len(self.quarantined):,} quarantined" if self.quarantined else ""
        return f"<Review: {attributes:,} attributes, {images:,} images{kept}; it holds values of originals>"

    def _repr_html_(self) -> str:
        return review_html(self)


class DeidSummary(dict[str, Any]):
    """The signed report of a de-identification. No identifier is in it."""

    @property
    def counts(self) -> dict[str, int]:
        """Files in, out, quarantined, skipped; patients, studies, series."""
        return dict(self["counts"])

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What the second reader found; `residual` first: a value of an original that is still there."""
        return list(self["findings"])

    @property
    def quarantine(self) -> dict[str, int]:
        """Why instances were kept back, and how many."""
        return dict(self["reasons"]["quarantined"])

    def __repr__(self) -> str:
        counts = self.counts
        said = ", ".join(f"{counts.get(name, 0):,} {name}" for name in ("out", "quarantined", "skipped"))
        return f"<De-identification report: {said}; {len(self.findings):,} findings>"

    def _repr_html_(self) -> str:
        return summary_html(self)


class Page(str):
    """A page of HTML that needs nothing else: the text itself, and shown in a frame of its own."""

    __slots__ = ()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file; its path."""
        file = Path(path)
        file.write_text(self, encoding="utf-8")
        return file

    def __repr__(self) -> str:
        return f"<Page of {len(self):,} characters: save(path) writes it>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe sandbox="" title="Report of a de-identification" srcdoc="{escape(self)}" '
            'style="width:100%;height:520px;border:1px solid var(--jp-border-color2,#d0d7de);'
            'border-radius:6px"></iframe>'
        )
