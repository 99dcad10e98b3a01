"""Names and values of a term as people write them, checked before they enter a predicate.

Text expressions and the client's `col` both pass through here, so a misspelt keyword or a value that does not
fit its VR is told where it was written and not by an empty answer.
Not here: DICOM matching keys (`matching`). Standard library only: the client imports it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from isocenter.dicom import values
from isocenter.dicom.attributes import is_own_column, lookup, name_of_path
from isocenter.dicom.predicate import Path, Scalar
from isocenter.errors import InvalidQuery

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?").fullmatch


def checked(path: Path) -> Path:
    """The path with every name known and in its canonical spelling.

    Raises:
        UnknownAttribute: naming the nearest keyword.
        InvalidQuery: something other than a sequence before a dot.
    """
    names = tuple(name if is_own_column(name) else lookup(name).name for name in path)
    for outer in names[:-1]:
        if is_own_column(outer) or lookup(outer).vr not in ("SQ", "UN"):
            raise InvalidQuery(f"{outer} is no sequence: nothing can follow its dot")
    return names


def kind_of(path: Path) -> values.Kind:
    """How values at the path compare; text where only the data knows (private, our columns)."""
    return "text" if is_own_column(path[-1]) else values.kind(lookup(path[-1]).vr)


def coerce(path: Path, value: object, *, quoted: bool = False) -> Scalar:
    """A value for comparing with the attribute at `path`, in the form that predicates hold.

    A private attribute or column of ours takes what it is given; bare text that reads as a number is one.

    Raises:
        InvalidValue: naming the attribute and what was expected.
    """
    name = path[-1]
    vr = "UN" if is_own_column(name) else lookup(name).vr
    if vr != "UN":
        return values.normal(vr, value, name_of_path(path))
    if isinstance(value, str):
        return values.normal("DS", value, name) if not quoted and _NUMBER(value) else value
    if isinstance(value, date):
        return _iso(value)
    if hasattr(value, "__index__") or hasattr(value, "__float__"):
        return values.normal("DS", value, name)
    return str(value)


def _iso(value: date) -> str:
    """A date or moment as our columns spell it in text: ISO 8601, UTC, without offset."""
    if not isinstance(value, datetime):
        return value.isoformat()
    utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return utc.isoformat(timespec="microseconds")
