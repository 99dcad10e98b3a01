"""What a reviewer looks at: attributes before and after, pictures with boxes, what was kept back and why.

The document is the one that the widget `DeidReview` shows. It identifies. Of pictures it names all in which
something is blacked out or that are kept back for their pixels, and of each series the middle one, up to a
number. Not here: looking at it (the extension), what was done to one object (`deid.review`).
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from isocenter.archive import Dataset
from isocenter.deid.crew import Done
from isocenter.deid.files import End
from isocenter.deid.profile import Profile
from isocenter.deid.review import Review
from isocenter.index.records import StoredInstance
from isocenter.jobs.job import Job

MOST_RISKY, MOST_SERIES, MOST_LEFT = 200, 60, 1000
"""Pictures with boxes or kept back, series of which a picture is shown, and objects that are kept back."""
_PIXELS = "its pixels are not cleared"


class ReviewDocument:
    """The document while it is made.

    Args:
        job: that de-identifies.
        dataset: of the originals.
        profile: by which it is done.
        found: all originals, by series.
    """

    def __init__(self, job: Job, dataset: Dataset, profile: Profile, found: list[StoredInstance]) -> None:
        self._title = _title(job, len(found))
        self._profile = ", ".join(["Basic profile", *sorted(profile.options)])
        if profile.rules:
            self._profile += f", {len(profile.rules)} rules"
        self._root = "/dicom-web" if dataset.name == "main" else f"/datasets/{dataset.name}/dicom-web"
        self._labels = _labels(found)
        self._sample = _sample(found)
        self._review = Review()
        self._pictures: list[tuple[str, dict[str, Any]]] = []
        self._risky = 0
        self._left: list[dict[str, str]] = []

    def add(self, instance: StoredInstance, done: Done) -> None:
        """Tell of one instance."""
        uid = instance.SOPInstanceUID
        if done.end is End.OUT and done.seen is not None:
            self._review.add(done.seen, done.findings, done.examined)
        if done.end is End.QUARANTINED and len(self._left) < MOST_LEFT:
            self._left.append({"id": uid, "label": self._labels[uid], "reason": done.reason})
        if done.seen is None or not done.seen.rows:
            return
        risky = bool(done.seen.boxes) or (done.end is End.QUARANTINED and _PIXELS in done.reason)
        if (risky and self._risky < MOST_RISKY) or uid in self._sample:
            self._risky += risky
            self._pictures.append((uid, self._picture(instance, done)))

    def _picture(self, instance: StoredInstance, done: Done) -> dict[str, Any]:
        uid, seen = instance.SOPInstanceUID, done.seen
        above = f"studies/{instance.StudyInstanceUID}/series/{instance.SeriesInstanceUID}"
        boxes = seen.boxes if seen else ()
        return {
            "id": uid,
            "label": self._labels[uid],
            "path": f"{self._root}/{above}/instances/{uid}/thumbnail",
            "width": seen.columns if seen else 0,
            "height": seen.rows if seen else 0,
            "boxes": [
                {"x": box.left, "y": box.top, "width": box.width, "height": box.height, "label": ""}
                for box in boxes
            ],
            "note": f"{done.end.value}: {done.reason}" if done.reason else "",
        }

    def to_json(self, counts: dict[str, int]) -> dict[str, Any]:
        """The document."""
        order = {uid: number for number, uid in enumerate(self._labels)}
        return {
            "title": self._title,
            "profile": self._profile,
            "attributes": self._review.to_json(),
            "images": [picture for _, picture in sorted(self._pictures, key=lambda one: order[one[0]])],
            "quarantined": sorted(self._left, key=lambda one: order[one["id"]]),
            "counts": counts,
        }


def _title(job: Job, number: int) -> str:
    about = f"Cohort {job.parameters['cohort']}" if "cohort" in job.parameters else f"Dataset {job.dataset}"
    return f"{about}, {number} instance{'' if number == 1 else 's'}"


def _labels(found: list[StoredInstance]) -> dict[str, str]:
    """Where each instance is among the others, in words that carry nothing."""
    made: dict[str, str] = {}
    for series, (_, group) in enumerate(groupby(found, _series), 1):
        several = list(group)
        for number, one in enumerate(several, 1):
            made[one.SOPInstanceUID] = f"Series {series}, {number} of {len(several)}"
    return made


def _sample(found: list[StoredInstance]) -> set[str]:
    """The middle instance of series, evenly when there are many."""
    middle = []
    for _, group in groupby(found, _series):
        several = list(group)
        middle.append(several[len(several) // 2].SOPInstanceUID)
    step = max(len(middle) / MOST_SERIES, 1.0)
    return {middle[int(number * step)] for number in range(min(len(middle), MOST_SERIES))}


def _series(one: StoredInstance) -> tuple[str, str]:
    return one.StudyInstanceUID, one.SeriesInstanceUID
