"""`/api/tables`: any attribute by predicate or SQL, in every format; mistakes are named."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from live_archive import LiveArchive, instance, serving

from isocenter.dicom.predicate import Equal, Like, Range, to_json
from isocenter.rest.formats import ARROW, CSV, NDJSON

Make = Callable[..., bytes]
THIN = to_json(Range(("SliceThickness",), None, 2.0, high_open=True))


def fill(web: LiveArchive) -> None:
    files = [instance(n, SliceThickness=str(n)) for n in (1, 2, 3)]
    files.append(instance(1, study="1.2.4", PatientName="Doe^Jane", Modality="MR"))
    assert web.store(*files).status_code == 200


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """One server for all tests that only ask: its query process takes a second to start."""
    with serving(tmp_path_factory.mktemp("tables") / "data") as start:
        web = start()
        fill(web)
        yield web


def query(web: Any, accept: str = ARROW, what: str = "query", **asked: Any) -> Any:
    return web.post(f"/api/tables/{what}", json=asked, headers={"Accept": accept})


def table(answer: Any) -> pa.Table:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == ARROW
    return pa.ipc.open_stream(answer.content).read_all()


def test_a_predicate_and_columns_give_an_arrow_table(filled: Any) -> None:
    asked = {"level": "instance", "where": THIN, "columns": ["SOPInstanceUID", "SliceThickness"]}
    assert table(query(filled, **asked)).to_pylist() == [
        {"SOPInstanceUID": "1.2.3.1.1", "SliceThickness": 1.0}
    ]


def test_a_browser_that_takes_anything_gets_arrow_and_names_may_be_asked_for(filled: Any) -> None:
    assert table(query(filled, "*/*", level="study", columns=["StudyInstanceUID"])).num_rows == 2


def test_order_limit_and_offset(filled: Any) -> None:
    asked = {"columns": ["InstanceNumber"], "where": to_json(Equal(("Modality",), "CT"))}
    down = table(query(filled, order=[["InstanceNumber", "desc"]], limit=2, **asked))
    assert down.column(0).to_pylist() == [3, 2]
    rest = table(query(filled, order=["InstanceNumber"], offset=2, **asked))
    assert rest.column(0).to_pylist() == [3]


def test_ndjson_and_csv(filled: Any) -> None:
    asked = {
        "level": "study",
        "columns": ["PatientName", "StudyDate"],
        "order": [["StudyInstanceUID", "asc"]],
    }
    lines = query(filled, NDJSON, **asked).text.splitlines()
    assert json.loads(lines[0]) == {"PatientName": "Doe^Jane", "StudyDate": "2024-02-29"}
    rows = list(csv.DictReader(io.StringIO(query(filled, CSV, **asked).text)))
    assert [row["StudyDate"] for row in rows] == ["2024-02-29"] * 2


def test_count(filled: Any) -> None:
    assert query(filled, what="count").json() == {"count": 4}
    assert query(filled, what="count", level="study").json() == {"count": 2}
    assert query(filled, what="count", where=THIN).json() == {"count": 1}
    folded = to_json(Like(("PatientName",), "DOE*", fold=True))
    assert query(filled, what="count", level="study", where=folded).json() == {"count": 2}


def test_sql(filled: Any) -> None:
    text = "SELECT Modality, count(*) AS n FROM instances GROUP BY 1 ORDER BY 1"
    assert table(query(filled, what="sql", sql=text)).to_pylist() == [
        {"Modality": "CT", "n": 3},
        {"Modality": "MR", "n": 1},
    ]


@pytest.mark.parametrize(
    "text", ["", "DELETE FROM instances", "SELECT 1; SELECT 2", "COPY instances TO '/tmp/x'", "SELEC 1"]
)
def test_sql_that_is_no_single_select_is_refused(filled: Any, text: str) -> None:
    answer = query(filled, what="sql", sql=text)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


def test_columns_are_named_with_their_types(filled: Any) -> None:
    columns = {one["name"]: one for one in filled.get("/api/tables/columns?level=instance").json()}
    assert columns["SliceThickness"]["type"] == "double"
    assert columns["StudyDate"]["type"].startswith("date32")
    assert "00180050" in columns["SliceThickness"]["description"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"columns": ["SliceThicknes"]}, "SliceThickness"),
        ({"where": {"op": "equal", "path": ["PatientIdd"], "value": "x"}}, "PatientID"),
        ({"where": {"op": "equals"}}, ""),
        ({"where": "Modality=CT and"}, "position"),
        ({"where": ["Modality=CT"]}, "where"),
        ({"colums": []}, "columns"),
        ({"level": "frame"}, "series"),
        ({"limit": -1}, "limit"),
        ({"limit": True}, "limit"),
        ({"order": [["StudyDate", "up"]]}, "order"),
        ({"columns": [1]}, "columns"),
    ],
)
def test_mistakes_are_400_and_name_what_was_meant(filled: Any, asked: dict[str, Any], told: str) -> None:
    answer = query(filled, **asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert told in error["message"] + error["hint"]


def test_other_formats_are_406_and_other_datasets_404(filled: Any) -> None:
    assert query(filled, "application/pdf").status_code == 406
    assert query(filled, dataset="none").status_code == 404
    assert filled.post("/api/tables/query", data="[]").status_code == 400


def test_what_was_just_stored_is_in_the_answer(web: Any, make: Make) -> None:
    fill(web)
    web.main.flush()
    web.store(make(9, SliceThickness="0.5"))
    assert query(web, what="count", where=THIN).json() == {"count": 2}


def test_a_reader_may_ask_of_its_datasets_only(serve: Any, make: Make) -> None:
    web = serve(datasets={"lab": {"ae_title": "LAB"}})
    web.store(make(1), path="/datasets/lab/dicom-web/studies")
    secret, _ = web.context.tokens.create("reader", datasets=["lab"])
    web.web.headers["Authorization"] = f"Bearer {secret}"
    assert query(web, what="count", dataset="lab").json() == {"count": 1}
    assert query(web, what="count").status_code == 403
    assert query(web, what="sql", sql="SELECT 1").status_code == 403


def test_a_condition_may_be_text_and_its_mistakes_are_told_with_their_place(filled: Any) -> None:
    thin = {"level": "instance", "where": "Modality=CT and SliceThickness<2"}
    assert query(filled, what="count", **thin).json() == {"count": 1}
    assert table(query(filled, columns=["InstanceNumber"], **thin)).num_rows == 1
    assert query(filled, what="count", where="").json() == {"count": 4}
    answer = query(filled, what="count", where="Modality=CT and SliceThicknes<2")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "SliceThickness" in error["hint"]
    assert error["detail"]["position"] == 16
