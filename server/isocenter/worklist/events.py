"""Event reports of workitems (PS3.4 CC.2.4) as DICOM JSON, and which of them a change gives rise to.

Message ID is set when a report is sent. Not here: who is told (`subscriptions`), how it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.worklist.attributes import PROGRESS
from isocenter.worklist.documents import PUSH, Json, element, items, tag

STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT, SCP_STATUS_CHANGE, ASSIGNED = 1, 2, 3, 4, 5
WORKLIST = "1.2.840.10008.5.1.4.34.5"
"""UPS Global Subscription SOP Instance: also the instance that a report about the server itself names."""

_CANCEL_INFORMATION = (
    "ReasonForCancellation",
    "ProcedureStepDiscontinuationReasonCodeSequence",
    "ContactURI",
    "ContactDisplayName",
)
_PROGRESS = (
    "ProcedureStepProgress",
    "ProcedureStepProgressDescription",
    "ProcedureStepCommunicationsURISequence",
)
_PERFORMERS = ("ScheduledStationNameCodeSequence", "ScheduledHumanPerformersSequence")


def _report(uid: str, event_type: int, information: Json) -> Json:
    head = {
        "00000002": {"vr": "UI", "Value": [PUSH]},
        "00001000": {"vr": "UI", "Value": [uid]},
        "00001002": {"vr": "US", "Value": [event_type]},
    }
    return {**head, **dict(sorted(information.items()))}


def state_report(uid: str, document: Json) -> Json:
    """The state of a workitem, and why it was canceled where that is known."""
    information = {tag(k): document[tag(k)] for k in ("ProcedureStepState", "InputReadinessState")}
    for progress in items(document, PROGRESS)[:1]:
        keywords = ("ReasonForCancellation", "ProcedureStepDiscontinuationReasonCodeSequence")
        information |= {tag(k): progress[tag(k)] for k in keywords if items(progress, k)}
    return _report(uid, STATE_REPORT, information)


def cancel_requested(uid: str, requester: str, reasons: Json) -> Json:
    """Somebody who does not perform a workitem asks that it be canceled."""
    information = {tag(k): reasons[tag(k)] for k in _CANCEL_INFORMATION if tag(k) in reasons}
    information[tag("RequestingAE")] = element("RequestingAE", requester)
    return _report(uid, CANCEL_REQUESTED, information)


def progress_report(uid: str, document: Json) -> Json:
    """How far a workitem is."""
    return _report(uid, PROGRESS_REPORT, {tag(PROGRESS): document[tag(PROGRESS)]})


def assigned(uid: str, document: Json) -> Json:
    """Which station or person a workitem is for."""
    information = {}
    if items(document, _PERFORMERS[0]):
        information[tag(_PERFORMERS[0])] = document[tag(_PERFORMERS[0])]
    for person in items(document, _PERFORMERS[1])[:1]:
        keywords = ("HumanPerformerCodeSequence", "HumanPerformerOrganization")
        information |= {tag(k): person[tag(k)] for k in keywords if items(person, k)}
    return _report(uid, ASSIGNED, information)


def restarted() -> Json:
    """The server began anew and has everything that it had."""
    told = {
        "SCPStatus": "RESTARTED",
        "SubscriptionListStatus": "WARM START",
        "UnifiedProcedureStepListStatus": "WARM START",
    }
    return _report(WORKLIST, SCP_STATUS_CHANGE, {tag(k): element(k, text) for k, text in told.items()})


def of_creation(uid: str, document: Json) -> Iterator[Json]:
    """The reports of a new workitem, to those who subscribe to the whole worklist."""
    yield state_report(uid, document)
    if any(items(document, keyword) for keyword in _PERFORMERS):
        yield assigned(uid, document)


def of_update(uid: str, before: Json, after: Json) -> Iterator[Json]:
    """The reports of an update, by what it changed (CC.2.4.3)."""
    if _differ(before, after, ("InputReadinessState",)):
        yield state_report(uid, after)
    if _differ(before, after, _PERFORMERS):
        yield assigned(uid, after)
    was, is_now = ((items(document, PROGRESS) or [{}])[0] for document in (before, after))
    if items(after, PROGRESS) and _differ(was, is_now, _PROGRESS):
        yield progress_report(uid, after)


def _differ(before: Json, after: Json, keywords: tuple[str, ...]) -> bool:
    return any(items(before, keyword) != items(after, keyword) for keyword in keywords)
