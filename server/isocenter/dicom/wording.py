"""A predicate as query text: for displays, logs of ours and the command line; `expression.parse` reads it.

Standard library only: the client imports it.
"""

from __future__ import annotations

import re

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
)

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9._:+-]*|\d+(\.\d+){2,}").fullmatch
_WORDS = frozenset(
    {"and", "or", "not", "in", "is", "null", "like", "ilike", "between", "has", "true", "false"}
)


def to_text(predicate: Predicate) -> str:
    """The query text of a tree; what `parse` makes of it holds for the same instances."""
    return "" if isinstance(predicate, Everything) else _text(predicate)


def _text(predicate: Predicate) -> str:
    match predicate:
        case Everything() | And(()):
            return "true"
        case Or(()):
            return "false"
        case And(terms) | Or(terms):
            return _joined(predicate, terms)
        case Not(term):
            return f"not ({_text(term)})"
        case Exists(path, term):
            return f"{_name(path)} has ({_text(term)})"
        case IsNull(path):
            return f"{_name(path)} is null"
        case Equal(path, value, fold):
            return f"{_name(path)} ilike {_quoted(value)}" if fold else f"{_name(path)} = {_quoted(value)}"
        case OneOf(path, listed, True):
            return " or ".join(f"{_name(path)} ilike {_quoted(value)}" for value in listed)
        case OneOf(path, listed):
            return f"{_name(path)} in ({', '.join(map(_quoted, listed))})"
        case Like(path, pattern, fold):
            return f"{_name(path)} {'ilike' if fold else 'like'} {_quoted(pattern)}"
        case DateTimeRange(date, _, None, None):
            return f"not ({_name(date)} is null)"
        case DateTimeRange(date, time, low, high):
            return _interval(f"{_name(date)}+{_name(time)}", low, high)
        case Range(path, low, high, low_open, high_open):
            return _interval(_name(path), low, high, low_open, high_open)
    raise TypeError(f"{type(predicate).__name__} is no predicate")


def _joined(predicate: Predicate, terms: tuple[Predicate, ...]) -> str:
    word = " and " if isinstance(predicate, And) else " or "
    return word.join(f"({_text(t)})" if isinstance(t, (And, Or, OneOf)) else _text(t) for t in terms)


def _interval(name: str, low: object, high: object, low_open: bool = False, high_open: bool = False) -> str:
    if low is not None and high is not None:
        above, below = ">" * low_open, "<" * high_open
        return f"{name} between {above}{_quoted(low)} and {below}{_quoted(high)}"
    if low is not None:
        return f"{name} {'>' if low_open else '>='} {_quoted(low)}"
    if high is not None:
        return f"{name} {'<' if high_open else '<='} {_quoted(high)}"
    return f"not ({name} is null)"


def _name(path: Path) -> str:
    return ".".join(f"[{name}]" if "," in name else name for name in path)


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    if _BARE(value) and value.lower() not in _WORDS:
        return value
    return '"' + value.replace('"', '""') + '"'
