"""Query parameters of QIDO-RS (PS3.18 8.3.4 and 10.6.1.2) as one checked value.

What is not known is set aside and told by a Warning, never refused: servers differ, and clients send to all
of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from isocenter.archive.sounding import SOUNDING
from isocenter.dicom.attributes import find, lookup, path_of
from isocenter.dicom.matching import QIDO, KeyValue, Rules
from isocenter.errors import BadRequest

# PS3.18 8.3.4.2; said of person names that the index does not hold.
FUZZY_WARNING = "The fuzzymatching parameter is not supported. Only literal matching has been performed."

_SWITCHES = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_NOT_KEYS = frozenset({"limit", "offset", "includefield", "accept", "charset", "count", *_SWITCHES})


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
        count: whether the number of all matches is asked for.
    """

    keys: Mapping[str, KeyValue] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    rules: Rules = QIDO
    warnings: tuple[str, ...] = ()
    count: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What results must show besides their usual attributes."""
        return tuple(dict.fromkeys((*self.keys, *self.include)))

    def identifier(self) -> dict[str, KeyValue]:
        """The keys as an identifier: those inside one sequence are about one item (PS3.4 C.2.2.2.6)."""
        return _nested(self.keys)


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
    fuzzy = _switch(given, "fuzzymatching", False)
    if fuzzy and any(lookup(path_of(name)[-1]).vr == "PN" and name not in SOUNDING for name in keys):
        warnings.append(FUZZY_WARNING)
    rules = replace(
        QIDO,
        fuzzy=fuzzy,
        empty_value=_switch(given, "emptyvaluematching", QIDO.empty_value),
        multiple_values=_switch(given, "multiplevaluematching", QIDO.multiple_values),
    )
    return Search(
        keys,
        include,
        include_all,
        _number(given, "limit"),
        _number(given, "offset") or 0,
        rules,
        tuple(warnings),
        _switch(given, "count", False),
    )


def canonical(name: str) -> str | None:
    """The dotted name as the index spells it, from keywords, tags or both; None when it is unknown."""
    found = [find(part) for part in path_of(name)]
    return None if None in found else ".".join(one.name for one in found if one)


def _nested(keys: Mapping[str, KeyValue]) -> dict[str, KeyValue]:
    inside: dict[str, dict[str, KeyValue]] = {}
    for name, value in keys.items():
        sequence, *rest = path_of(name)
        if rest and str(value).strip(" \0*"):
            inside.setdefault(sequence, {})[".".join(rest)] = value
    several = {sequence: _nested(item) for sequence, item in inside.items() if len(item) > 1}
    alone = {name: value for name, value in keys.items() if path_of(name)[0] not in several}
    return alone | {sequence: [item] for sequence, item in several.items()}


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
