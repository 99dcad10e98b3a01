"""SQL from outside: what it may read, and everything it may not do."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.sandbox import Exposed, Sandbox
from isocenter.catalog.sandboxed import answer, teach
from isocenter.errors import InvalidQuery, IsocenterError, Timeout, TooLarge, Unavailable


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(memory=512 * 2**20, seconds=20, threads=2) as warm:
        yield warm


@pytest.fixture(scope="module")
def files(made: Any, headers: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    catalog = Catalog(tmp_path_factory.mktemp("sandbox"))
    heads = catalog.append({"instances": [made(headers, 1)]}, seq=len(headers), heads={})
    return catalog.files("instances", heads["instances"])


@pytest.fixture(scope="module")
def exposed(files: list[str]) -> Exposed:
    return Exposed({"instances": f"SELECT * FROM read_parquet({files!r}, union_by_name=true)"}, files)


def test_a_select_gets_its_rows(sandbox: Sandbox, exposed: Exposed, headers: list[dict[str, Any]]) -> None:
    sql = "SELECT Modality, count(*) AS n FROM instances GROUP BY ALL ORDER BY n DESC"
    rows = sandbox.run(sql, exposed).read_all().to_pylist()
    assert sum(row["n"] for row in rows) == len(headers)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH ct AS (FROM instances WHERE Modality = 'CT') SELECT count(*) FROM ct",
        'WITH "My patients" AS (FROM instances), ärzte AS (FROM "My patients") SELECT count(*) FROM ärzte',
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT sum(i) FROM n",
        "DESCRIBE instances",
        "SUMMARIZE SELECT Rows FROM instances",
        "SELECT * FROM range(3) -- with a comment",
        "SELECT list_transform([1, 2], lambda x: x + 1);",
        "SELECT median(Rows) FROM instances GROUP BY Modality HAVING count(*) > 1",
        "SELECT i.Modality, j.n FROM instances i "
        "JOIN (SELECT Modality, count(*) n FROM instances GROUP BY 1) j USING (Modality)",
        "SELECT json->>'$.\"00080060\".Value[0]' FROM instances",
        "SELECT unnest(ImageType) FROM instances QUALIFY row_number() OVER (PARTITION BY Modality) = 1",
    ],
)
def test_all_of_sql_that_only_reads_is_taken(sandbox: Sandbox, exposed: Exposed, sql: str) -> None:
    assert sandbox.run(sql, exposed).read_all().num_rows > 0


def test_rows_that_are_not_flushed_yet_are_there(sandbox: Sandbox, made: Any, headers: list[Any]) -> None:
    tail = pa.Table.from_batches([made(headers[:3], 1)])
    exposed = Exposed({"instances": "SELECT * FROM _tail"}, (), {"_tail": tail})
    assert sandbox.run("SELECT count(*) AS n FROM instances", exposed).read_all().to_pylist() == [{"n": 3}]


def attacks(file: str, folder: Path) -> list[str]:
    hidden = (
        file,
        "duckdb_views",
        "pg_class",
        "sqlite_master",
        "pragma_database_list",
        "_tail",
        "tail.parquet",
    )
    return [
        f"COPY (SELECT 1) TO '{file}'",
        f"COPY instances TO '{folder}/stolen.parquet'",
        f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "EXPLAIN SELECT 1",
        f"ATTACH '{folder}/new.db' AS other",
        "ATTACH ':memory:' AS other",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd', header=false)",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_json('/proc/self/environ')",
        f"SELECT * FROM read_parquet('{file}')",
        f"SELECT * FROM parquet_metadata('{file}')",
        f"SELECT * FROM '{file}'",
        f"SELECT * FROM glob('{folder}/*')",
        "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
        "SELECT * FROM query_table('instances')",
        "SELECT getenv('HOME')",
        "SELECT current_setting('allowed_paths')",
        "SELECT current_query()",
        "SELECT * FROM duckdb_settings()",
        "SELECT sql FROM duckdb_views()",
        "SELECT sql FROM duckdb_views",
        "SELECT * FROM pragma_database_list()",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sqlite_master",
        "SHOW TABLES",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "RESET allowed_paths",
        "INSTALL httpfs",
        "LOAD httpfs",
        f"LOAD '{folder}/x.duckdb_extension'",
        "SELECT * FROM read_parquet('https://example.invalid/x.parquet')",
        "SELECT * FROM 'https://example.invalid/x.parquet'",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO 'x'",
        "",
        ";",
        "-- nothing",
        "SELECT 1) UNION ALL (SELECT 2",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO instances SELECT * FROM instances",
        "DELETE FROM instances",
        "DROP VIEW instances",
        "CREATE MACRO f() AS 1",
        "CREATE SECRET s (TYPE s3)",
        "CALL pragma_version()",
        "EXPORT DATABASE 'x'",
        "IMPORT DATABASE 'x'",
        "CHECKPOINT",
        "VACUUM",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "SELECT * FROM _tail",
        "SELECT 1 \0 FROM instances",
        *(attack for name in hidden for attack in named_by_a_with(name)),
    ]


def named_by_a_with(name: str) -> list[str]:
    """A WITH of another scope, or around itself, gives a table that is not offered a name that is."""
    return [
        f'WITH x AS (WITH "{name}" AS (SELECT 1) SELECT 1) SELECT * FROM "{name}"',
        f'WITH "{name}" AS (SELECT * FROM "{name}") SELECT * FROM "{name}"',
        f'WITH RECURSIVE "{name}" AS (SELECT * FROM "{name}") SELECT * FROM "{name}"',
        f'SELECT (WITH "{name}" AS (SELECT 1) SELECT 1), * FROM "{name}"',
        f'SELECT 1 FROM "{name}" UNION ALL (WITH "{name}" AS (SELECT 1 AS a) SELECT a FROM "{name}")',
    ]


def test_no_attack_reads_or_writes_anything(files: list[str], exposed: Exposed, tmp_path: Path) -> None:
    before = Path(files[0]).read_bytes()
    for sql in attacks(files[0], tmp_path):
        request = {"sql": sql, "files": files, "memory": 2**29, "threads": 1, "views": exposed.views}
        with pytest.raises(InvalidQuery), duckdb.connect() as connection:
            answer(connection, request, {}, BytesIO())
    assert Path(files[0]).read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_comes_back_from_the_query_process(
    sandbox: Sandbox, exposed: Exposed, files: list[str], tmp_path: Path
) -> None:
    for sql in [*attacks(files[0], tmp_path)[::12], "SELECT" + "(" * 30_000 + "1" + ")" * 30_000]:
        with pytest.raises(IsocenterError) as refused:
            sandbox.run(sql, exposed).read_all()
        assert refused.type in (InvalidQuery, TooLarge), (sql[:80], refused.value)


def test_the_inner_fences_hold_without_the_outer_one(files: list[str], tmp_path: Path) -> None:
    """DuckDB itself, as the query process sets it up, refuses what the parser would let through."""
    view = {"instances": f"SELECT * FROM read_parquet({files!r})"}
    request = {"files": files, "memory": 2**29, "threads": 1, "views": view}
    before = Path(files[0]).read_bytes()
    outside = ("/etc/", "/proc/", "http", "s3", "SET", "LOAD", "ATTACH '/", "EXPORT")
    with duckdb.connect() as connection:
        teach(connection, request, {})
        for sql in attacks(files[0], tmp_path):
            if any(word in sql for word in outside):
                with pytest.raises(duckdb.Error):
                    connection.execute(sql).fetchall()
    assert Path(files[0]).read_bytes() == before
    assert list(tmp_path.iterdir()) == []


CONFINED = """
import json, sys
from isocenter.catalog.confinement import confine, renounce
renounce()
import duckdb, pyarrow
target, other = sys.argv[1:]
guarded = confine(2**30, 10, [target])
connection = duckdb.connect()
failed = {}
for sql in (
    f"COPY (SELECT 1) TO '{target}'",
    f"COPY (SELECT 1) TO '{other}.new'",
    f"ATTACH '{other}.db'",
    f"SELECT content FROM read_text('{other}')",
    "SELECT content FROM read_text('/etc/passwd')",
):
    try:
        connection.execute(sql).fetchall()
    except duckdb.Error as error:
        failed[sql] = str(error)
