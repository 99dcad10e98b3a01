"""The one query tree: every question asked of an archive, whoever asks, becomes one of these.

C-FIND and QIDO (through `matching`), text (through `expression`) and the client's `col` build it; the index,
the catalog and rule filters answer it. Trees are immutable, hashable, and travel as JSON.

Meaning, for every engine that evaluates a tree (`matches` is the reference):

- A *path* is a tuple of attribute names from the outermost sequence inwards; the last is compared.
- An attribute with several values, or met in several items, satisfies a term when any value does.
- A term about an absent or empty value is false; `Not` is its plain complement, so a negated
  `Equal` on Modality holds where there is no Modality (two-valued logic, unlike SQL's).
- Numbers compare as numbers, dates and times as the interval that the query's text covers, by the wall
  clock as sent; person names (PN) always, other text with `fold`, without case and accents
  (`values.fold_name`, `values.fold`); spaces around text do not count.
- Private attributes and columns of ours compare as numbers with a number, as text with a text.

Not here: SQL (index, catalog), nor values of VRs (`values`). Standard library only: the client imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from isocenter.errors import InvalidQuery

Path = tuple[str, ...]
Scalar = str | int | float

MAX_DEPTH = 64
"""Deepest tree that `from_json` accepts."""


class Predicate:
    """A condition on instances, series, studies or patients; combine with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: Predicate) -> Predicate:
        return all_of((self, other)) if isinstance(other, Predicate) else NotImplemented

    def __or__(self, other: Predicate) -> Predicate:
        return any_of((self, other)) if isinstance(other, Predicate) else NotImplemented

    def __invert__(self) -> Predicate:
        return self.term if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a condition is neither true nor false before it meets data: combine with & | ~ in place of "
            "and, or, not, put each comparison in parentheses, and write 1 < x < 2 as (x > 1) & (x < 2)"
        )


@dataclass(frozen=True, slots=True)
class Everything(Predicate):
    """Holds always; `~Everything()` never."""


