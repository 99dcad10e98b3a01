"""What DuckDB says of a user's SQL, in words that help: the nearest table, column or function.

Not here: which SQL is taken (`statements`), running it (`sandbox`).
"""

from __future__ import annotations

import re

from isocenter.dicom.attributes import find, nearest
from isocenter.errors import InvalidQuery, IsocenterError

OFFERED = ("instances", "series", "studies", "volumes")
"""The tables that a user's SQL may name."""

_UNKNOWN = re.compile(
    r'Referenced column "(?P<name>[^"]+)" not found|does not have a column named "(?P<other>[^"]+)"'
)
_CANDIDATES = re.compile(r'Candidate bindings: (".*)', re.DOTALL)
_MEANT = re.compile(r'Did you mean "([^"]+)"')


def table_hint(name: str, known: tuple[str, ...]) -> str:
    """What to write in place of a table that is not there."""
    near = nearest(name, tuple(dict.fromkeys((*known, *OFFERED))))
    listed = f"tables: {', '.join(sorted({*known, *OFFERED}))}"
    return f"did you mean {near[0]}? {listed}" if near else listed


def clearer(error: IsocenterError) -> IsocenterError:
    """The error, with the nearest name as hint where it is about an unknown column or function."""
    if not isinstance(error, InvalidQuery) or error.hint:
        return error
    found = _UNKNOWN.search(error.message)
    if found is not None:
        return _column(found["name"] or found["other"], error.message)
    meant = _MEANT.search(error.message)
    if meant is None:
        return error
    first = error.message.partition("\n")[0]
    return InvalidQuery(first, hint=f"did you mean {meant[1]}?", detail=error.detail)


def _column(name: str, message: str) -> InvalidQuery:
    attribute = find(name)
    if attribute is not None and attribute.keyword == name:
        if attribute.vr == "SQ":
            hint = f"a sequence is in the column json: json_extract(json, '$.\"{attribute.tag_text}\"')"
            return InvalidQuery(f"{name} has no column", hint=hint)
        return InvalidQuery(f"There is no column {name!r}: no instance here has this attribute")
    told = _CANDIDATES.search(message)
    here = tuple(re.findall(r'"([^"]+)"', told[1])) if told is not None else ()
    near = nearest(name, here) or [one for one in nearest(name) if one] or list(here[:1])
    hint = f"did you mean {' or '.join(near)}?" if near else "archive.columns() lists them"
    return InvalidQuery(f"There is no column {name!r}", hint=hint)
