"""Attribute matching (PS3.4 C.2.2.2): one key of a C-FIND identifier or a QIDO-RS query as a predicate.

Both services call this, so that both mean the same. Values are Unicode text (decode before), multiple
values joined by backslash; a sequence is a list of items, each a mapping of keys.

Not here: which keys a service supports, required keys, relational queries (those are the services').
Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Union

from isocenter.dicom import values
from isocenter.dicom.attributes import lookup, name_of_path, path_of
from isocenter.dicom.predicate import (
    DateTimeRange,
    Equal,
    Everything,
    Exists,
    IsNull,
    Like,
    OneOf,
    Path,
    Predicate,
    Range,
    all_of,
    any_of,
)
from isocenter.errors import InvalidValue

KeyValue = Union[str, Sequence[Mapping[str, "KeyValue"]]]  # noqa: UP007  (a recursive alias)


@dataclass(frozen=True, slots=True)
class Rules:
    """How keys are read; the extended negotiation of PS3.4 C.5.1 and our settings decide.

    fold_text: case- and accent-insensitive matching of all text, not of person names alone.
    fuzzy: semantic matching of person names (C.2.2.2.1.1): each word of the key occurs in the name, or the
        name is one of `names`.
    combined_datetime: a date key and its time key are one moment (C.2.2.2.5.4).
    empty_value: two quotation marks match what is absent or empty (C.2.2.2.7).
    multiple_values: backslash separates alternatives for every VR, not for UIDs alone (C.2.2.2.8).
    comma_lists: comma separates UIDs as well (PS3.18 8.3.4.1).
    names: who knows which stored names sound like the key of a path; it may block.
    """

    fold_text: bool = False
    fuzzy: bool = False
    combined_datetime: bool = False
    empty_value: bool = False
    multiple_values: bool = True
    comma_lists: bool = False
    names: Callable[[Path, str], tuple[str, ...]] | None = None


C_FIND = Rules()
QIDO = Rules(comma_lists=True, combined_datetime=True, empty_value=True)

DATE_TIME_PAIRS: dict[str, str] = {
    date: f"{date[:-4]}Time"
    for date in (
        "StudyDate",
        "SeriesDate",
        "AcquisitionDate",
        "ContentDate",
        "InstanceCreationDate",
        "PatientBirthDate",
        "PerformedProcedureStepStartDate",
        "PresentationCreationDate",
        "ScheduledProcedureStepStartDate",
    )
}
"""Date keys and the time keys that belong to them."""

_ONE_TEXT = frozenset({"LT", "ST", "UT", "UR"})  # a backslash in these is text
_WILD = re.compile(r"[*?]")
_ALL = re.compile(r"\*+").fullmatch


def match_all(keys: Mapping[str, KeyValue], rules: Rules = C_FIND) -> Predicate:
    """The predicate of a whole identifier: all keys match, date and time together where the rules say so.

    Args:
        keys: name (keyword, tag, private name or dotted path) to value; a sequence is a list of items.
        rules: how to read them.

    Raises:
        UnknownAttribute: a key that PS3.6 does not know.
        InvalidValue: a value that does not fit the VR of its key, naming the key.
    """
    apart = {name_of_path(_path(name)): value for name, value in keys.items()}
    terms: list[Predicate] = []
    if rules.combined_datetime:
        for date, time in DATE_TIME_PAIRS.items():
            day, moment = apart.get(date), apart.get(time)
            if isinstance(day, str) and isinstance(moment, str) and _both_said(day, moment):
                terms.append(combined(date, time, apart.pop(date), apart.pop(time)))
    return all_of([*terms, *(match(name, value, rules) for name, value in apart.items())])


def match(name: str, value: KeyValue, rules: Rules = C_FIND) -> Predicate:
    """The predicate of one key.

    Raises:
        UnknownAttribute: no such attribute.
        InvalidValue: the value does not fit the VR of the key, naming the key.
    """
    path = _path(name)
    if not isinstance(value, str):
        return _sequence(name, path, value, rules)
    vr = lookup(path[-1]).vr
    if vr == "SQ":
        return _sequence(name, path, [], rules) if not value.strip(" \0") else _refuse(name, vr, value)
    if vr not in _ONE_TEXT:
        value = value.strip(" \0")
    if not value.strip(" \0") or _ALL(value):
        return Everything()
    if rules.empty_value and value == '""':
        return IsNull(path)
    return _list(name, path, vr, value, rules)


def _path(name: str) -> Path:
    """The path of a key, every name in the spelling that engines know: QIDO may give tags."""
    return tuple(lookup(part).name for part in path_of(name))


def _list(name: str, path: Path, vr: str, value: str, rules: Rules) -> Predicate:
    """UID lists (C.2.2.2.2) and multiple values (C.2.2.2.8): some alternative matches."""
    parts = [value]
    if vr == "UI":
        parts = re.split(r"[\\,]" if rules.comma_lists else r"\\", value)
    elif rules.multiple_values and vr not in _ONE_TEXT:
        parts = value.split("\\")
    parts = [part for part in (part.strip(" \0") for part in parts) if part] or [value]
    if any(_ALL(part) for part in parts):
        return Everything()
    terms = [_one(name, path, vr, part, rules) for part in dict.fromkeys(parts)]
    same = [term for term in terms if isinstance(term, Equal)]
    if len(terms) > 1 and len(same) == len(terms):
        return OneOf(path, tuple(term.value for term in same), same[0].fold)
    return any_of(terms)


def _one(name: str, path: Path, vr: str, value: str, rules: Rules) -> Predicate:
    of = values.kind(vr)
    if of in ("date", "time", "datetime"):
        return _moment(name, path, vr, value)
    if of == "name":
        return _name(path, value, rules)
    fold = rules.fold_text and of == "text"
    if _WILD.search(value):
        return Like(path, value, fold) if of == "text" else _refuse(name, vr, value)
    return Equal(path, values.normal(vr, value, name), fold)


def _name(path: Path, value: str, rules: Rules) -> Predicate:
    if rules.fuzzy:
        words = [word for word in re.split(r"[\s^=,*?]+", value) if word]
        literal = all_of(Like(path, f"*{word}*") for word in words)
        sounding = rules.names(path, value) if rules.names is not None else ()
        return any_of([literal, OneOf(path, sounding)]) if sounding else literal
    if not _WILD.search(value):
        return Equal(path, value)
    family = value.removesuffix("^*")
    if family != value and not _WILD.search(family):
        return any_of([Equal(path, family), Like(path, value)])  # a name without a given name as well
    return Like(path, value)


def _refuse(name: str, vr: str, value: str) -> Predicate:
    if vr == "SQ":
        raise InvalidValue(f"{name} is a sequence and takes no text", hint="name a key inside its items")
    raise InvalidValue(
        f"Wild cards do not apply to {name} ({vr})", hint="give one value, or a range of dates"
    )


# -- dates, times, ranges (C.2.2.2.5) ------------------------------------------------------------------


def _moment(name: str, path: Path, vr: str, value: str) -> Predicate:
    low, high = _bounds(name, vr, value)
    if low is not None and low == high:
        return Equal(path, low)
    return Range(path, low, high)


def _bounds(name: str, vr: str, value: str) -> tuple[str | None, str | None]:
    """Both ends of a single value (the same twice) or a range, normalised; None is an open end."""
    single = _parses(vr, value)
    if single is not None:
        return single, single
    for at in (found.start() for found in re.finditer("-", value)):
        low, high = value[:at].strip(), value[at + 1 :].strip()
        ends = [None if not text else _parses(vr, text) for text in (low, high)]
        if (low or high) and not (low and ends[0] is None) and not (high and ends[1] is None):
            return ends[0], ends[1]
    raise InvalidValue(
        f"{name} is {vr}: {value[:40]!r} is neither a value nor a range",
        hint="write 20200131, 20200101-20200131, -20200131 or 20200101-"
        if vr == "DA"
        else _HINTS.get(vr, ""),
    )


_HINTS = {
    "TM": "write 1030, 1030-1145, -1145 or 1030-",
    "DT": "write 202001311030 or 20200131-20200201, with an offset such as +0100 if need be",
}


def _parses(vr: str, text: str) -> str | None:
    try:
        return str(values.normal(vr, text, ""))
    except InvalidValue:
        return None


def _both_said(day: str, moment: str) -> bool:
    """Whether date and time both restrict something that one interval can express."""
    return all(text.strip(" \0*") not in ("", '""') and "\\" not in text for text in (day, moment))


def combined(date_name: str, time_name: str, date_value: object, time_value: object) -> Predicate:
    """A date key and its time key as one moment (C.2.2.2.5.4).

    `20200131-20200202` with `1800-0600` is from 18:00 on the first day to 06:00 on the last.

    Raises:
        InvalidValue: naming the key whose value is neither a value nor a range.
    """
    first, last = _bounds(date_name, "DA", str(date_value).strip(" \0"))
    start, end = _bounds(time_name, "TM", str(time_value).strip(" \0"))
    low = None if first is None else first + (start or "")
    high = None if last is None else last + (end or "")
    return DateTimeRange(path_of(date_name), path_of(time_name), low, high)


# -- sequences (C.2.2.2.6) -----------------------------------------------------------------------------


def _sequence(name: str, path: Path, items: Sequence[Mapping[str, KeyValue]], rules: Rules) -> Predicate:
    """Some item matches all keys of the key's item; no item, or one of universal keys, matches all."""
    if lookup(path[-1]).vr not in ("SQ", "UN"):
        raise InvalidValue(f"{name} is no sequence", hint="give a text value")
    terms = [match_all(item, rules) for item in items]
    if not terms:
        return Everything()
    return any_of(_inside(path, term) for term in terms)


def _inside(path: Path, term: Predicate) -> Predicate:
    """`Exists`, or the longer path where that says the same: engines answer a path from one column."""
    if isinstance(term, Everything):
        return term
    if isinstance(term, (Equal, OneOf, Like)):
        return replace(term, path=path + term.path)
    return Exists(path, term)
