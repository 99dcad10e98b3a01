"""Results of a search as DICOM JSON (PS3.18 F.2, 10.6.3): which attributes, and index rows as elements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from isocenter.dicom.attributes import COMPUTED, INDEX, is_indexed, level_of, lookup, path_of
from isocenter.dicom.levels import Level
from isocenter.dicom.uids import clean
from isocenter.dicomweb.paths import Target

Row = Mapping[str, Any]
Element = dict[str, Any]

# Tables 10.6.3-3, -4 and -5: what a result holds without being asked. Charset, RetrieveURL,
# InstanceAvailability and AvailableTransferSyntaxUID are not of the index and are added in `element_set`.
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
DEFAULT: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ModalitiesInStudy",
        "ReferringPhysicianName",
        "TimezoneOffsetFromUTC",
        *_PATIENT,
        "StudyInstanceUID",
        "StudyID",
        "StudyDescription",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "Modality",
        "SeriesDescription",
        "SeriesInstanceUID",
        "SeriesNumber",
        "NumberOfSeriesRelatedInstances",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
    ),
    Level.INSTANCE: (
        "SOPClassUID",
        "SOPInstanceUID",
        "InstanceNumber",
        "Rows",
        "Columns",
        "BitsAllocated",
        "NumberOfFrames",
    ),
}
# In these VRs a backslash is part of the value (PS3.5 6.2).
_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})
_INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "SV", "UV", "US or SS"})
_DECIMALS = frozenset({"DS", "FL", "FD"})
# Attributes of results that no object holds.
OF_THIS_SERVICE = frozenset(
    {"SpecificCharacterSet", "InstanceAvailability", "RetrieveURL", "AvailableTransferSyntaxUID"}
)
_CHARSET = {"vr": "CS", "Value": ["ISO_IR 192"]}
_ONLINE = {"vr": "CS", "Value": ["ONLINE"]}


def names_of(level: Level, target: Target, asked: Iterable[str], *, everything: bool = False) -> list[str]:
    """The names that results at `level` hold, those of upper levels that the path does not fix included.

    Args:
        level: of the results.
        target: what the path names: a relational query returns the levels above as well (10.6.3.1).
        asked: keys and included fields.
        everything: `includefield=all`.
    """
    names: list[str] = []
    for upper in (*level.above, level):
        if upper is Level.PATIENT:
            continue
        if upper is level or target.level is None or upper not in target.level.and_above:
            names.extend(DEFAULT[upper])
        names.append(upper.unique_key)
    if everything:
        for upper in level.and_above:
            names.extend((*INDEX[upper], *COMPUTED[upper]))
    names.extend(name for name in asked if level_of(name) in level.and_above)
    return list(dict.fromkeys(names))


def names_beyond(asked: Iterable[str]) -> list[str]:
    """The names among those asked for that the index does not hold, and that are no fact of this service."""
    return [name for name in asked if not is_indexed(name) and name not in OF_THIS_SERVICE]


def add_from(
    document: Mapping[str, Any], made: dict[str, Element], names: Iterable[str]
) -> dict[str, Element]:
    """A result with the named attributes of an instance's DICOM JSON besides; what it lacks comes empty.

    A private attribute comes with its creator's element (PS3.18 10.6.3.3).
    """
    for name in names:
        _take(document, made, list(path_of(name)))
    return dict(sorted(made.items()))


def _take(document: Mapping[str, Any], made: dict[str, Element], path: list[str]) -> None:
    attribute = lookup(path[0])
    tag = attribute.tag_text
    if attribute.creator:
        creator = _creator_of(document, tag[:4], attribute.creator)
        if creator is None:
            return
        made[creator] = document[creator]
        tag = f"{tag[:4]}{creator[6:]}{tag[6:]}"
    element = document.get(tag)
    if len(path) == 1 or element is None:
        made[tag] = dict(element or {"vr": attribute.vr if len(attribute.vr) == 2 else "UN"})
        return
    items = made.setdefault(tag, {"vr": "SQ"}).setdefault("Value", [])
    for place, item in enumerate(element.get("Value") or ()):
        if place == len(items):
            items.append({})
        _take(item or {}, items[place], path[1:])


def _creator_of(document: Mapping[str, Any], group: str, creator: str) -> str | None:
    """The tag of the element that reserves a block for a private creator (PS3.5 7.8.1)."""
    for block in range(0x10, 0x100):
        tag = f"{group}00{block:02X}"
        found = document.get(tag)
        if found and str((found.get("Value") or ("",))[0] or "").strip() == creator:
            return tag
    return None


def element_set(
    row: Row, level: Level, names: Iterable[str], root: str, syntaxes: Iterable[str] = ()
) -> dict[str, Element]:
    """One result: the named attributes of a row of the index, in order of their tags.

    Args:
        row: of the index.
        level: of the result.
        names: which attributes.
        root: URL of the service.
        syntaxes: the transfer syntaxes of what is below, where they were asked for above the instance.
    """
    made: dict[str, Element] = {"00080005": dict(_CHARSET), "00080056": dict(_ONLINE)}
    for name in names:
        _put(made, name.split("."), row.get(name))
    study, series = str(row.get("StudyInstanceUID") or ""), str(row.get("SeriesInstanceUID") or "")
    below = Target(study, series if level is not Level.STUDY else "")
    if level is Level.INSTANCE:
        below = Target(study, series, str(row.get("SOPInstanceUID") or ""))
        syntaxes = [clean(str(row.get("_transfer_syntax") or ""))]
    if known := [one for one in syntaxes if one]:
        made["00083002"] = {"vr": "UI", "Value": known}
    made["00081190"] = {"vr": "UR", "Value": [root + below.path]}
    return dict(sorted(made.items()))


def element(name: str, value: object) -> Element:
    """An index value (text with backslashes between values, or a number) as a DICOM JSON element."""
    vr = lookup(name).vr
    vr = "US" if vr == "US or SS" else vr
    values = [shaped for part in _values(vr, value) if (shaped := _shaped(vr, part)) is not None]
    while values and values[-1] == "":
        values.pop()
    return {"vr": vr, "Value": [None if one == "" else one for one in values]} if values else {"vr": vr}


def _put(made: dict[str, Element], path: list[str], value: object) -> None:
    tag = _tag(path[0])
    if len(path) == 1:
        made[tag] = element(path[0], value)
        return
    holder = made.setdefault(tag, {"vr": "SQ"})
    values = _values("", value)
    items = holder.setdefault("Value", []) if values else []  # the n-th value is of the n-th item
    for place, part in enumerate(values):
        if place == len(items):
            items.append({})
        _put(items[place], path[1:], part)


def _values(vr: str, value: object) -> list[object]:
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and vr not in _ONE_VALUE:
        return list(value.split("\\"))
    return [value]


def _shaped(vr: str, value: object) -> object:
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("="), strict=False)
        return {name: text for name, text in groups if text} or ""
    if vr in _INTEGERS or vr in _DECIMALS:
        return _number(vr, value)
    return str(value).strip(" \0") if vr not in _ONE_VALUE else str(value).rstrip(" \0")


def _number(vr: str, value: object) -> object:
    """A JSON number; text that is none stays text, as PS3.18 F.2.3.1 allows for DS and IS."""
    if isinstance(value, int | float):
        return value
    text = str(value).strip(" \0")
    if not text:
        return ""
    try:
        return int(text) if vr in _INTEGERS else _finite(float(text))
    except ValueError:
        return text if vr in ("IS", "DS") else None


def _finite(number: float) -> float:
    if number - number != 0:
        raise ValueError("not finite")
    return number


@lru_cache(maxsize=4096)
def _tag(name: str) -> str:
    return lookup(name).tag_text
