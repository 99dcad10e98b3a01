"""`/api/tables/group`, `histogram`, `describe`, `facets`: over HTTP, at every level; mistakes are named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from live_archive import LiveArchive, instance, serving

from isocenter.dicom.predicate import Equal, to_json
from isocenter.rest.formats import ARROW, CSV, NDJSON

CT = to_json(Equal(("Modality",), "CT"))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """Three CT instances in a series and an MR without slice thickness, half of them flushed."""
    with serving(tmp_path_factory.mktemp("summaries") / "data") as start:
        web = start()
        web.store(*(instance(n, SliceThickness=str(n), ImageType="ORIGINAL\\AXIAL") for n in (1, 2)))
        web.main.flush()
        web.store(
            instance(3, SliceThickness="3", ImageType="DERIVED\\AXIAL"),
            instance(1, study="1.2.4", PatientID="P2", PatientName="Doe^Jane", Modality="MR"),
        )
        yield web


def ask(web: Any, what: str, accept: str = ARROW, **asked: Any) -> Any:
    return web.post(f"/api/tables/{what}", json=asked, headers={"Accept": accept})


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    return found


def test_counts_by_value_the_most_frequent_first(web: Any) -> None:
    assert rows(ask(web, "group", columns=["Modality"])) == [
        {"Modality": "CT", "count": 3},
        {"Modality": "MR", "count": 1},
    ]
    assert rows(ask(web, "group", level="series", columns=["Modality", "PatientID"], limit=1)) == [
        {"Modality": "CT", "PatientID": "P1", "count": 1}
    ]
    assert (
        ask(web, "group", CSV, columns=["Modality"], where="Modality=CT").text == "Modality,count\r\nCT,3\r\n"
    )
    by_value = rows(ask(web, "group", columns=["Modality"], order=[["Modality", "desc"]]))
    assert [row["Modality"] for row in by_value] == ["MR", "CT"]


def test_values_of_lists_and_missing_ones_count(web: Any) -> None:
    found = {row["ImageType"]: row["count"] for row in rows(ask(web, "group", columns=["ImageType"]))}
    assert found["AXIAL"] == 3
    assert found["ORIGINAL"] == 2
    assert {None: 1}.items() <= {
        row["SliceThickness"]: row["count"] for row in rows(ask(web, "group", columns=["SliceThickness"]))
    }.items()


def test_patients_are_a_level(web: Any) -> None:
    asked = {"level": "patient", "columns": ["PatientID", "NumberOfPatientRelatedInstances"]}
    found = rows(ask(web, "query", **asked, order=["PatientID"]))
    assert [row["NumberOfPatientRelatedInstances"] for row in found] == [3, 1]
    assert ask(web, "count", level="patient").json() == {"count": 2}
    assert rows(ask(web, "group", level="patient", columns=["NumberOfPatientRelatedInstances"]))
    assert len(web.get("/api/tables/columns?level=patient").json()) > 5


def test_a_histogram_and_a_description_are_tables(web: Any) -> None:
    assert rows(ask(web, "histogram", column="SliceThickness", bins=2)) == [
        {"low": 1.0, "high": 2.0, "count": 1},
        {"low": 2.0, "high": 3.0, "count": 2},
    ]
    (told,) = rows(ask(web, "describe", columns=["SliceThickness"]))
    assert (told["count"], told["missing"], told["median"]) == (3, 1, 2.0)
    assert "SeriesInstanceUID" in ask(web, "describe", NDJSON, level="series").text


def test_a_count_with_sizes(web: Any) -> None:
    sizes = [row["_size"] for row in rows(ask(web, "query", columns=["_size"]))]
    assert ask(web, "count", level="study", sizes=True).json() == {
        "count": 2,
        "instances": 4,
        "size": sum(sizes),
    }
    told = ask(web, "count", where="Modality=XX", sizes=True).json()
    assert told == {"count": 0, "instances": 0, "size": 0}


def test_facets_of_one_request(web: Any) -> None:
    facets = [{"column": "Modality", "where": None}, {"column": "SliceThickness", "bins": 2, "where": CT}]
    told = ask(web, "facets", facets=facets).json()
    modality, thickness = told["facets"]
    assert told["count"] == 4
    assert modality["values"] == [{"value": "CT", "count": 3}, {"value": "MR", "count": 1}]
    assert (thickness["missing"], [one["count"] for one in thickness["bins"]]) == (0, [1, 2])
    dates = ask(web, "facets", level="study", facets=[{"column": "StudyDate", "bins": 4}]).json()
    assert dates["facets"][0]["bins"][0]["low"] == "2024-02-29"


@pytest.mark.parametrize(
    ("what", "asked", "told"),
    [
        ("group", {"columns": ["Modalitty"]}, "Modality"),
        ("group", {}, "columns"),
        ("group", {"columns": []}, "columns"),
        ("group", {"columns": ["Modality"] * 17}, "columns"),
        ("group", {"columns": ["Modality"], "order": ["counts"]}, "did you mean count"),
        ("group", {"columns": ["Modality; DROP TABLE live"]}, "no DICOM attribute"),
        ("group", {"columns": ["Modality"], "level": "patients"}, "patient"),
        ("histogram", {"column": "Modality"}, "numbers"),
        ("histogram", {"column": "SliceThickness", "bins": 0}, "bins"),
        ("histogram", {"bins": 3}, "column"),
        ("describe", {"columns": ["Modalitty"]}, "Modality"),
        ("facets", {"facets": [{"colum": "Modality"}]}, "column"),
        ("facets", {"facets": ["Modality"]}, "object"),
        ("facets", {"facets": [{"column": "Modality", "limit": 5000}]}, "limit"),
        ("facets", {}, "facets"),
    ],
)
def test_mistakes_are_400_and_name_what_was_meant(web: Any, what: str, asked: Any, told: str) -> None:
    answer = ask(web, what, **asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert told in error["message"] + error["hint"]


def test_rights_are_those_of_the_dataset(web: Any) -> None:
    assert ask(web, "group", columns=["Modality"], dataset="none").status_code == 404
    assert ask(web, "group", "application/pdf", columns=["Modality"]).status_code == 406
