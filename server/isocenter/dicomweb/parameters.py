"""Query parameters of QIDO-RS (PS3.18 8.3.4 and 10.6.1.2) as one checked value.

What is not known is set aside and told by a Warning, never refused: servers differ, and clients send to all
of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from isocenter.dicom.attributes import find, path_of
from isocenter.dicom.matching import QIDO, KeyValue, Rules
from isocenter.errors import BadRequest

FUZZY_WARNING = "The fuzzymatching parameter is not supported. Only literal matching has been performed."

_SWITCHES = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_NOT_KEYS = frozenset({"limit", "offset", "includefield", "accept", "charset", *_SWITCHES})


@dataclass(frozen=True)
class Search:
    """A search as asked.

    Attributes:
        keys: name of the attribute (keyword, or dotted path of keywords) to what it must match.
        include: names asked for with `includefield`; `all` is `include_all`.
        limit: most results, None for all.
        offset: results to leave out at the start.
        rules: how keys are read.
        warnings: texts of `Warning: 299`.
    """

    keys: Mapping[str, KeyValue] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    rules: Rules = QIDO
    warnings: tuple[str, ...] = ()


def parse_search(arguments: Mapping[str, Iterable[str]]) -> Search:
    """The search that query parameters (name to values) ask for.

    Raises:
        BadRequest: `limit`, `offset` or a switch has no such value.
    """
    given = {name: list(values) for name, values in arguments.items()}
    keys, unknown = _keys(given)
    include, include_all, unknown_fields = _fields(given.get("includefield", []))
    warnings = []
    if unknown:
        warnings.append("These parameters are unknown and were ignored: " + ", ".join(unknown))
    if unknown_fields:
        warnings.append("These fields are unknown and were not included: " + ", ".join(unknown_fields))
    if _switch(given, "fuzzymatching", False):
        warnings.append(FUZZY_WARNING)
    rules = replace(
        QIDO,
        empty_value=_switch(given, "emptyvaluematching", QIDO.empty_value),
        multiple_values=_switch(given, "multiplevaluematching", QIDO.multiple_values),
    )
    limit, offset = _number(given, "limit"), _number(given, "offset") or 0
    return Search(keys, include, include_all, limit, offset, rules, tuple(warnings))


def canonical(name: str) -> str | None:
    """The dotted name as the index spells it, from keywords, tags or both; None when it is unknown."""
    found = [find(part) for part in path_of(name)]
    return None if None in found else ".".join(one.name for one in found if one)


def _keys(given: Mapping[str, list[str]]) -> tuple[dict[str, KeyValue], list[str]]:
    keys: dict[str, KeyValue] = {}
    unknown = []
    for name, values in given.items():
        if name in _NOT_KEYS:
            continue
        known = canonical(name)
        if known is None:
            unknown.append(name)
        else:
            # The same key twice is a list: either value matches (PS3.4 C.2.2.2.8).
            keys[known] = "\\".join(values)
    return keys, unknown


def _fields(values: Iterable[str]) -> tuple[tuple[str, ...], bool, list[str]]:
    names: list[str] = []
    unknown: list[str] = []
    everything = False
    for name in (part.strip() for value in values for part in _fields_of(value)):
        if name.lower() == "all":
            everything = True
        elif name:
            known = canonical(name)
            (unknown if known is None else names).append(known or name)
    return tuple(dict.fromkeys(names)), everything, unknown


def _fields_of(value: str) -> list[str]:
    """A list cut at commas, unless it is one private name, which has commas of its own."""
    return value.split(",") if canonical(value.strip()) is None else [value]


def _number(given: Mapping[str, list[str]], name: str) -> int | None:
    values = [value.strip() for value in given.get(name, []) if value.strip()]
    if not values:
        return None
    if not (values[-1].isascii() and values[-1].isdecimal() and len(values[-1]) < 16):
        raise BadRequest(f"{name} is a whole number, not {values[-1][:20]!r}")
    return int(values[-1])


def _switch(given: Mapping[str, list[str]], name: str, default: bool) -> bool:
    values = [value.strip().lower() for value in given.get(name, [])]
    if not values:
        return default
    if values[-1] not in ("true", "false"):
        raise BadRequest(f"{name} is true or false, not {values[-1][:20]!r}")
    return values[-1] == "true"
