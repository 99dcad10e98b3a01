"""`/api/changes`: what happened in a dataset, in order, to be followed by sequence, in Orthanc's shape."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import parse_qs

from isocenter.index.records import Change
from isocenter.rest.handler import ApiHandler

_MOST = 1000
_TYPES = {
    ("stored", "instance"): "NewInstance",
    ("new-patient", "patient"): "NewPatient",
    ("new-study", "study"): "NewStudy",
    ("new-series", "series"): "NewSeries",
}


class Changes(ApiHandler):
    """A page of the change log."""

    async def get(self) -> None:
        """`?since=&limit=&dataset=`, or `?last`: `{"Changes": [...], "Done", "Last"}`."""
        dataset = self.dataset(self.get_query_argument("dataset", "main"))
        if self.request.query and "last" in parse_qs(self.request.query, keep_blank_values=True):
            last = await self.context.short(dataset.index.reader.last_change)
            found = await self.context.short(lambda: list(dataset.changes(last - 1, 1)))
            self.write_json({"Changes": [_shown(one) for one in found], "Done": True, "Last": last})
            return
        since = self.count_argument("since", 0, 2**62)
        limit = max(self.count_argument("limit", 100, _MOST), 1)
        # One more than asked for tells whether there is more.
        found = await self.context.short(lambda: list(dataset.changes(since, limit + 1)))
        page = found[:limit]
        self.write_json(
            {
                "Changes": [_shown(change) for change in page],
                "Done": len(found) <= limit,
                "Last": page[-1].id if page else since,
            }
        )


def _shown(change: Change) -> dict[str, Any]:
    when = datetime.datetime.fromtimestamp(change.time / 1e6, datetime.UTC)
    shown: dict[str, Any] = {
        "Seq": change.id,
        "ChangeType": _TYPES.get((change.kind, change.level), _camel(change.kind)),
        "ResourceType": _resource(change),
        "Date": when.strftime("%Y%m%dT%H%M%S"),
    }
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if uid := getattr(change, keyword):
            shown[keyword] = uid
    if shown["ResourceType"] == "Cohort":
        shown["Cohort"] = change.detail
    return shown


def _resource(change: Change) -> str:
    if change.level:
        return change.level.capitalize()
    return "Cohort" if change.kind.startswith("cohort-") else "Dataset"


def _camel(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("-"))


routes = [(r"/api/changes", Changes)]
