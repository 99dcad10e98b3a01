"""One comparison of one attribute as SQL, by the shape of its columns.

SQLite and PostgreSQL differ here only: patterns, positions in text, lists as one parameter, collation.
Not here: which row the value belongs to (`conditions`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from isocenter.dicom import values
from isocenter.dicom.predicate import Equal, IsNull, Like, OneOf, Predicate, Range, Scalar
from isocenter.dicom.uids import key_of
from isocenter.errors import InvalidValue
from isocenter.index.columns import Column, clock, wall_clock
from isocenter.index.database import Dialect

_VR = {"date": "DA", "time": "TM", "datetime": "DT"}


class Unsupported(InvalidValue):
    """The index cannot answer this; the catalog can."""


class Fragment(NamedTuple):
    """A piece of SQL and its parameters, in order."""

    sql: str
    params: list[Any]


class Place(Protocol):
    """The columns of one value: as sent, and as compared."""

    @property
    def sent(self) -> str:
        """The value as it was sent."""
        ...

    @property
    def compared(self) -> str:
        """The value as ranges and order use it."""
        ...


NEVER = Fragment("1 = 0", [])


def compare(dialect: Dialect, term: Predicate, column: Column, place: Place) -> Fragment:
    """A leaf of the tree as SQL.

    Raises:
        InvalidValue: the value does not fit the attribute.
        Unsupported: the index cannot answer it.
    """
    match term:
        case IsNull():
            return Fragment(f"{place.sent} IS NULL", [])
        case Equal(_, value, fold):
            return _equal(dialect, column, place, value, fold)
        case OneOf(_, wanted, fold):
            return _one_of(dialect, column, place, wanted, fold)
        case Like(_, pattern, fold):
            return _like(dialect, column, place, pattern, fold)
        case Range():
            return _range(column, place, term)
    raise Unsupported(f"{type(term).__name__} is no comparison")


def same_uid(dialect: Dialect, key: str, uid: str, wanted: Sequence[Scalar]) -> Fragment:
    """A unique key is one of these: found by its 64-bit key, then compared as text."""
    texts = [str(value).strip(" \0") for value in wanted]
    if not texts:
        return NEVER
    if len(texts) == 1:
        return Fragment(f"({key} = ? AND {uid} = ?)", [key_of(texts[0]), texts[0]])
    keys = _among(dialect, key, [key_of(text) for text in texts], "bigint")
    # Both lists on one index would be tried in every combination: the plus keeps SQLite from it.
    uids = _among(dialect, f"+{uid}" if dialect == "sqlite" else uid, texts, "text")
    return Fragment(f"({keys.sql} AND {uids.sql})", keys.params + uids.params)


def moments(day: str, time: str, low: str | None, high: str | None) -> Fragment:
    """A date and its time, as one moment, lie in a range; a date without time when its day touches it."""
    first, last = _bounds("DT", low, high, False, False, "the date and time")
    parts, params = [f"{day} IS NOT NULL"], []
    if first is not None:
        parts.append(f"{day} >= ? AND {day} || COALESCE({time}, '235959.999999') >= ?")
        params += [first[:8], first]
    if last is not None:
        parts.append(f"{day} <= ? AND {day} || COALESCE({time}, '000000.000000') <= ?")
        params += [last[:8], last]
    return Fragment(f"({' AND '.join(parts)})", params)


# -- equality ------------------------------------------------------------------------------------------


def _equal(dialect: Dialect, column: Column, place: Place, value: Scalar, fold: bool) -> Fragment:
    shape = column.shape
    if shape in ("integer", "decimal"):
        return Fragment(f"{place.compared} = ?", [_number(column, value)])
    if shape in _VR:
        return _within(column, place, Range((column.name,), value, value))
    text = str(value).strip(" \0")
    if shape == "name":
        return _contains(dialect, place.compared, values.fold_name(text))
    if not text or (column.multiple and "\\" in text):
        return NEVER
    sent = place.sent
    if fold and shape == "text":
        sent, text = _folded(dialect, column, sent), values.fold(text)
    if column.multiple:
        return _contains(dialect, f"('\\' || {sent} || '\\')", f"\\{text}\\")
    return Fragment(f"{sent} = ?", [text])


def _one_of(dialect: Dialect, column: Column, place: Place, wanted: Sequence[Scalar], fold: bool) -> Fragment:
    if column.shape in ("text", "uid") and not column.multiple and not fold:
        texts = [text for text in (str(value).strip(" \0") for value in wanted) if text]
        return _among(dialect, place.sent, texts, "text")
    each = [_equal(dialect, column, place, value, fold) for value in wanted]
    return _any(each)


def _any(parts: Sequence[Fragment]) -> Fragment:
    if not parts:
        return NEVER
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = _any(parts[:half]), _any(parts[half:])
    return Fragment(f"({left.sql} OR {right.sql})", left.params + right.params)


def _among(dialect: Dialect, column: str, wanted: Sequence[Any], kind: str) -> Fragment:
    """Membership with one parameter, however long the list."""
    if not wanted:
        return NEVER
    if dialect == "sqlite":
        return Fragment(f"{column} IN (SELECT value FROM json_each(?))", [json.dumps(list(wanted))])
    return Fragment(f"{column} = ANY(?::{kind}[])", [list(wanted)])


def _contains(dialect: Dialect, text: str, part: str) -> Fragment:
    function = "instr" if dialect == "sqlite" else "strpos"
    return Fragment(f"{function}({text}, ?) > 0", [part])


def _folded(dialect: Dialect, column: Column, text: str) -> str:
    if dialect != "sqlite":
        raise Unsupported(f"PostgreSQL cannot fold {column.name} as we do")
    return f"fold({text})"


# -- patterns ------------------------------------------------------------------------------------------


def _like(dialect: Dialect, column: Column, place: Place, pattern: str, fold: bool) -> Fragment:
    if column.shape == "name":
        wanted = f"*{values.fold_name(pattern)}*"
        return _pattern(dialect, column, place.compared, wanted)
    if column.shape in ("integer", "decimal"):
        raise Unsupported(f"{column.name} holds numbers, which no pattern describes")
    sent, wanted = place.sent, pattern.strip(" \0")
    if fold and column.shape == "text":
        sent, wanted = _folded(dialect, column, sent), values.fold(pattern)
    return _pattern(dialect, column, sent, wanted)


def _pattern(dialect: Dialect, column: Column, text: str, pattern: str) -> Fragment:
    if column.multiple and "\\" in pattern:
        return NEVER
    if column.multiple:
        # No `*` may reach over a backslash into the next value.
        regex = "".join({"*": r"[^\\]*", "?": r"[^\\]"}.get(c) or re.escape(c) for c in pattern)
        anchored = rf"(^|\\){regex}($|\\)"
        if dialect == "sqlite":
            return Fragment(f"regexp(?, {text})", [anchored])
        return Fragment(f"{text} ~ ?", [anchored])
    if dialect == "sqlite":
        return Fragment(f"{text} GLOB ?", [pattern.replace("[", "[[]")])
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return Fragment(f"{text} LIKE ?", [escaped.replace("*", "%").replace("?", "_")])


# -- ranges --------------------------------------------------------------------------------------------


def _range(column: Column, place: Place, term: Range) -> Fragment:
    if column.shape in _VR:
        return _within(column, place, term)
    if column.multiple or column.shape == "name":
        raise Unsupported(f"The index has no order for {column.name}")
    where = place.compared
    if column.shape not in ("integer", "decimal", "age"):
        where = place.sent
    low, high = (None if bound is None else _bound(column, bound) for bound in (term.low, term.high))
    return _between(where, low, high, term.low_open, term.high_open)


def _within(column: Column, place: Place, term: Range) -> Fragment:
    low, high = (None if bound is None else str(bound) for bound in (term.low, term.high))
    bounds = _bounds(_VR[column.shape], low, high, term.low_open, term.high_open, column.name)
    return _between(place.compared, *bounds, False, False)


def _between(where: str, low: Any, high: Any, low_open: bool, high_open: bool) -> Fragment:
    parts, params = [], []
    if low is not None:
        parts.append(f"{where} {'>' if low_open else '>='} ?")
        params.append(low)
    if high is not None:
        parts.append(f"{where} {'<' if high_open else '<='} ?")
        params.append(high)
    if not parts:
        return Fragment(f"{where} IS NOT NULL", [])
    return Fragment(f"({' AND '.join(parts)})" if len(parts) > 1 else parts[0], params)


def _bounds(
    vr: str, low: str | None, high: str | None, low_open: bool, high_open: bool, name: str
) -> tuple[str | None, str | None]:
    try:
        first, last = values.interval(vr, low, high, low_open=low_open, high_open=high_open)
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"{name} cannot be compared: {error}") from None
    return _sortable(first), _sortable(last)


def _sortable(bound: Any) -> str | None:
    if bound is None:
        return None
    if isinstance(bound, datetime):
        return wall_clock(bound)
    if isinstance(bound, date):
        return values.format_date(bound)
    return clock(bound) if 0 <= bound < values.DAY else ("" if bound < 0 else "9")


def _bound(column: Column, value: Scalar) -> Scalar:
    if column.shape == "age":
        return _age(column, value)
    return _number(column, value) if column.shape in ("integer", "decimal") else str(value).strip()


def _number(column: Column, value: Scalar) -> int | float:
    try:
        number = value if not isinstance(value, str) else _parsed(value)
    except ValueError:
        raise InvalidValue(f"{column.name} is compared with numbers") from None
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        return float(number)
    return number


def _parsed(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return values.parse_decimal(text)


def _age(column: Column, value: Scalar) -> float:
    try:
        return values.parse_age(str(value))
    except ValueError as error:
        raise InvalidValue(f"{column.name} cannot be compared: {error}") from None
