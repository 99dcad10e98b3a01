"""Tables on the wire read back as the tables they were."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json

import pyarrow as pa
import pytest

from isocenter.rest.formats import ARROW, CSV, NDJSON, encode

DAY = datetime.date(2020, 1, 31)
MOMENT = datetime.datetime(2020, 1, 31, 10, 30)
TABLE = pa.table(
    {
        "PatientID": pa.array(["A", None, 'é "x", \n']),
        "StudyDate": pa.array([DAY, None, DAY]),
        "AcquisitionDateTime": pa.array([MOMENT, None, MOMENT], pa.timestamp("us")),
        "ImageType": pa.array([["ORIGINAL", "PRIMARY"], [], None], pa.list_(pa.string())),
        "SliceThickness": pa.array([1.5, None, 2.0]),
        "_size": pa.array([2**40, 0, 1]),
    }
)


def encoded(media_type: str, table: pa.Table = TABLE, rows: int = 2) -> bytes:
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=rows))
    return b"".join(encode(reader, media_type))


def test_arrow_is_the_table_itself_in_lz4_batches() -> None:
    body = encoded(ARROW)
    assert pa.ipc.open_stream(body).read_all().equals(TABLE)
    large = pa.table({"PatientID": pa.array(["the same text again"] * 10_000)})
    assert len(encoded(ARROW, large, 5000)) < large.nbytes / 4


def test_ndjson_has_one_object_a_line() -> None:
    rows = [json.loads(line) for line in encoded(NDJSON).splitlines()]
    assert rows[0] == {
        "PatientID": "A",
        "StudyDate": "2020-01-31",
        "AcquisitionDateTime": "2020-01-31T10:30:00",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SliceThickness": 1.5,
        "_size": 2**40,
    }
    assert rows[1]["StudyDate"] is None
    assert rows[2]["PatientID"] == 'é "x", \n'


def test_csv_joins_lists_by_backslash() -> None:
    rows = list(csv.DictReader(io.StringIO(encoded(CSV).decode(), newline="")))
    assert rows[0]["ImageType"] == "ORIGINAL\\PRIMARY"
    assert rows[0]["StudyDate"] == "2020-01-31"
    assert rows[1]["PatientID"] == ""
    assert rows[2]["PatientID"] == 'é "x", \n'


@pytest.mark.parametrize("media_type", [ARROW, NDJSON, CSV])
def test_a_table_without_rows(media_type: str) -> None:
    body = encoded(media_type, TABLE.slice(0, 0))
    if media_type == ARROW:
        assert pa.ipc.open_stream(body).read_all().schema == TABLE.schema
    else:
        assert body.count(b"\n") == (1 if media_type == CSV else 0)


def test_numbers_that_json_does_not_have_are_null() -> None:
    table = pa.table({"x": [1.0, float("nan")], "y": [[float("inf")], [2.0]]})
    rows = [json.loads(line, parse_constant=pytest.fail) for line in encoded(NDJSON, table).splitlines()]
    assert rows == [{"x": 1.0, "y": [None]}, {"x": None, "y": [2.0]}]


def test_values_of_python_objects_leave_as_text() -> None:
    table = pa.table({"private": pa.array([{"a": b"\x00"}]), "raw": pa.array([b"\x01\x02"])})
    assert json.loads(encoded(NDJSON, table)) == {"private": {"a": "AA=="}, "raw": "AQI="}
    assert list(csv.reader(io.StringIO(encoded(CSV, table).decode())))[1] == ['{"a": "AA=="}', "AQI="]


def test_decimals_which_sums_of_sql_are_are_numbers() -> None:
    values = [decimal.Decimal(3), decimal.Decimal("1.5"), None]
    table = pa.table({"n": pa.array(values, pa.decimal128(38, 2))})
    assert [json.loads(line)["n"] for line in encoded(NDJSON, table).splitlines()] == [3, 1.5, None]
    assert encoded(CSV, table).split()[:3] == [b"n", b"3", b"1.5"]