@dataclass(frozen=True, slots=True)
class And(Predicate):
    """All terms hold; without terms it is `Everything`."""

    terms: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or(Predicate):
    """Some term holds; without terms nothing does."""

    terms: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The term does not hold."""

    term: Predicate


@dataclass(frozen=True, slots=True)
class Equal(Predicate):
    """Some value is this one. A truncated time or date-time equals all that it covers."""

    path: Path
    value: Scalar
    fold: bool = False


@dataclass(frozen=True, slots=True)
class OneOf(Predicate):
    """Some value is one of these."""

    path: Path
    values: tuple[Scalar, ...]
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Like(Predicate):
    """Some value fits the pattern: `*` is any text, `?` any one character (PS3.4 C.2.2.2.4)."""

    path: Path
    pattern: str
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Range(Predicate):
    """Some value lies between the bounds; None is an open end, `..._open` leaves the bound itself out."""

    path: Path
    low: Scalar | None
    high: Scalar | None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Predicate):
    """There is no value: the attribute is absent, or empty."""

    path: Path


@dataclass(frozen=True, slots=True)
class Exists(Predicate):
    """Some item of the sequence satisfies the term, whose paths start inside the item."""

    path: Path
    term: Predicate


@dataclass(frozen=True, slots=True)
class DateTimeRange(Predicate):
    """A date and its time together lie between two date-times (PS3.4 C.5.1.1: combined matching).

    Bounds are DT text, None an open end. A date without its time satisfies the range when the day touches
    it. An offset from UTC in a bound is not applied: wall clock as sent.
    """

    date_path: Path
    time_path: Path
    low: str | None
    high: str | None


def all_of(terms: Iterable[Predicate]) -> Predicate:
    """The conjunction, flat, without terms that always hold."""
    flat: list[Predicate] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, And) else (term,))
    kept = tuple(term for term in flat if not isinstance(term, Everything))
    if not kept:
        return Everything()
    return kept[0] if len(kept) == 1 else And(kept)


def any_of(terms: Iterable[Predicate]) -> Predicate:
    """The disjunction, flat; `Everything` if a term is; without terms nothing holds."""
    flat: list[Predicate] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Or) else (term,))
    if any(isinstance(term, Everything) for term in flat):
        return Everything()
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def attributes_of(predicate: Predicate) -> set[str]:
    """The dotted names of all attributes that a tree asks about, those inside items from the outside in."""
    return {".".join(path) for path in _paths(predicate, ())}


def _paths(predicate: Predicate, outer: Path) -> Iterator[Path]:
    match predicate:
        case And(terms) | Or(terms):
            for term in terms:
                yield from _paths(term, outer)
        case Not(term):
            yield from _paths(term, outer)
        case Exists(path, term):
            inner = list(_paths(term, outer + path))
            yield from inner or [outer + path]
        case DateTimeRange(date_path, time_path):
            yield from (outer + date_path, outer + time_path)
        case Equal(path) | OneOf(path) | Like(path) | Range(path) | IsNull(path):
            yield outer + path


def matches(predicate: Predicate, dicom_json: Mapping[str, Any]) -> bool:
    """Whether an instance satisfies the tree: the reference that every engine is tested against.

    Args:
        predicate: the tree.
        dicom_json: the instance in the DICOM JSON model (PS3.18 F.2); columns of ours under their own name.
    """
    from isocenter.dicom.evaluation import evaluate

    return evaluate(predicate, dicom_json)


# -- JSON ----------------------------------------------------------------------------------------------


def to_json(predicate: Predicate) -> dict[str, Any]:
    """The tree as JSON: `{"op": "equal", "path": ["Modality"], "value": "CT"}`."""
    match predicate:
        case Everything():
            return {"op": "everything"}
        case And(terms):
            return {"op": "and", "terms": [to_json(term) for term in terms]}
        case Or(terms):
            return {"op": "or", "terms": [to_json(term) for term in terms]}
        case Not(term):
            return {"op": "not", "term": to_json(term)}
        case Equal(path, value, fold):
            return _leaf("equal", path, fold=fold, value=value)
        case OneOf(path, values, fold):
            return _leaf("one-of", path, fold=fold, values=list(values))
        case Like(path, pattern, fold):
            return _leaf("like", path, fold=fold, pattern=pattern)
        case Range(path, low, high, low_open, high_open):
            flags = {"low_open": low_open, "high_open": high_open}
            return _leaf("range", path, low=low, high=high) | {k: True for k, v in flags.items() if v}
        case IsNull(path):
            return _leaf("is-null", path)
        case Exists(path, term):
            return _leaf("exists", path, term=to_json(term))
        case DateTimeRange(date_path, time_path, low, high):
            paths = {"date_path": list(date_path), "time_path": list(time_path)}
            return {"op": "datetime-range", **paths, "low": low, "high": high}
    raise TypeError(f"{type(predicate).__name__} is no predicate")


def _leaf(op: str, path: Path, *, fold: bool = False, **fields: Any) -> dict[str, Any]:
    return {"op": op, "path": list(path), **fields} | ({"fold": True} if fold else {})


def from_json(data: Any) -> Predicate:
    """The tree that JSON describes; None is `Everything`.

    Raises:
        InvalidQuery: an unknown operation, a missing or wrongly typed field, or deeper than `MAX_DEPTH`.
    """
    return Everything() if data is None else _from_json(data, MAX_DEPTH)


def _from_json(data: Any, depth: int) -> Predicate:
    if depth == 0:
        raise InvalidQuery(f"The query nests deeper than {MAX_DEPTH}")
    if not isinstance(data, Mapping):
        raise InvalidQuery("A query is a JSON object with an 'op'", detail={"got": type(data).__name__})
    match data.get("op"):
        case "everything":
            return Everything()
        case "and":
            return And(tuple(_from_json(term, depth - 1) for term in _list(data, "terms")))
        case "or":
            return Or(tuple(_from_json(term, depth - 1) for term in _list(data, "terms")))
        case "not":
            return Not(_from_json(data.get("term"), depth - 1))
        case "exists":
            return Exists(_path(data, "path"), _from_json(data.get("term"), depth - 1))
        case op:
            return _leaf_from_json(op, data)


def _leaf_from_json(op: Any, data: Mapping[str, Any]) -> Predicate:
    match op:
        case "equal":
            return Equal(_path(data, "path"), _scalar(data, "value"), _flag(data, "fold"))
        case "one-of":
            values = tuple(_scalar({"values": value}, "values") for value in _list(data, "values"))
            return OneOf(_path(data, "path"), values, _flag(data, "fold"))
        case "like":
            return Like(_path(data, "path"), _text(data, "pattern"), _flag(data, "fold"))
        case "range":
            low, high = (None if data.get(k) is None else _scalar(data, k) for k in ("low", "high"))
            return Range(_path(data, "path"), low, high, _flag(data, "low_open"), _flag(data, "high_open"))
        case "is-null":
            return IsNull(_path(data, "path"))
        case "datetime-range":
            start, end = (None if data.get(k) is None else _text(data, k) for k in ("low", "high"))
            return DateTimeRange(_path(data, "date_path"), _path(data, "time_path"), start, end)
    raise InvalidQuery(f"There is no query operation {op!r}")


def _path(data: Mapping[str, Any], field: str) -> Path:
    names = _list(data, field)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidQuery(f"'{field}' is a list of attribute names")
    return tuple(names)


def _list(data: Mapping[str, Any], field: str) -> Sequence[Any]:
    value = data.get(field)
    if not isinstance(value, list):
        raise InvalidQuery(f"'{field}' is missing or not a list", detail={"op": data.get("op")})
    return value


def _scalar(data: Mapping[str, Any], field: str) -> Scalar:
    value = data.get(field)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidQuery(f"'{field}' is missing or neither text nor number", detail={"op": data.get("op")})
    return value


def _text(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str):
        raise InvalidQuery(f"'{field}' is missing or not a text", detail={"op": data.get("op")})
    return value


def _flag(data: Mapping[str, Any], field: str) -> bool:
    value = data.get(field, False)
    if not isinstance(value, bool):
        raise InvalidQuery(f"'{field}' is true or false")
    return value
