"""How the rows of data files are read, so that a question is planned quickly.

DuckDB opens every file to match columns by name, and only the first where all are said to be alike. They have
to be alike only in the columns that are asked for: what else a file has, or lacks, is not read. Not here:
which rows of the files exist (`query`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from isocenter.catalog.levels import literal

WORTH_A_SCAN = 2
"""So many files are matched by name (1.8 ms each) while one more scan is planned (3.6 ms)."""

_NAME = re.compile(r'"((?:[^"]|"")+)"|(\w+)')
_EVERYTHING = re.compile(r"(?<![(\[])\*")  # neither count(*) nor a path of JSON


def rows_of(files: Sequence[str], asked: str | None = None, *, ordered: bool = True) -> str:
    """A SELECT of all rows of some files.

    Args:
        files: at least one.
        asked: SQL that reads the rows; None reads every column.
        ordered: whether the rows keep the order of the files.
    """
    names = None if asked is None or _EVERYTHING.search(asked) else named(asked)
    kinds = {path: _kind(path, names) for path in files}
    if not ordered:
        first = {kind: number for number, kind in reversed([*enumerate(kinds.values())])}
        files = sorted(files, key=lambda path: first[kinds[path]])
    runs = [list(run) for _, run in groupby(files, kinds.__getitem__)]
    if len(runs) > max(1, len(files) // WORTH_A_SCAN):
        return _scan(files, by_name=True)
    return " UNION ALL BY NAME ".join(_scan(run, by_name=False) for run in runs)


def named(sql: str) -> frozenset[str]:
    """All that may be the name of a column in a text of SQL, in small letters."""
    return frozenset((quoted.replace('""', '"') or bare).lower() for quoted, bare in _NAME.findall(sql))


def columns_of(files: Sequence[str]) -> dict[str, pa.DataType]:
    """The columns that occur in some files."""
    found: dict[str, pa.DataType] = {}
    for path in files:
        found |= _columns(path)
    return found


def _scan(files: Sequence[str], *, by_name: bool) -> str:
    paths = ", ".join(literal(path) for path in files)
    return f"SELECT * FROM read_parquet([{paths}], union_by_name={by_name})"


def _kind(path: str, names: frozenset[str] | None) -> frozenset[tuple[str, pa.DataType]]:
    """Those of a file's columns that have one of the names, all of them where there are none."""
    if names is None:
        return frozenset(_columns(path).items())
    folded = _folded(path)
    return frozenset(folded[name] for name in names if name in folded)


@lru_cache(maxsize=4096)
def _columns(path: str) -> dict[str, pa.DataType]:
    """The columns of a data file, which never changes."""
    return {item.name: item.type for item in pq.read_schema(path)}


@lru_cache(maxsize=4096)
def _folded(path: str) -> Mapping[str, tuple[str, pa.DataType]]:
    return {name.lower(): (name, kind) for name, kind in _columns(path).items()}
