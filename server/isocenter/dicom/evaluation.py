"""A predicate tree against one instance in the DICOM JSON model (PS3.18 F): the reference evaluation.

Slow and plain on purpose; SQL engines are tested against it, rule filters use it on one header.
Not here: what the operators mean (documented in `predicate`). Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from isocenter.dicom import values
from isocenter.dicom.attributes import is_own_column, lookup
from isocenter.dicom.predicate import (
    And,
    DateTimeRange,
    Equal,
    Everything,
    Exists,
    IsNull,
    Like,
    Not,
    OneOf,
    Or,
    Path,
    Predicate,
    Range,
    Scalar,
)

Item = Mapping[str, Any]

_NAME_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})


def evaluate(predicate: Predicate, item: Item) -> bool:
    """Whether the item (a whole instance, or an item of a sequence) satisfies the tree."""
    match predicate:
        case Everything():
            return True
        case And(terms):
            return all(evaluate(term, item) for term in terms)
        case Or(terms):
            return any(evaluate(term, item) for term in terms)
        case Not(term):
            return not evaluate(term, item)
        case Exists(path, term):
            return any(evaluate(term, inner) for inner in _items(item, path))
        case IsNull(path):
            return not any(True for _ in _present(item, path))
        case DateTimeRange():
            return _within(predicate, item)
    return _compare(predicate, item)


def _compare(predicate: Predicate, item: Item) -> bool:
    match predicate:
        case Equal(path, value, fold):
            test = _equal(path, value, fold)
        case OneOf(path, wanted, fold):
            tests = [_equal(path, value, fold) for value in wanted]
            return any(test(found) for found in values_at(item, path) for test in tests)
        case Like(path, pattern, fold):
            test = _like(path, pattern, fold)
        case Range():
            path, test = predicate.path, _between(predicate)
        case _:
            raise TypeError(f"{type(predicate).__name__} is no predicate")
    return any(test(found) for found in values_at(item, path))


def values_at(item: Item, path: Path) -> Iterator[Scalar]:
    """Every value at the path, blanks left out; the groups of a person name joined by `=`."""
    for value in _present(item, path):
        if not isinstance(value, Mapping):
            yield value


def _present(item: Item, path: Path) -> Iterator[Any]:
    """What is at the path: values, items of a sequence, and bulk data as a mapping."""
    for inner in _items(item, path[:-1]):
        element = _element(inner, path[-1])
        if isinstance(element, Mapping):
            yield from (element for key in ("InlineBinary", "BulkDataURI") if key in element)
            found: Iterator[Any] = map(_plain, element.get("Value") or ())
        else:
            found = iter((element,))
        yield from (value for value in found if value is not None and str(value).strip(" \0"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and not _NAME_GROUPS.isdisjoint(value):
        groups = (value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return value


def _items(item: Item, path: Path) -> Iterator[Item]:
    if not path:
        yield item
        return
    element = _element(item, path[0])
    for inner in (element or {}).get("Value") or ():
        if isinstance(inner, Mapping):
            yield from _items(inner, path[1:])


def _element(item: Item, name: str) -> Any:
    if is_own_column(name):
        return item.get(name)
    attribute = lookup(name)
    if not attribute.creator:
        return item.get(attribute.tag_text)
    group = f"{attribute.tag >> 16:04X}"
    for block in range(0x10, 0x100):
        owner = item.get(f"{group}00{block:02X}")
        if owner and str((owner.get("Value") or [""])[0]).strip() == attribute.creator:
            return item.get(f"{group}{block:02X}{attribute.tag & 0xFF:02X}")
    return None


# -- one value -----------------------------------------------------------------------------------------

Test = Callable[[Scalar], bool]


def _kind(path: Path, value: Scalar | None) -> values.Kind:
    """How values at the path compare: by the dictionary; where it is silent, by the query's value."""
    name = path[-1]
    vr = "UN" if is_own_column(name) else lookup(name).vr
    if vr == "UN":
        return "text" if isinstance(value, str) else "number"
    return values.kind(vr)


