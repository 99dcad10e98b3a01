"""Data sets of workitems in the DICOM JSON model: what one may create, change, finish and read.

Checks are those of `attributes`. A data set that lacks attributes of type 2 is completed, as senders in use
leave them out. Not here: states, locks, storing.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from isocenter.dicom import values
from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest, InvalidValue
from isocenter.worklist.attributes import (
    ENUMERATED,
    FINAL_CANCELED,
    FINAL_COMPLETED,
    FINAL_PRESENT,
    NOT_ALLOWED,
    PERFORMED,
    PROGRESS,
    REQUIREMENTS,
    Requirement,
)
from isocenter.worklist.states import State

Json = dict[str, Any]

PUSH = "1.2.840.10008.5.1.4.34.6.1"
"""UPS Push SOP Class: the class of every workitem (CC.3.1)."""
UNSPECIFIED = ("110513", "DCM", "Discontinued for unspecified reason")

_TAG = re.compile(r"[0-9A-F]{8}")
_MOST_DEPTH = 16


def tag(keyword: str) -> str:
    """The tag of a keyword as DICOM JSON writes it."""
    return lookup(keyword).tag_text


def element(keyword: str, *found: Any) -> Json:
    """An element with these values."""
    vr = lookup(keyword).vr
    return {"vr": vr, "Value": list(found)} if found else {"vr": vr}


def value(document: Mapping[str, Any], keyword: str) -> str:
    """The first value of an element as text, empty when there is none."""
    found = items(document, keyword)
    return str(found[0]).strip() if found and found[0] is not None else ""


def items(document: Mapping[str, Any], keyword: str) -> list[Any]:
    """All values of an element; the items of a sequence."""
    return list(document.get(tag(keyword), {}).get("Value") or [])


def code(value_: str, scheme: str, meaning: str) -> Json:
    """An item of a code sequence."""
    pairs = {"CodeValue": value_, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
    return {tag(keyword): element(keyword, text) for keyword, text in pairs.items()}


def now() -> str:
    """This moment as DT, with the offset from UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S.%f+0000")


# -- checks --------------------------------------------------------------------------------------------


def well_formed(document: Any, depth: int = 0) -> Json:
    """The data set, when it is one of the DICOM JSON model without bulk data.

    Raises:
        BadRequest: naming the element that is wrong.
    """
    if not isinstance(document, dict) or depth > _MOST_DEPTH:
        raise BadRequest("A workitem is an object of the DICOM JSON model (PS3.18 F.2)")
    for key, found in document.items():
        if not _TAG.fullmatch(key) or not isinstance(found, dict) or not isinstance(found.get("vr"), str):
            raise BadRequest(f"{key[:40]!r} is no element of the DICOM JSON model")
        if "BulkDataURI" in found:
            raise BadRequest(f"{key} is bulk data, which a workitem does not have (PS3.18 11.1.3)")
        several = found.get("Value", [])
        if not isinstance(several, list) or (several and "InlineBinary" in found):
            raise BadRequest(f"The Value of {key} is a list")
        if found["vr"] == "SQ":
            for item in several:
                well_formed(item, depth + 1)
        elif any(isinstance(one, list) or (isinstance(one, dict) and found["vr"] != "PN") for one in several):
            raise BadRequest(f"The Value of {key} is none of {found['vr'][:4]!r}")
    return document


def new(document: Json, uid: str, *, label: str) -> tuple[Json, bool]:
    """A workitem as it is created (column N-CREATE), and whether something was filled in.

    Args:
        document: as sent.
        uid: of the workitem.
        label: Worklist Label where none is given.

    Raises:
        BadRequest: a type 1 attribute has no value, or one has a value that may not.
    """
    given = dict(document)
    for row in REQUIREMENTS.values():
        filled = _filled(given, row)
        if row.create == "1" and not filled:
            raise BadRequest(f"{row.keyword} has no value", hint="Table CC.2.5-3 of PS3.4 requires one")
        if row.create == "0" and filled:
            raise BadRequest(f"{row.keyword} is empty in a new workitem")
    _check_values(given)
    added = {row.tag: {"vr": row.vr} for row in REQUIREMENTS.values() if row.create in "02"}
    modified = not (added.keys() - {tag("TransactionUID")}) <= given.keys()
    made = {**added, **given}
    if not value(made, "WorklistLabel"):
        made[tag("WorklistLabel")] = element("WorklistLabel", label)
        modified = True
    made.pop(tag("TransactionUID"), None)
    made[tag("SOPClassUID")] = element("SOPClassUID", PUSH)
    made[tag("SOPInstanceUID")] = element("SOPInstanceUID", uid)
    return _stamped(made), modified