content = connection.execute(f"SELECT content FROM read_text('{target}')").fetchall()[0][0]
print(json.dumps([guarded, len(failed), content]))
"""


def test_the_kernel_lets_a_query_process_read_its_files_and_nothing_else(tmp_path: Path) -> None:
    """Were every other fence down: COPY onto a catalog file, another file, the password file."""
    target, other = tmp_path / "catalog.parquet", tmp_path / "other"
    target.write_text("precious")
    other.write_text("private")
    command = [sys.executable, "-c", CONFINED, str(target), str(other)]
    ended = subprocess.run(command, capture_output=True, check=False, text=True)
    guarded, failed, content = json.loads(ended.stdout)
    if not guarded:
        pytest.skip("this kernel has no Landlock")
    assert (failed, content) == (5, "precious")
    assert sorted(tmp_path.iterdir()) == [target, other]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 2000000000)) AS n",
        "SELECT repeat('x', 2000000000) AS n",
        "SELECT list_sort(list_transform(range(200000000), lambda x: hash(x))) AS n",
        "SELECT string_agg(repeat('y', 1000000), '') FROM range(100000)",
        "SELECT list(a.range) FROM range(100000) a, range(100000) b",
    ],
)
def test_a_bomb_ends_alone_and_soon(sandbox: Sandbox, exposed: Exposed, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises((TooLarge, Timeout)):
        sandbox.run(sql, exposed, seconds=6).read_all()
    assert time.monotonic() - started < 60
    assert sandbox.run("SELECT 1 AS one", exposed).read_all().to_pylist() == [{"one": 1}]


def test_a_query_that_never_ends_is_killed_at_the_deadline(sandbox: Sandbox, exposed: Exposed) -> None:
    endless = "SELECT count(*) FROM range(1000000000000) WHERE hash(range) = 7"
    started = time.monotonic()
    with pytest.raises(Timeout):
        sandbox.run(endless, exposed, seconds=1.5).read_all()
    assert time.monotonic() - started < 60


def test_a_reader_that_is_dropped_ends_its_query(sandbox: Sandbox, exposed: Exposed) -> None:
    reader = sandbox.run("SELECT range AS n FROM range(100000000)", exposed)
    assert reader.read_next_batch().num_rows > 0
    reader.close()
    del reader
    assert sandbox.run("SELECT 2 AS two", exposed).read_all().to_pylist() == [{"two": 2}]


def test_errors_speak_of_the_query_and_not_of_files(sandbox: Sandbox, exposed: Exposed) -> None:
    with pytest.raises(InvalidQuery, match="Modalty") as refused:
        sandbox.run("SELECT Modalty FROM instances", exposed)
    assert "parquet" not in str(refused.value)


def test_queries_beyond_the_limit_wait_and_those_nobody_reads_end(exposed: Exposed) -> None:
    with Sandbox(memory=512 * 2**20, seconds=20, threads=1, at_once=1) as narrow:
        unread = narrow.run("SELECT range FROM range(100000000)", exposed)
        with pytest.raises(Unavailable):
            narrow.run("SELECT 1", exposed, seconds=0.5)
        del unread
        gc.collect()
        assert narrow.run("SELECT 1 AS one", exposed).read_all().to_pylist() == [{"one": 1}]