def _equal(path: Path, value: Scalar, fold: bool) -> Test:
    of = _kind(path, value)
    if of == "number":
        return _numeric(lambda number: number == values_number(value))
    if of in ("date", "time", "datetime"):
        return _between(Range(path, value, value))
    if of == "name":
        key = values.fold_name(str(value))
        return lambda found: key in values.fold_name(str(found))
    if of == "text" and fold:
        return lambda found: values.fold(str(found)) == values.fold(str(value))
    return lambda found: str(found).strip(" \0") == str(value).strip(" \0")


def _like(path: Path, pattern: str, fold: bool) -> Test:
    of = _kind(path, pattern)
    if of == "name":
        wanted = _regex(values.fold_name(pattern))
        return lambda found: wanted.search(values.fold_name(str(found))) is not None
    if of == "text" and fold:
        folded = _regex(values.fold(pattern))
        return lambda found: folded.fullmatch(values.fold(str(found))) is not None
    plain = _regex(pattern.strip(" \0"))
    return lambda found: plain.fullmatch(str(found).strip(" \0")) is not None


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(c) or re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _between(wanted: Range) -> Test:
    low, high = wanted.low, wanted.high
    of = _kind(wanted.path, high if low is None else low)
    if of in ("date", "time", "datetime"):
        return _in_interval(wanted, of)
    if of == "number":
        first, last = (None if bound is None else values_number(bound) for bound in (low, high))
        return _numeric(lambda n: _ordered(first, n, wanted.low_open) and _ordered(n, last, wanted.high_open))
    if of == "age":
        ages = [None if bound is None else values.parse_age(str(bound)) for bound in (low, high)]
        return _parsed(
            values.parse_age,
            lambda n: _ordered(ages[0], n, wanted.low_open) and _ordered(n, ages[1], wanted.high_open),
        )
    fold = values.fold if of == "name" else str.strip
    texts = [None if bound is None else fold(str(bound)) for bound in (low, high)]
    return lambda found: (
        _ordered(texts[0], fold(str(found)), wanted.low_open)
        and _ordered(fold(str(found)), texts[1], wanted.high_open)
    )


def _in_interval(wanted: Range, of: values.Kind) -> Test:
    vr = lookup(wanted.path[-1]).vr
    low, high = (None if bound is None else str(bound) for bound in (wanted.low, wanted.high))
    first, last = values.interval(vr, low, high, low_open=wanted.low_open, high_open=wanted.high_open)

    def start(text: str) -> Any:
        if of == "date":
            return values.parse_date(text)
        return values.parse_time(text) if of == "time" else values.parse_datetime(text).low

    return _parsed(start, lambda n: _ordered(first, n, False) and _ordered(n, last, False))


def _ordered(low: Any, high: Any, strictly: bool) -> bool:
    """Whether low comes before high; None is an open end."""
    if low is None or high is None:
        return True
    return bool(low < high or (low == high and not strictly))


def values_number(value: Scalar) -> int | float:
    """The number a value is; ValueError for text that is none."""
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        return values.parse_decimal(value)


def _numeric(test: Callable[[int | float], bool]) -> Test:
    return _parsed(values_number, test, raw=True)


def _parsed(parse: Callable[[Any], Any], test: Callable[[Any], bool], *, raw: bool = False) -> Test:
    """A test of the parsed value; a stored value that cannot be parsed satisfies nothing."""

    def of(found: Scalar) -> bool:
        try:
            value = parse(found if raw else str(found))
        except (ValueError, OverflowError):
            return False
        return test(value)

    return of


def _within(wanted: DateTimeRange, item: Item) -> bool:
    day = next(_each(values.parse_date, item, wanted.date_path), None)
    if day is None:
        return False
    moment = next(_each(values.parse_time, item, wanted.time_path), None)
    low, high = values.interval("DT", wanted.low, wanted.high)
    times = (0, values.DAY - 1) if moment is None else (moment, moment)
    first, last = (values.moment(day, time) for time in times)
    return _ordered(low, last, False) and _ordered(first, high, False)


def _each(parse: Callable[[str], Any], item: Item, path: Path) -> Iterator[Any]:
    for found in values_at(item, path):
        try:
            yield parse(str(found))
        except ValueError:
            continue
