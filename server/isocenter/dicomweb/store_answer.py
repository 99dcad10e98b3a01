"""What STOW-RS answers: the Store Instances Response Module (PS3.18 I.2) and the status code (10.5.3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.dicomweb.paths import Target
from isocenter.errors import (
    BadRequest,
    Conflict,
    IsocenterError,
    NoSpace,
    TooLarge,
    Unavailable,
    UnreadableObject,
)
from isocenter.http.failures import UnsupportedMedia

# Failure reasons of Table I.2-2, and two of the additional ones that it allows.
# (A9xx is not for another study: it says that an instance is not of its SOP class.)
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000
OTHER_CLASS = 0xB007
REJECTED = 0xC001
OTHER_STUDY = 0xC002
PROCESSING_FAILURE = 0x0110


@dataclass(frozen=True)
class Result:
    """What became of one instance; `reason` 0 is success. UIDs are empty where they could not be read.

    `warning` is the Warning Reason (Table I.2-1) of one that is stored, 0 for none.
    """

    study: str = ""
    series: str = ""
    sop_class: str = ""
    sop_instance: str = ""
    reason: int = 0
    status: int = 200
    comment: str = ""
    warning: int = 0


def success(keys: Mapping[str, str], claimed_class: str = "") -> Result:
    """An instance that is stored, by its index keys; a warning if its file meta claimed another class."""
    sop_class = keys.get("SOPClassUID", "")
    return Result(
        keys.get("StudyInstanceUID", ""),
        keys.get("SeriesInstanceUID", ""),
        sop_class,
        keys.get("SOPInstanceUID", ""),
        warning=OTHER_CLASS if claimed_class not in ("", sop_class) else 0,
    )


def failure(error: BaseException, sop_class: str = "", sop_instance: str = "") -> Result:
    """An instance that was refused."""
    told = error if isinstance(error, IsocenterError) else IsocenterError("Something went wrong here")
    return Result(
        sop_class=sop_class,
        sop_instance=sop_instance,
        reason=_reason(told),
        status=400 if isinstance(told, UnreadableObject) else told.status,
        comment=told.message,
    )


def _reason(error: IsocenterError) -> int:
    if isinstance(error, NoSpace | Unavailable | TooLarge):
        return OUT_OF_RESOURCES
    if isinstance(error, UnreadableObject | BadRequest | UnsupportedMedia):
        return CANNOT_UNDERSTAND
    if isinstance(error, Conflict):
        keyword = error.detail.get("keyword") if isinstance(error.detail, dict) else None
        return OTHER_STUDY if keyword == "StudyInstanceUID" else REJECTED
    return PROCESSING_FAILURE


def answer(results: Iterable[Result], root: str) -> tuple[int, dict[str, Any]]:
    """Status code and response module (DICOM JSON) for the results of a request.

    200 when all are stored, 202 when some are, or with a warning; when none is, the status that all failures
    share, or 409.
    """
    everything = list(results)
    stored = [result for result in everything if not result.reason]
    failed = [result for result in everything if result.reason]
    module: dict[str, Any] = {}
    studies = {result.study for result in stored}
    if len(studies) == 1:
        module["00081190"] = _text("UR", root + Target(studies.pop()).path)

    def url_of(result: Result) -> str:
        return root + Target(result.study, result.series, result.sop_instance).path

    return _status(stored, failed), module | response_items(everything, url_of)


def response_items(results: Iterable[Result], url_of: Callable[[Result], str]) -> dict[str, Any]:
    """The sequences of the response module: what was stored and where it is, what failed and why."""
    everything = list(results)
    stored = [result for result in everything if not result.reason]
    failed = [result for result in everything if result.reason]
    module: dict[str, Any] = {}
    named = [_failed(result) for result in failed if result.sop_instance]
    nameless = [_with_reason({}, result) for result in failed if not result.sop_instance]
    for tag, items in (
        ("00081198", named),
        ("00081199", [_stored(result, url_of(result)) for result in stored]),
        ("0008119A", nameless),
    ):
        if items:
            module[tag] = {"vr": "SQ", "Value": items}
    return module


def _status(stored: list[Result], failed: list[Result]) -> int:
    if not failed and not any(result.warning for result in stored):
        return 200
    if stored:
        return 202
    statuses = {result.status for result in failed}
    return statuses.pop() if len(statuses) == 1 else 409


def _stored(result: Result, url: str) -> dict[str, Any]:
    item = {**_reference(result), "00081190": _text("UR", url)}
    if result.warning:
        item["00081196"] = {"vr": "US", "Value": [result.warning]}
    return item


def _failed(result: Result) -> dict[str, Any]:
    return _with_reason(_reference(result), result)


def _with_reason(item: dict[str, Any], result: Result) -> dict[str, Any]:
    item["00081197"] = {"vr": "US", "Value": [result.reason]}
    if result.comment:
        item["00000902"] = _text("LO", result.comment[:64])
    return item


def _reference(result: Result) -> dict[str, Any]:
    return {"00081150": _text("UI", result.sop_class), "00081155": _text("UI", result.sop_instance)}


def _text(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}
