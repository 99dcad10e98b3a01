"""`col`: conditions as Python expressions: `(col.Modality == "CT") & (col.SliceThickness < 2)`.

They build the same predicate tree as text, C-FIND and QIDO. Names and values are checked where they are
written. Not here: what the operators mean (`isocenter.dicom.predicate`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from isocenter.dicom.attributes import is_own_column, lookup, name_of_path, path_of
from isocenter.dicom.predicate import (
    Equal,
    Everything,
    Exists,
    IsNull,
    Like,
    OneOf,
    Path,
    Predicate,
    Range,
    all_of,
    any_of,
)
from isocenter.dicom.terms import checked, coerce, kind_of
from isocenter.errors import InvalidQuery

_PROTOCOLS = ("__", "_repr_", "_ipython_")  # what Python and Jupyter ask of every object


class Column:
    """One attribute, ready to be compared; every comparison gives a condition for `where`.

    Raises:
        UnknownAttribute: no such keyword; the nearest is named.
        InvalidValue: the value does not fit the attribute's VR.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = checked(path)

    @property
    def name(self) -> str:
        """Dotted name."""
        return name_of_path(self.path)

    def __repr__(self) -> str:
        return f"col.{self.name}" if "," not in self.name else f"col[{self.name!r}]"

    def __hash__(self) -> int:
        return hash(self.path)

    def __getattr__(self, name: str) -> Column:
        if name == "path" or name.startswith(_PROTOCOLS):
            raise AttributeError(name)
        return Column((*self.path, name))

    def __getitem__(self, name: str) -> Column:
        return Column((*self.path, *path_of(name)))

    def __dir__(self) -> list[str]:
        tests = [name for name in vars(type(self)) if not name.startswith("_")]
        return tests + (keywords() if kind_of(self.path) == "sequence" else [])

    def __eq__(self, value: object) -> Predicate:  # type: ignore[override]  # a condition, as in SQL builders
        return IsNull(self.path) if value is None else Equal(self.path, coerce(self.path, value, quoted=True))

    def __ne__(self, value: object) -> Predicate:  # type: ignore[override]
        return ~(self == value)

    def __lt__(self, value: object) -> Predicate:
        return Range(self.path, None, coerce(self.path, value, quoted=True), high_open=True)

    def __le__(self, value: object) -> Predicate:
        return Range(self.path, None, coerce(self.path, value, quoted=True))

    def __gt__(self, value: object) -> Predicate:
        return Range(self.path, coerce(self.path, value, quoted=True), None, low_open=True)

    def __ge__(self, value: object) -> Predicate:
        return Range(self.path, coerce(self.path, value, quoted=True), None)

    def between(self, low: object, high: object) -> Predicate:
        """From `low` to `high`, both included."""
        first, last = (coerce(self.path, value, quoted=True) for value in (low, high))
        return Range(self.path, first, last)

    def isin(self, values: Iterable[object]) -> Predicate:
        """One of these values; None among them is no value."""
        listed = [values] if isinstance(values, str) else list(values)
        said = tuple(coerce(self.path, value, quoted=True) for value in listed if value is not None)
        terms: list[Predicate] = [OneOf(self.path, said)] if said else []
        return any_of([*terms, *([IsNull(self.path)] if None in listed else [])])

    def like(self, pattern: str, *, fold: bool = False) -> Predicate:
        """Fits a pattern: `*` is any text, `?` any one character.

        Args:
            pattern: the whole value must fit it.
            fold: ignore case and accents (person names always do).
        """
        if kind_of(self.path) not in ("text", "name", "uid"):
            vr = lookup(self.path[-1]).vr
            raise InvalidQuery(f"Wild cards do not apply to {self.name} ({vr})", hint="compare with < and >")
        return Like(self.path, pattern, fold)

    def contains(self, text: str, *, fold: bool = True) -> Predicate:
        """Has this text somewhere; case and accents do not count unless `fold` is false."""
        return self.like(f"*{text}*", fold=fold)

    def startswith(self, text: str, *, fold: bool = False) -> Predicate:
        """Begins with this text."""
        return self.like(f"{text}*", fold=fold)

    def is_null(self) -> Predicate:
        """Absent or empty."""
        return IsNull(self.path)

    def not_null(self) -> Predicate:
        """Has a value."""
        return ~IsNull(self.path)

    def has(self, *terms: Predicate) -> Predicate:
        """Some item of this sequence satisfies all the terms; without terms: there is an item."""
        if kind_of(self.path) not in ("sequence", "text"):
            raise InvalidQuery(f"{self.name} is no sequence", hint="compare its value")
        return Exists(self.path, all_of(terms) if terms else Everything())

    def asc(self) -> tuple[str, Literal["asc"]]:
        """For `sort`: smallest first."""
        return self.name, "asc"

    def desc(self) -> tuple[str, Literal["desc"]]:
        """For `sort`: largest first."""
        return self.name, "desc"


class Columns:
    """Every attribute by name: `col.SliceThickness`, `col["0019,SIEMENS MR HEADER,0c"]`, `col["_size"]`.

    Items of a sequence are behind a dot: `col.RequestAttributesSequence.RequestedProcedureID`.
    """

    def __getattr__(self, name: str) -> Column:
        if name.startswith(_PROTOCOLS):
            raise AttributeError(name)
        return Column((name,))

    def __getitem__(self, name: str) -> Column:
        return Column(path_of(name))

    def __dir__(self) -> list[str]:
        return keywords()

    def _ipython_key_completions_(self) -> list[str]:
        return keywords()

    def __repr__(self) -> str:
        return (
            "isocenter.col: every DICOM attribute by keyword, for conditions such as col.SliceThickness < 2"
        )


def keywords() -> list[str]:
    """Every keyword of PS3.6."""
    from isocenter.dicom._dictionary_table import KEYWORDS

    return sorted(KEYWORDS)


def name_of(column: object) -> str:
    """The checked, dotted name of a column given as `col.X` or as text.

    Raises:
        UnknownAttribute: no such keyword; the nearest is named.
    """
    if isinstance(column, Column):
        return column.name
    if not isinstance(column, str):
        raise InvalidQuery(f"A column is named by text or by isocenter.col, not by {type(column).__name__}")
    if is_own_column(column):
        return column
    return name_of_path(checked(path_of(column)))


col = Columns()
