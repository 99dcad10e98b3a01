"""What an anonymization made, told as Orthanc tells it: ids of new resources, counts, what was kept back.

Ids of results follow from new UIDs and say nothing of originals. Not here: the routes (`anonymize`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.dicom.public_ids import public_id

MOST = 1000
_PARTS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)
_PLACES = {"patient": "patients", "study": "studies", "series": "series", "instance": "instances"}

Json = dict[str, Any]


class Made:
    """The ids of what was stored, by level; at most `MOST` of each, in the order in which they came."""

    def __init__(self) -> None:
        self._ids: dict[Level, dict[str, None]] = {level: {} for level in _LEVELS}

    def add(self, keys: Mapping[str, str]) -> None:
        """Take note of an instance by its index keys."""
        parts = [keys.get(name, "") for name in _PARTS]
        for depth, level in enumerate(_LEVELS, 1):
            ids = self._ids[level]
            if len(ids) < MOST:
                ids[public_id(*parts[:depth])] = None

    def to_json(self) -> dict[str, list[str]]:
        """Lists of ids by the names of levels."""
        return {level.value: list(ids) for level, ids in self._ids.items()}


def content(level: str, result: Json) -> Json:
    """The `Content` of a job, which is the answer too where somebody waits for it.

    Args:
        level: of the resource that was asked for; empty for several.
        result: of the job `deidentify`, with what its release gave as `released`.
    """
    released = result.get("released") or {}
    made: dict[str, list[str]] = released.get("resources") or {}
    told: Json = {
        "Description": "REST API",
        "FailedInstancesCount": _failed(result, released),
        "InstancesCount": result["in"] + result.get("missing", 0),
        "IsAnonymization": True,
        "Quarantined": result["quarantined"],
        "Reasons": result.get("reasons", {}),
    }
    if not level:
        lowest_first = ("instance", "series", "study", "patient")
        told["Resources"] = [_resource(at, id) for at in lowest_first for id in made.get(at, [])]
    elif made.get(level):
        told |= _resource(level, made[level][0]) | {"PatientID": made["patient"][0]}
    return told


def _failed(result: Json, released: Json) -> int:
    """Instances without a visible result: kept back, rejected, gone, or beside another of their UID."""
    counts = (result.get(name, 0) for name in ("quarantined", "skipped", "missing", "rejected"))
    return sum(int(count) for count in counts) + int(released.get("conflict", 0))


def _resource(level: str, id: str) -> Json:
    return {"ID": id, "Path": f"/{_PLACES[level]}/{id}", "Type": level.capitalize()}
