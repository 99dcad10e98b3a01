"""Searching over the web: all six resources, keys of every kind, and what is told besides the results."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_archive import LiveArchive, instance, serving
from web_answers import parts_of, pydicom_file

from isocenter.dicom.xml_model import from_xml
from isocenter.index import Put

EXPLICIT = "1.2.840.10008.1.2.1"
Make = Callable[..., bytes]
ALL_RESOURCES = [
    "/studies",
    "/series",
    "/instances",
    "/studies/1.2.3/series",
    "/studies/1.2.3/instances",
    "/studies/1.2.3/series/1.2.3.1/instances",
]


def values(results: list[dict[str, Any]], tag: str) -> list[Any]:
    return [one[tag]["Value"][0] for one in results]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """Two studies: one of two series of CT and SR, one of MR; for tests that only ask."""
    make = instance
    files = [make(n, PatientName="Müller^Jörg", PatientID="A", SliceThickness="1.5") for n in (1, 2)]
    files.append(make(1, series="2", Modality="SR", PatientName="Müller^Jörg", PatientID="A"))
    other = {"PatientName": "Doe^Jane", "PatientID": "B", "StudyDate": "20230101", "StudyTime": "101500"}
    files.append(make(1, study="1.2.4", Modality="MR", SliceThickness="3", **other))
    with serving(tmp_path_factory.mktemp("qido") / "data") as start:
        web = start()
        assert web.store(*files).status_code == 200
        yield web


@pytest.mark.parametrize("path", ALL_RESOURCES)
def test_an_empty_archive_answers_with_an_empty_list(web: Any, path: str) -> None:
    answer = web.get("/dicom-web" + path)
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["Content-Type"] == "application/dicom+json"


@pytest.mark.parametrize(("path", "count"), list(zip(ALL_RESOURCES, (2, 3, 4, 2, 3, 2), strict=True)))
def test_every_resource_has_its_results(filled: Any, path: str, count: int) -> None:
    assert len(filled.search(path)) == count


def test_a_study_has_its_attributes_counts_and_modalities(filled: Any) -> None:
    (study,) = filled.search("/studies", PatientID="A")
    assert study["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]}
    assert study["00080061"]["Value"] == ["CT", "SR"]
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [3]
    assert study["00081190"]["Value"] == [f"{filled.url}/dicom-web/studies/1.2.3"]
    assert study["00080056"]["Value"] == ["ONLINE"]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"PatientName": "müller*"}, ["1.2.3"]),
        ({"00100010": "MULLER^JORG"}, ["1.2.3"]),
        ({"PatientName": "*"}, ["1.2.3", "1.2.4"]),
        ({"StudyDate": "20230101-20231231"}, ["1.2.4"]),
        ({"StudyDate": "-20231231"}, ["1.2.4"]),
        ({"StudyDate": "20230101", "StudyTime": "1000-1100"}, ["1.2.4"]),
        ({"StudyInstanceUID": "1.2.3,1.2.4,9"}, ["1.2.3", "1.2.4"]),
        ({"StudyInstanceUID": "1.2.3\\9"}, ["1.2.3"]),
        ({"StudyInstanceUID": ["1.2.3", "1.2.4"]}, ["1.2.3", "1.2.4"]),
        ({"ModalitiesInStudy": "SR"}, ["1.2.3"]),
        ({"Modality": "MR"}, ["1.2.4"]),
        ({"AccessionNumber": ""}, ["1.2.3", "1.2.4"]),
        ({"AccessionNumber": '""'}, ["1.2.3", "1.2.4"]),
        ({"PatientID": "nobody"}, []),
        ({"SliceThickness": "3"}, ["1.2.4"]),
        ({"00180050": "1.5", "PatientID": "A"}, ["1.2.3"]),
    ],
)
def test_studies_are_found_by_keys(filled: Any, parameters: dict[str, Any], found: list[str]) -> None:
    assert sorted(values(filled.search("/studies", **parameters), "0020000D")) == found


def test_sequences_are_matched_by_dotted_paths(web: Any, make: Make) -> None:
    web.store(make(1))
    assert web.search("/series", **{"RequestAttributesSequence.ScheduledProcedureStepID": "X"}) == []
    assert len(web.search("/series", **{"00400275.00400009": ""})) == 1


def test_a_relational_search_shows_the_levels_above(filled: Any) -> None:
    (series,) = filled.search("/series", Modality="MR")
    assert series["0020000D"]["Value"] == ["1.2.4"]
    assert series["00100020"]["Value"] == ["B"]
    (instance,) = filled.search("/instances", PatientID="B")
    assert instance["0020000E"]["Value"] == ["1.2.4.1"]
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert instance["00080060"]["Value"] == ["MR"]


def test_included_fields_come_with_the_result(filled: Any) -> None:
    assert "00080020" in filled.search("/studies", includefield="StudyDate")[0]
    plain, full = filled.search("/studies"), filled.search("/studies", includefield="all")
    assert "00101010" not in plain[0]
    assert "00101010" in full[0]
    assert "00101010" in filled.search("/studies", includefield="00101010")[0]


def test_any_attribute_is_included_from_the_catalog(web: Any) -> None:
    web.store(pydicom_file("CT_small.dcm"), pydicom_file("rtplan.dcm"))
    fields = ["KVP,SliceThickness", "0043,GEMS_PARM_01,27", "BeamSequence.BeamName", "DoseReferenceSequence"]
    for level in ("studies", "series", "instances"):
        (ct,) = web.search(f"/{level}", includefield=fields, Modality="CT")
        (plan,) = web.search(f"/{level}", includefield=fields, Modality="RTPLAN")
        assert ct["00180060"] == {"vr": "DS", "Value": [120]}
        assert ct["00180050"] == {"vr": "DS", "Value": [5]}
        assert ct["00430010"] == {"vr": "LO", "Value": ["GEMS_PARM_01"]}
        assert ct["00431027"]["Value"] == ["/1.0:1"]
        assert ct["300A00B0"] == {"vr": "SQ"}
        assert plan["00180060"] == {"vr": "DS"}
        assert plan["300A00B0"] == {"vr": "SQ", "Value": [{"300A00C2": {"vr": "LO", "Value": ["Field 1"]}}]}
        assert len(plan["300A0010"]["Value"]) == 2
        assert "300A0014" in plan["300A0010"]["Value"][0]


def test_bulk_data_of_an_included_field_has_a_link_that_works(web: Any, make: Make) -> None:
    web.store(make(1, TextValue="x" * 3000))
    (found,) = web.search("/studies", includefield="TextValue")
    answer = web.web.get(found["0040A160"]["BulkDataURI"], timeout=60)
    assert answer.content.rstrip() == b"x" * 3000


def test_matched_attributes_beyond_the_index_come_with_the_result(filled: Any) -> None:
    (found,) = filled.search("/series", SliceThickness="3")
    assert found["00180050"]["Value"] == [3]


def test_attributes_below_the_level_are_not_returned(filled: Any) -> None:
    (found,) = filled.search("/studies", Modality="MR", includefield="InstanceNumber")
    assert not {"00080060", "00200013"} & set(found)


def test_transfer_syntaxes_are_told_above_the_instance_when_they_are_asked_for(filled: Any) -> None:
    assert "00083002" not in filled.search("/studies")[0]
    for path in ("/studies", "/series"):
        for found in filled.search(path, includefield="AvailableTransferSyntaxUID"):
            assert found["00083002"] == {"vr": "UI", "Value": [EXPLICIT]}
    assert len(filled.search("/studies", AvailableTransferSyntaxUID=EXPLICIT)) == 2
    assert filled.search("/studies", AvailableTransferSyntaxUID="1.2.840.10008.1.2.5") == []
    assert filled.search("/studies", InstanceAvailability="OFFLINE") == []
    assert len(filled.search("/studies", InstanceAvailability="ONLINE")) == 2


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Mueller", ["1.2.3"]),
        ("JOERG MILLER", ["1.2.3"]),
        ("Yorg", ["1.2.3"]),
        ("mül", ["1.2.3"]),
        ("Doe Jayne", ["1.2.4"]),
        ("jane^doe", ["1.2.4"]),
        ("Smith", []),
    ],
)
def test_names_are_found_by_their_sound(filled: Any, name: str, found: list[str]) -> None:
    fuzzy = filled.search("/studies", PatientName=name, fuzzymatching="true")
    assert values(fuzzy, "0020000D") == found
    assert filled.search("/studies", PatientName="Mueller") == []


def test_names_that_come_later_are_found_by_their_sound_too(web: Any, make: Make) -> None:
    def found() -> list[str]:
        return values(web.search("/studies", PatientName="Maier", fuzzymatching="true"), "0020000D")

    web.store(make(1, PatientName="Meyer^A"))
    assert found() == ["1.2.3"]
    web.store(make(1, study="5.6", PatientName="Mayr^B"))
    assert found() == ["1.2.3", "5.6"]


def test_keys_of_one_sequence_are_matched_in_one_item(web: Any) -> None:
    web.store(pydicom_file("rtplan.dcm"))
    number, text = (f"DoseReferenceSequence.DoseReference{what}" for what in ("Number", "Description"))
    assert len(web.search("/instances", **{number: "1", text: "iso"})) == 1
    assert len(web.search("/instances", **{number: "2", text: "P*"})) == 1
    assert web.search("/instances", **{number: "1", text: "PTV"}) == []


def test_empty_and_multiple_values_can_be_switched(filled: Any) -> None:
    assert len(filled.search("/studies", AccessionNumber='""', emptyvaluematching="true")) == 2
    assert filled.search("/studies", AccessionNumber='""', emptyvaluematching="false") == []
    both = {"PatientID": "A\\B"}
    assert len(filled.search("/studies", **both, multiplevaluematching="true")) == 2
    assert filled.search("/studies", **both, multiplevaluematching="false") == []


def test_what_is_left_behind_a_limit_is_told(filled: Any) -> None:
    answer = filled.get("/dicom-web/instances?limit=1")
    root = f"{filled.url}/dicom-web"
    assert answer.headers["Warning"] == (f"299 {root}: There are 3 additional results that can be requested")
    assert "Warning" not in filled.get("/dicom-web/instances?limit=4").headers
    assert "Warning" not in filled.get("/dicom-web/instances?limit=1&offset=3").headers
    beyond = filled.get("/dicom-web/instances?SliceThickness=1.5&limit=1")
    assert "There are 1 additional results" in beyond.headers["Warning"]


def test_the_total_is_told_on_request(filled: Any) -> None:
    assert filled.get("/dicom-web/instances?limit=1&count=true").headers["X-Total-Count"] == "4"
    answer = filled.get("/dicom-web/series?limit=0&count=true&Modality=CT")
    assert (answer.json(), answer.headers["X-Total-Count"]) == ([], "1")
    assert "X-Total-Count" not in filled.get("/dicom-web/instances").headers


def test_more_results_than_the_settings_allow_are_413(serve: Any, make: Make) -> None:
    web = serve(dicomweb={"search_results": 250})
    web.store(*(make(n) for n in range(1, 252)))
    assert web.get("/dicom-web/instances").status_code == 413
    assert web.get("/dicom-web/instances?limit=1000").status_code == 413
    assert len(web.search("/instances", limit=250)) == 250
    assert len(web.search("/instances", offset=1)) == 250


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom+xml"',
        "multipart/related;type=application/dicom+xml",
        "application/dicom+xml",
        'application/dicom+json;q=0.5, multipart/related; type="application/dicom+xml"',
    ],
)
def test_results_are_xml_for_who_asks(filled: Any, accept: str) -> None:
    answer = filled.get("/dicom-web/studies", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom+xml"')
    parts = parts_of(answer)
    assert [kind for kind, _ in parts] == ["application/dicom+xml"] * 2
    assert [from_xml(body) for _, body in parts] == filled.search("/studies")
    none = filled.get("/dicom-web/studies?PatientID=nobody", headers={"Accept": accept})
    assert parts_of(none) == []


@pytest.mark.parametrize("accept", ["text/html", 'multipart/related; type="application/dicom"', "image/png"])
def test_other_representations_are_406(filled: Any, accept: str) -> None:
    assert filled.get("/dicom-web/studies", headers={"Accept": accept}).status_code == 406


def test_a_short_answer_has_its_length(filled: Any) -> None:
    answer = filled.get("/dicom-web/studies")
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_limit_and_offset_walk_through_all_results_in_one_order(web: Any, make: Make) -> None:
    web.store(*(make(n) for n in range(1, 8)))
    whole = values(web.search("/instances"), "00080018")
    walked = [values(web.search("/instances", limit=3, offset=start), "00080018") for start in (0, 3, 6)]
    assert list(itertools.chain(*walked)) == whole
    assert len(whole) == 7
    assert web.search("/instances", limit=0) == []
    assert web.search("/instances", offset=100) == []


def test_a_search_of_many_pages_is_whole(web: Any, make: Make) -> None:
    web.store(*(make(n) for n in range(1, 450)))
    results = web.search("/instances")
    assert len(set(values(results, "00080018"))) == 449


@pytest.mark.slow
def test_an_answer_longer_than_any_buffer_is_whole(web: Any) -> None:
    count = 10_500
    keys = {
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.3",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    }
    rows = [
        Put({**keys, "SOPInstanceUID": f"1.2.3.{n}"}, b"", EXPLICIT, 0, f"none/{n}", 1, f"{n:064x}")
        for n in range(count)
    ]
    web.main.index.writer.commit(rows)
    assert len(set(values(web.search("/instances"), "00080018"))) == count
    # One that is left in the middle gives its transaction back: storing goes on.
    with web.get("/dicom-web/instances", stream=True) as left:
        next(left.iter_content(1000))
    web.main.index.writer.commit([dataclasses.replace(rows[0], object="none/x", sha256="f" * 64)])


def test_what_is_not_known_or_not_done_is_a_warning(filled: Any) -> None:
    answer = filled.get("/dicom-web/studies?PatientIdd=x&orderby=StudyDate&fuzzymatching=true&PatientID=A")
    assert answer.status_code == 200
    assert len(answer.json()) == 1
    warnings = answer.headers["Warning"]
    assert warnings.startswith(f"299 {filled.url}/dicom-web: ")
    assert "PatientIdd, orderby" in warnings
    fuzzy = filled.get("/dicom-web/studies?ScheduledPerformingPhysicianName=x&fuzzymatching=true")
    told = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
    assert fuzzy.headers["Warning"].endswith(told)
    assert "Warning" not in filled.get("/dicom-web/studies?PatientID=A").headers
    assert filled.get("/dicom-web/studies?%0d%0aX=1").status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=x", "offset=-1", "StudyDate=yesterday", "StudyDate=2024*", "fuzzymatching=maybe"]
)
def test_values_that_fit_no_attribute_are_400(filled: Any, query: str) -> None:
    answer = filled.get("/dicom-web/studies?" + query)
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ('multipart/related; type="application/dicom+xml", application/dicom+json;q=0.9', 200),
        ("text/html", 406),
    ],
)
def test_the_accept_parameter_says_what_the_header_says(filled: Any, accept: str, status: int) -> None:
    assert filled.get("/dicom-web/studies", headers={"Accept": accept}).status_code == status
    assert filled.get("/dicom-web/studies", params={"accept": accept}).status_code == status


def test_head_tells_the_same_without_a_body(filled: Any) -> None:
    answer = filled.web.head(filled.url + "/dicom-web/studies", timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")


def test_datasets_are_apart(serve: Any, make: Make) -> None:
    web = serve(datasets={"lab": {"ae_title": "LAB"}})
    web.store(make(1), path="/datasets/lab/dicom-web/studies")
    assert web.search("/studies") == []
    found = web.get("/datasets/lab/dicom-web/studies").json()
    assert found[0]["00081190"]["Value"] == [f"{web.url}/datasets/lab/dicom-web/studies/1.2.3"]
    assert len(web.get("/datasets/main/dicom-web/studies").json()) == 0
