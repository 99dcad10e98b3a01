"""A predicate tree as one parameterised DuckDB condition over rows of the `instances` table.

The meaning is that of `dicom.predicate.matches`, term by term: what a typed column can decide is decided
there; private attributes in the `private` map; sequences and everything else on the element's JSON by the
reference evaluation itself (`folding`).  No text of a caller enters the SQL: names come from the dictionary,
values are parameters.

Not here: grouping by level and columns (`query`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from isocenter.catalog.columns import CODE_SEQUENCES, type_named
from isocenter.dicom import values
from isocenter.dicom.attributes import Attribute, is_own_column, lookup
from isocenter.dicom.evaluation import evaluate, values_number
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
    to_json,
)
from isocenter.errors import InvalidValue

_MOMENTS = ("date", "time", "datetime")


@dataclass(slots=True)
class Conditions:
    """Compiles trees against the columns that some rows have.

    Args:
        columns: the Arrow types of the columns that occur.
        unconverted: names of attributes of which some row holds a value in `json` only.
        computed: the condition for a term about a computed attribute (`ModalitiesInStudy`), None for others.
    """

    columns: Mapping[str, pa.DataType]
    unconverted: frozenset[str] = frozenset()
    computed: Callable[[Predicate, Conditions], str | None] = lambda term, conditions: None
    parameters: list[Any] = field(default_factory=list)

    def sql(self, predicate: Predicate) -> str:
        """The condition; its values are appended to `parameters`, `$1` being the first.

        Raises:
            UnknownAttribute: a path names no attribute.
            InvalidValue: a value cannot be compared with its attribute.
        """
        match predicate:
            case Everything():
                return "true"
            case And(terms):
                return " AND ".join(f"({self.sql(term)})" for term in terms) or "true"
            case Or(terms):
                return " OR ".join(f"({self.sql(term)})" for term in terms) or "false"
            case Not(term):
                return f"({self.sql(term)}) IS NOT TRUE"
        computed = self.computed(predicate, self)
        return self._leaf(predicate) if computed is None else computed

    def _leaf(self, term: Predicate) -> str:
        if isinstance(term, DateTimeRange):
            return self._combined(term)
        if isinstance(term, Exists) or len(path := _path(term)) > 1:
            return self._by_reference(term)
        if is_own_column(path[0]):
            return self._own(term, path[0])
        attribute = lookup(path[0])
        if attribute.creator:
            return self._private(term, attribute)
        if type_named(attribute.keyword) is None or attribute.keyword in CODE_SEQUENCES:
            return self._by_reference(term)
        return self._typed(term, attribute)

    def _value(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    # -- typed columns -----------------------------------------------------------------------------------

    def _typed(self, term: Predicate, attribute: Attribute) -> str:
        name = attribute.keyword
        if name in self.columns:
            if isinstance(term, Like) and values.kind(attribute.vr) in (*_MOMENTS, "number"):
                return self._by_reference(term)
            condition = self._null(name) if isinstance(term, IsNull) else self._compared(term, attribute)
        else:
            condition = "true" if isinstance(term, IsNull) else "false"
        if name not in self.unconverted:
            return condition
        element = f"map_extract(_unconverted, '{name}')[1]"
        held = f"({element} IS NOT NULL AND {self._holds(term, attribute.tag_text, element)})"
        return f"(({condition}) AND {element} IS NULL OR {held})"

    def _null(self, name: str) -> str:
        return f'"{name}" IS NULL'

    def _compared(self, term: Predicate, attribute: Attribute) -> str:
        of = values.kind(attribute.vr)
        column = f'"{attribute.keyword}"'
        if not pa.types.is_list(self.columns[attribute.keyword]):
            return self.compare(term, of, attribute.vr, column)
        if (isinstance(term, Equal) and of in ("number", "uid")) or _is_plain_text(term, of):
            return self._listed(term, of, column)
        return f"len(list_filter({column}, lambda x: {self.compare(term, of, attribute.vr, 'x')})) > 0"

    def _listed(self, term: Predicate, of: values.Kind, column: str) -> str:
        assert isinstance(term, Equal)
        value = _number(term.path, term.value) if of == "number" else str(term.value).strip(" \0")
        return f"list_contains({column}, {self._value(value)})"

    def compare(self, term: Predicate, of: values.Kind, vr: str, x: str) -> str:
        """The condition on one value, written `x` in SQL."""
        match term:
            case Equal(path, value, fold):
                return self._equal(path, value, fold, of, vr, x)
            case OneOf(path, wanted, fold):
                return self._one_of(path, wanted, fold, of, vr, x)
            case Like(_, pattern, fold):
                return self._like(pattern, fold, of, x)
            case Range():
                return self._range(term, of, vr, x)
        raise TypeError(f"{type(term).__name__} is no comparison")

    def _equal(self, path: Path, value: Scalar, fold: bool, of: values.Kind, vr: str, x: str) -> str:
        if of == "number":
            return f"{x} = {self._value(_number(path, value))}"
        if of in _MOMENTS:
            return self._range(Range(path, value, value), of, vr, x)
        if of == "name":
            folded = values.fold_name(str(value))
            others = f"contains(isocenter_fold_name({x}), {self._value(folded)})"
            return _name(x, folded, f"= {self._value(folded[1:-1])}", others)
        if of == "text" and fold:
            return _text(x, f"= {self._value(values.fold(str(value)))}")
        return f"{x} = {self._value(str(value).strip(_PADDING))}"

    def _one_of(
        self, path: Path, wanted: tuple[Scalar, ...], fold: bool, of: values.Kind, vr: str, x: str
    ) -> str:
        if not wanted:
            return "false"
        if of in (*_MOMENTS, "name"):
            return " OR ".join(f"({self._equal(path, value, fold, of, vr, x)})" for value in wanted)
        if of == "number":
            texts: list[Any] = [_number(path, value) for value in wanted]
        elif of == "text" and fold:
            texts = [values.fold(str(value)) for value in wanted]
        else:
            texts = [str(value).strip(_PADDING) for value in wanted]
        among = f"IN ({', '.join(self._value(text) for text in texts)})"
        return _text(x, among) if of == "text" and fold else f"{x} {among}"

    def _like(self, pattern: str, fold: bool, of: values.Kind, x: str) -> str:
        if of == "name":
            folded = values.fold_name(pattern)
            others = f"isocenter_fold_name({x}) {self._matches(f'*{folded}*')}"
            return _name(x, folded, self._matches(folded[1:-1]), others)
        if of == "text" and fold:
            return _text(x, self._matches(values.fold(pattern)))
        return f"{x} {self._matches(pattern.strip(_PADDING))}"

    def _matches(self, pattern: str) -> str:
        """LIKE. DuckDB has quick ways for it, and none for LIKE with ESCAPE."""
        wanted = _like_pattern(pattern)
        return f"LIKE {self._value(wanted)}" + (" ESCAPE '\\'" if "\\" in wanted else "")

    def _range(self, term: Range, of: values.Kind, vr: str, x: str) -> str:
        low: Any = term.low
        high: Any = term.high
        low_open, high_open = term.low_open, term.high_open
        if of in _MOMENTS:
            low, high = _interval(term, vr)
            low_open = high_open = False
        elif of == "number":
            low, high = (None if bound is None else _number(term.path, bound) for bound in (low, high))
        elif of == "age":
            low, high = (None if bound is None else _age(term.path, bound) for bound in (low, high))
            x = f"isocenter_days({x})"
        else:
            low, high, x = _text_bounds(of, low, high, x)
        return self._between(x, low, high, low_open, high_open)

    def _between(self, x: str, low: Any, high: Any, low_open: bool, high_open: bool) -> str:
        bounds = []
        if low is not None:
            bounds.append(f"{x} {'>' if low_open else '>='} {self._value(low)}")
        if high is not None:
            bounds.append(f"{x} {'<' if high_open else '<='} {self._value(high)}")
        return " AND ".join(bounds) or f"{x} IS NOT NULL"

    def _combined(self, term: DateTimeRange) -> str:
        """Date and time together; a date without its time stands for the whole day."""
        paths = (term.date_path, term.time_path)
        names = [lookup(path[0]).keyword for path in paths]
        plain = all(len(path) == 1 for path in paths) and not self.unconverted.intersection(names)
        if not plain or [str(type_named(name)) for name in names] != ["date32[day]", "int64"]:
            return self._by_reference(term)
        if names[0] not in self.columns:
            return "false"
        low, high = _interval(term, "DT")
        day = f'CAST("{names[0]}" AS TIMESTAMP)'
        time = f'"{names[1]}"' if names[1] in self.columns else "NULL"
        conditions = [f'"{names[0]}" IS NOT NULL']
        if low is not None:
            last = f"{day} + to_microseconds(coalesce({time}, {values.DAY - 1}))"
            conditions.append(f"{last} >= {self._value(low)}")
        if high is not None:
            conditions.append(f"{day} + to_microseconds(coalesce({time}, 0)) <= {self._value(high)}")
        return " AND ".join(conditions)

    # -- columns of ours, private attributes, sequences ------------------------------------------------

    def _own(self, term: Predicate, name: str) -> str:
        """A column of ours: with a number as number, with a text as text."""
        found = self.columns.get(name)
        if found is None:
            return "true" if isinstance(term, IsNull) else "false"
        if isinstance(term, IsNull):
            return self._null(name)
        of: values.Kind = "text" if isinstance(_sample(term), str) else "number"
        column = f'"{name}"'
        if pa.types.is_list(found):
            return f"len(list_filter({column}, lambda x: {self.compare(term, of, 'UN', 'x')})) > 0"
        if pa.types.is_timestamp(found) and of == "text":
            return self.compare(term, of, "UN", f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')")
        cast = "VARCHAR" if of == "text" else "DOUBLE"
        typed = pa.types.is_string(found) if of == "text" else pa.types.is_integer(found)
        return self.compare(term, of, "UN", column if typed else f"TRY_CAST({column} AS {cast})")

    def _private(self, term: Predicate, attribute: Attribute) -> str:
        """A private attribute: each of its values, which a backslash parts."""
        if isinstance(term, IsNull):
            return self._by_reference(term)
        whole = f"map_extract(private, {self._value(attribute.name)})[1]"
        if isinstance(_sample(term), str):
            x = self.compare(term, "text", "UN", "isocenter_text(x)")
        else:
            x = self.compare(term, "number", "UN", "TRY_CAST(isocenter_text(x) AS DOUBLE)")
        return f"len(list_filter(string_split({whole}, '\\'), lambda x: {x})) > 0"

    def _by_reference(self, term: Predicate) -> str:
        """The term decided on the JSON of the one element it is about (of the whole instance when more)."""
        tags = sorted({lookup(path[0]).tag_text for path in _all_paths(term)})
        private = any(lookup(path[0]).creator for path in _all_paths(term))
        if len(tags) != 1 or private:
            return self._holds(term, "", "json")
        tag = tags[0]
        holds = self._holds(term, tag, f"json_extract_string(json, '$.\"{tag}\"')")
        if evaluate(term, {}):
            return holds
        return f"contains(json, '\"{tag}\":') AND {holds}"

    def _holds(self, term: Predicate, tag: str, element: str) -> str:
        return f"isocenter_holds({self._value(json.dumps(to_json(term)))}, '{tag}', {element})"


_PADDING = " \0"


def _text(x: str, test: str) -> str:
    """A test of folded text. DuckDB folds ASCII, and tests it within the CASE: the CASE itself would be
    tested for every row, not for every distinct value of a dictionary."""
    return (
        f"CASE WHEN strlen({x}) = length({x}) THEN lower(isocenter_text({x})) {test}"
        f" WHEN {x} IS NOT NULL THEN isocenter_fold_text({x}) {test} END"
    )


def _name(x: str, folded: str, alone: str, others: str) -> str:
    """A test of a folded person name.

    Args:
        x: the value in SQL.
        folded: what is looked for, between `=` signs.
        alone: the test of a name that is one group of ASCII, without `=` signs around it.
        others: the condition for all other names.
    """
    one = "false" if "=" in folded[1:-1] else f"rtrim(lower(isocenter_text({x})), '^ ') {alone}"
    return (
        f"CASE WHEN strlen({x}) = length({x}) AND NOT contains({x}, '=') THEN {one}"
        f" WHEN {x} IS NOT NULL THEN {others} END"
    )


def _path(term: Predicate) -> Path:
    match term:
        case Equal(path) | OneOf(path) | Like(path) | Range(path) | IsNull(path) | Exists(path):
            return path
    raise TypeError(f"{type(term).__name__} is no predicate")


def _all_paths(term: Predicate) -> tuple[Path, ...]:
    if isinstance(term, DateTimeRange):
        return term.date_path, term.time_path
    return (_path(term),)


def _sample(term: Predicate) -> Scalar | None:
    """A value of the query: where the dictionary does not say how to compare, its type does."""
    match term:
        case Equal(_, value):
            return value
        case OneOf(_, wanted):
            return wanted[0] if wanted else ""
        case Like(_, pattern):
            return pattern
        case Range(_, low, high):
            return high if low is None else low
    return None


def _is_plain_text(term: Predicate, of: values.Kind) -> bool:
    return isinstance(term, Equal) and of in ("text", "tag", "age") and not (term.fold and of == "text")


def _number(path: Path, value: Scalar) -> int | float:
    try:
        return values_number(value)
    except ValueError:
        raise InvalidValue(f"{path[-1]} is compared with a number") from None


def _age(path: Path, value: Scalar) -> float:
    try:
        return values.parse_age(str(value))
    except ValueError:
        raise InvalidValue(f"{path[-1]} is compared with an age such as 045Y") from None


def _interval(term: Range | DateTimeRange, vr: str) -> tuple[Any, Any]:
    flags = (term.low_open, term.high_open) if isinstance(term, Range) else (False, False)
    low, high = (None if bound is None else str(bound) for bound in (term.low, term.high))
    try:
        bounds = values.interval(vr, low, high, low_open=flags[0], high_open=flags[1])
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"A bound of a range is no {vr} value: {error}") from None
    return bounds[0], bounds[1]


def _text_bounds(of: values.Kind, low: Any, high: Any, x: str) -> tuple[Any, Any, str]:
    fold = values.fold if of == "name" else str.strip
    folded = [None if bound is None else fold(str(bound)) for bound in (low, high)]
    return folded[0], folded[1], f"isocenter_fold({x})" if of == "name" else x


def _like_pattern(pattern: str) -> str:
    """DICOM's `*` and `?` (PS3.4 C.2.2.2.4) as SQL's, SQL's own escaped."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
