"""Workitems as a scheduler and a performer send them."""

from __future__ import annotations

from typing import Any

from isocenter.worklist.documents import code, element, tag

Json = dict[str, Any]


def workitem(**changes: Any) -> Json:
    """What a scheduler sends: keyword to a value, a list of values, or None to leave the attribute out."""
    told: dict[str, Any] = {
        "ProcedureStepState": "SCHEDULED",
        "ScheduledProcedureStepPriority": "MEDIUM",
        "ProcedureStepLabel": "Segment the liver",
        "WorklistLabel": "Research",
        "ScheduledProcedureStepStartDateTime": "20240131101500",
        "InputReadinessState": "READY",
        "PatientName": {"Alphabetic": "Doe^Jane"},
        "PatientID": "P1",
    } | changes
    return elements(**{name: found for name, found in told.items() if found is not None})


def elements(**told: Any) -> Json:
    """Elements of the DICOM JSON model by keyword."""
    return {tag(k): element(k, *(v if isinstance(v, list) else [v])) for k, v in told.items()}


STATION = code("S1", "99TEST", "Station one")


def performed() -> Json:
    """What a performer sets before it completes a workitem."""
    item = elements(
        PerformedStationNameCodeSequence=STATION,
        PerformedProcedureStepStartDateTime="20240131101600",
        PerformedWorkitemCodeSequence=code("110001", "DCM", "Image Processing"),
        PerformedProcedureStepEndDateTime="20240131101700",
        OutputInformationSequence=[],
    )
    return elements(UnifiedProcedureStepPerformedProcedureSequence=item)


def progress(percent: str) -> Json:
    """How far a performer is."""
    return elements(ProcedureStepProgressInformationSequence=elements(ProcedureStepProgress=percent))
