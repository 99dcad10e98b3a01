"""What `where` takes: conditions built with `col`, query text, and keyword arguments, as one predicate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isocenter.client.columns import Column
from isocenter.dicom.attributes import path_of
from isocenter.dicom.expression import parse
from isocenter.dicom.predicate import Predicate, all_of
from isocenter.dicom.terms import kind_of
from isocenter.errors import InvalidQuery


def condition(conditions: Iterable[object], equals: Mapping[str, object]) -> Predicate:
    """All of them together.

    Args:
        conditions: predicates, or query texts such as `"Modality=CT and SliceThickness<2"`.
        equals: keyword to value: a list means any of these, None means no value, and `*` or `?` in a text
            is a wild card.

    Raises:
        BadRequest: a name, value or text that cannot be understood, saying which.
    """
    return all_of([*map(_given, conditions), *(_equal(name, value) for name, value in equals.items())])


def _given(given: object) -> Predicate:
    if isinstance(given, Predicate):
        return given
    if isinstance(given, str):
        return parse(given)
    if isinstance(given, bool):
        hint = "compare isocenter.col.X with a value, and combine with & | ~"
        raise InvalidQuery("A condition came out as a plain true or false", hint=hint)
    if isinstance(given, Column):
        raise InvalidQuery(f"{given!r} alone is no condition", hint=f"compare it: {given!r} == ...")
    raise InvalidQuery(
        f"{type(given).__name__} is no condition", hint="give isocenter.col comparisons or text"
    )


def _equal(name: str, value: object) -> Predicate:
    column = Column(path_of(name))
    if isinstance(value, str) and kind_of(column.path) in ("text", "name") and ("*" in value or "?" in value):
        return column.like(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return column.isin(value)
    return column == value