def changed(document: Json, changes: Json) -> Json:
    """A workitem after an update (column N-SET): the elements of `changes` replace those of the same tag.

    Raises:
        BadRequest: it sets what may not be set, or takes a value away that must stay.
    """
    wanted = {key: found for key, found in changes.items() if key != tag("TransactionUID")}
    for key in wanted:
        row = REQUIREMENTS.get(key)
        if row is None:
            continue
        if row.set == NOT_ALLOWED and wanted[key] != document.get(key):
            raise BadRequest(f"{row.keyword} may not be changed by an update")
        if row.set == "1" and not _filled(wanted, row):
            raise BadRequest(f"{row.keyword} may not be emptied")
    _check_values(wanted)
    return _stamped({**document, **wanted})


def canceled(document: Json, reasons: Json | None = None) -> Json:
    """A workitem with what its final state CANCELED needs filled in (PS3.4 CC.2.2.3, CC.2.5-3).

    Args:
        document: the workitem.
        reasons: what a cancel request said; kept where the workitem has nothing.
    """
    given = items(document, PROGRESS)
    progress = dict(given[0]) if given else {}
    told = reasons or {}
    for keyword in ("ReasonForCancellation", "ProcedureStepDiscontinuationReasonCodeSequence"):
        if items(told, keyword) and not items(progress, keyword):
            progress[tag(keyword)] = told[tag(keyword)]
    contact = {tag(k): told[tag(k)] for k in ("ContactURI", "ContactDisplayName") if items(told, k)}
    if contact and not items(progress, "ProcedureStepCommunicationsURISequence"):
        keyword = "ProcedureStepCommunicationsURISequence"
        progress[tag(keyword)] = element(keyword, contact)
    if not value(progress, FINAL_CANCELED[0]):
        progress[tag(FINAL_CANCELED[0])] = element(FINAL_CANCELED[0], now())
    if not items(progress, FINAL_CANCELED[1]):
        progress[tag(FINAL_CANCELED[1])] = element(FINAL_CANCELED[1], code(*UNSPECIFIED))
    return {**document, tag(PROGRESS): element(PROGRESS, progress, *given[1:])}


def missing_for(document: Json, state: State) -> list[str]:
    """What the workitem lacks for a final state (CC.2.5.1.1); nothing when it may enter it."""
    codes = "RP" if state is State.COMPLETED else "RX"
    lacks = [r.keyword for r in REQUIREMENTS.values() if r.final in codes and not _filled(document, r)]
    if lacks:
        return lacks
    if state is State.CANCELED:
        return _lacking(items(document, PROGRESS), FINAL_CANCELED)
    performed = items(document, PERFORMED)
    lacks = _lacking(performed, FINAL_COMPLETED)
    return lacks + [FINAL_PRESENT] * any(tag(FINAL_PRESENT) not in item for item in performed)


def _lacking(found: Iterable[Json], keywords: Iterable[str]) -> list[str]:
    every = list(found)
    return [keyword for keyword in keywords if any(not items(item, keyword) for item in every)]


def _filled(document: Mapping[str, Any], row: Requirement) -> bool:
    return any(one not in (None, "") for one in items(document, row.keyword))


def _check_values(document: Json) -> None:
    for keyword, allowed in ENUMERATED.items():
        found = value(document, keyword)
        if found and found not in allowed:
            raise BadRequest(f"{keyword} is one of {', '.join(allowed)}, not {found[:20]!r}")
    for row in REQUIREMENTS.values():
        if row.tag in document and document[row.tag]["vr"] != row.vr:
            raise BadRequest(f"{row.keyword} is {row.vr}, not {document[row.tag]['vr'][:4]}")
        if row.vr == "DT" and (moment := value(document, row.keyword)):
            try:
                values.parse_datetime(moment)
            except (ValueError, InvalidValue):
                raise BadRequest(f"{row.keyword} is no date and time") from None


def _stamped(document: Json) -> Json:
    keyword = "ScheduledProcedureStepModificationDateTime"
    return dict(sorted({**document, tag(keyword): element(keyword, now())}.items()))


# -- results -------------------------------------------------------------------------------------------


def result(document: Json, asked: Iterable[str], *, everything: bool = False) -> Json:
    """A search result: the return keys of types 1 and 2, and what was asked for by keyword or path.

    Args:
        document: the workitem.
        asked: names of keys and included fields; of a path its outermost sequence.
        everything: all attributes.
    """
    if everything:
        return document
    wanted = {row.tag for row in REQUIREMENTS.values() if row.returned in "12"}
    wanted |= {tag(name.partition(".")[0]) for name in asked} | {tag("SpecificCharacterSet")}
    return {key: found for key, found in document.items() if key in wanted}
