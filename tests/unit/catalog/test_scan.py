"""Files that differ are read as one table, whichever of their columns a question names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocenter.catalog.scan import named, rows_of

Write = Callable[[str, pa.Table], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, table: pa.Table) -> str:
        path = str(tmp_path / f"{name}.parquet")
        pq.write_table(table, path)
        return path

    return written


def _answer(files: list[str], asked: str, *, ordered: bool = True) -> list[tuple[object, ...]]:
    rows = rows_of(files, asked, ordered=ordered)
    with duckdb.connect() as connection:
        return connection.sql(f"WITH live AS NOT MATERIALIZED (SELECT * FROM ({rows})) {asked}").fetchall()


@pytest.fixture
def files(write: Write) -> list[str]:
    """Of three files two have KVP; the second has its columns in another order."""
    return [
        write("a", pa.table({"n": [1, 2], "KVP": [100.0, 120.0]})),
        write("b", pa.table({"n": [3], "Rows": [512]})),
        write("c", pa.table({"KVP": [140.0], "n": [4]})),
    ]


@pytest.mark.parametrize("turn", range(3))
def test_columns_that_are_not_named_need_not_be_in_every_file(files: list[str], turn: int) -> None:
    files = files[turn:] + files[:turn]
    assert "UNION" not in rows_of(files, "SELECT n FROM live")
    assert sorted(_answer(files, "SELECT n FROM live")) == [(1,), (2,), (3,), (4,)]


def test_a_column_that_a_file_lacks_is_null_in_its_rows(files: list[str]) -> None:
    asked = "SELECT n, KVP FROM live"
    assert _answer(files, asked) == [(1, 100.0), (2, 120.0), (3, None), (4, 140.0)]
    assert _answer(files, 'SELECT count(*) FROM live WHERE "kvp" > 110') == [(2,)]


def test_files_that_are_alike_are_read_together_where_order_does_not_matter(files: list[str]) -> None:
    twice = files * 2
    asked = "SELECT sum(KVP) FROM live"
    assert "union_by_name=True" in rows_of(twice, asked)
    assert rows_of(twice, asked, ordered=False).count("union_by_name=False") == 2
    assert _answer(twice, asked, ordered=False) == [(720.0,)]


def test_runs_of_files_keep_their_order(files: list[str]) -> None:
    one, other, _ = files
    asked = "SELECT n, KVP FROM live"
    assert rows_of([one] * 2 + [other] * 2, asked).count("read_parquet") == 2
    assert [row[0] for row in _answer([one] * 2 + [other] * 2, asked)] == [1, 2, 1, 2, 3, 3]


def test_everything_is_read_where_everything_is_asked_for(files: list[str]) -> None:
    assert _answer(files, "SELECT * FROM live")[2] == (3, None, 512)
    assert "Rows" in duckdb.sql(rows_of(files)).columns


def test_many_files_that_differ_are_one_scan_by_name(write: Write) -> None:
    files = [write(f"{n}", pa.table({"n": [n], **({"KVP": [n]} if n % 2 else {})})) for n in range(40)]
    assert rows_of(files, "SELECT KVP FROM live").count("read_parquet") == 1
    assert _answer(files, "SELECT n, KVP FROM live")[:3] == [(0, None), (1, 1), (2, None)]
    assert _answer(files, "SELECT count(KVP) FROM live", ordered=False) == [(20,)]


def test_names_are_found_however_they_are_written() -> None:
    assert {"kvp", "_seq", 'odd "name"'} <= named('SELECT "KVP", i._seq, "odd ""name""" FROM live i')
