"""What DuckDB calls back for: folding of text, and terms that only the reference evaluation can decide.

DuckDB folds ASCII itself; other text, and values inside sequences, go through the same Python functions that
the SQL index and rule filters use, so that every engine gives the same answer.  Values of a series repeat:
results are remembered.

Not here: building conditions (`conditions`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from isocenter.dicom.evaluation import evaluate
from isocenter.dicom.predicate import Predicate, from_json
from isocenter.dicom.values import fold, fold_name, parse_age

_REMEMBERED = 2048
"""Longest text whose result is remembered."""

_MACROS = """
CREATE MACRO isocenter_text(x) AS trim(x, ' ' || chr(0));
CREATE MACRO isocenter_fold(x) AS
    CASE WHEN strlen(x) = length(x) THEN lower(isocenter_text(x))
         WHEN x IS NOT NULL THEN isocenter_fold_text(x) END;
"""


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make our functions known to a connection: folding, ages in days, and the reference evaluation."""
    for name, function, arguments, result in (
        ("isocenter_fold_text", _fold_text, 1, "VARCHAR"),
        ("isocenter_fold_name", _fold_name, 1, "VARCHAR"),
        ("isocenter_days", _days, 1, "DOUBLE"),
        ("isocenter_holds", _holds, 3, "BOOLEAN"),
    ):
        connection.create_function(
            name,
            function,
            ["VARCHAR"] * arguments,
            result,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,  # nulls come in and may go out
            side_effects=False,
        )
    connection.execute(_MACROS)


def _each(function: Callable[[str], object], found: pa.Array, result: pa.DataType) -> pa.Array:
    """The function over the distinct values of an array."""
    encoded = _flat(found).dictionary_encode()
    known = encoded.dictionary.to_pylist()
    values = pa.array([None if value is None else function(value) for value in known], result)
    return values.take(encoded.indices)


def _flat(found: pa.Array | pa.ChunkedArray) -> pa.Array:
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _fold_text(found: pa.Array) -> pa.Array:
    return _each(fold, found, pa.string())


def _fold_name(found: pa.Array) -> pa.Array:
    return _each(fold_name, found, pa.string())


def _days(found: pa.Array) -> pa.Array:
    return _each(_age, found, pa.float64())


@lru_cache(maxsize=1024)
def _age(text: str) -> float | None:
    try:
        return parse_age(text)
    except ValueError:
        return None


def _holds(term: pa.Array, tag: pa.Array, fragment: pa.Array) -> pa.Array:
    """Whether a term holds for an element.

    Args:
        term: the predicate as JSON, the same in every row.
        tag: the element's `GGGGEEEE`, the same in every row; empty when the fragment is the whole instance.
        fragment: the element as DICOM JSON, null where it is absent.
    """
    encoded = _flat(fragment).dictionary_encode("encode")
    wanted, key = _flat(term)[0].as_py(), _flat(tag)[0].as_py()
    values = pa.array([_decide(wanted, key, text) for text in encoded.dictionary.to_pylist()], pa.bool_())
    return values.take(encoded.indices)


def _decide(term: str, tag: str, fragment: str | None) -> bool:
    if fragment is None:
        return evaluate(_predicate(term), {})
    decide = _evaluate_once if len(fragment) <= _REMEMBERED else _evaluate
    return decide(term, tag, fragment)


def _evaluate(term: str, tag: str, fragment: str) -> bool:
    element = json.loads(fragment)
    return evaluate(_predicate(term), {tag: element} if tag else element)


_evaluate_once = lru_cache(maxsize=4096)(_evaluate)


@lru_cache(maxsize=256)
def _predicate(term: str) -> Predicate:
    return from_json(json.loads(term))
