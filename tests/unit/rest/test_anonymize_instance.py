"""`/api/instances/{id}/anonymize`: a file as Orthanc answers, by our engine; refusals with their reason."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pydicom
import pytest
from deid_files import IMAGE, stored
from live_archive import LiveArchive, instance, serving

from isocenter.dicom.public_ids import public_id
from isocenter.security import Role

FIRST, RISKY = "1.2.3.1.1", "1.2.3.2.1"
ID = public_id("P1", "1.2.3", "1.2.3.1", FIRST)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    with serving(tmp_path_factory.mktemp("anonymize") / "data") as start:
        server = start()
        stored(server)
        server.store(
            instance(5, study="1.2.5", StudyDescription="Knee of Doe", StudyID="77", PatientSex="F", **IMAGE)
        )
        yield server


def anonymized(web: LiveArchive, id: str, **asked: Any) -> pydicom.FileDataset:
    answer = web.post(f"/api/instances/{id}/anonymize", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/dicom"
    return pydicom.dcmread(io.BytesIO(answer.content))


@pytest.mark.parametrize("id", [ID, ID.upper(), FIRST])
def test_an_instance_is_answered_as_a_file(web: LiveArchive, id: str) -> None:
    made = anonymized(web, id)
    assert made.PatientIdentityRemoved == "YES"
    assert FIRST not in (made.SOPInstanceUID, made.file_meta.MediaStorageSOPInstanceUID)
    assert made.PixelData == IMAGE["pixels"]
    assert b"Doe" not in made.PatientName.original_string
    assert list((web.context.scratch).iterdir()) == []


def test_nothing_is_stored_by_it(web: LiveArchive) -> None:
    before = web.get("/api/statistics").json()
    anonymized(web, FIRST)
    assert web.get("/api/statistics").json() == before


def test_what_is_kept_removed_and_replaced_is_so(web: LiveArchive) -> None:
    made = anonymized(
        web,
        "1.2.5.1.5",
        Keep=["0008-1030", "0020,0010"],
        Remove=["PatientSex"],
        Replace={"PatientName": "Nobody", "PatientComments": "of the trial", "SeriesNumber": 5},
    )
    assert (made.StudyDescription, made.StudyID) == ("Knee of Doe", "77")
    assert "PatientSex" not in made
    assert (made.PatientName, made.PatientComments, made.SeriesNumber) == ("Nobody", "of the trial", 5)


def test_identity_is_kept_by_force_alone_and_said_to_be(web: LiveArchive) -> None:
    refused = web.post(f"/api/instances/{ID}/anonymize", json={"Keep": ["PatientID"]})
    assert refused.status_code == 400
    assert "Force" in refused.json()["error"]["message"]
    made = anonymized(web, FIRST, Keep=["PatientID", "SOPInstanceUID"], Force=True)
    assert (made.PatientID, made.SOPInstanceUID, made.PatientIdentityRemoved) == ("P1", FIRST, "NO")


def test_a_recipe_of_ours_comes_first(web: LiveArchive) -> None:
    made = anonymized(web, FIRST, Recipe={"options": ["full-dates"]}, Keep=["StudyDescription"])
    assert made.StudyDate == "20240229"
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == ["113100", "113106"]


def test_what_may_not_leave_is_kept_back_and_why_is_told(web: LiveArchive) -> None:
    answer = web.post(f"/api/instances/{RISKY}/anonymize", json={})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "quarantined"
    assert "its pixels are not cleared" in error["hint"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"Keep": ["StudyDescriptin"]}, "StudyDescriptin"),
        ({"Keep": ["0009,1001"]}, "private"),
        ({"Keep": ["PixelData"]}, "rules of its own"),
        ({"Keep": ["ReferencedImageSequence"]}, "is a sequence"),
        ({"Keep": ["ReferencedImageSequence.ReferencedSOPInstanceUID"]}, "lacks its items"),
        ({"Keep": ["ReferencedImageSequence[0].ReferencedSOPInstanceUID"]}, "one item"),
        ({"Keep": ["StudyID"], "Remove": ["0020,0010"]}, "in Keep and in Remove"),
        ({"Keep": ["PatientIdentityRemoved"]}, "always written anew"),
        ({"Remove": ["SOPInstanceUID"], "Force": True}, "no such object"),
        ({"Replace": {"PatientBirthDate": "hello"}}, "no value of"),
        ({"Replace": {"Rows": 5}}, "VR US"),
        ({"Replace": {"StudyDescription": ["a"]}}, "is a text"),
        ({"Replace": {"PatientName": "Müller"}}, "ASCII"),
        ({"KeepPrivateTags": True}, "Private elements"),
        ({"PrivateCreator": "ACME"}, "PrivateCreator"),
        ({"KeepSource": False}, "not deleted"),
        ({"DicomVersion": "2008"}, "PS3.15"),
        ({"Asynchronous": True}, "a job"),
        ({"Into": "other"}, "a job"),
        ({"Transcode": "1.2.840.10008.1.2.1"}, "no field"),
        ({"Recipe": {"nonsense": 1}}, "nonsense"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(
    web: LiveArchive, asked: dict[str, Any], words: str
) -> None:
    answer = web.post(f"/api/instances/{FIRST}/anonymize", json=asked)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_attributes_in_sequences_are_kept_with_their_sequence(serve: Callable[..., LiveArchive]) -> None:
    from pydicom.dataset import Dataset

    dataset = pydicom.dcmread(io.BytesIO(instance(1, **IMAGE)))
    item = Dataset()
    item.ScheduledProcedureStepDescription, item.RequestedProcedureDescription = "knee", "leg of Doe"
    dataset.RequestAttributesSequence = [item]
    raw = io.BytesIO()
    dataset.save_as(raw)
    server = serve()
    server.store(raw.getvalue())
    path = "RequestAttributesSequence[*].ScheduledProcedureStepDescription"
    made = anonymized(server, FIRST, Keep=[path])
    assert made.RequestAttributesSequence[0].ScheduledProcedureStepDescription == "knee"
    assert "RequestedProcedureDescription" not in made.RequestAttributesSequence[0]


def test_an_id_of_nothing_is_not_found(web: LiveArchive) -> None:
    for id in (public_id("P1", "1.2.3"), "1.9", "nonsense"):
        assert web.post(f"/api/instances/{id}/anonymize", json={}).status_code == 404


def test_who_may_not_deidentify_is_refused_and_where_results_are_reviewed_everybody(
    serve: Callable[..., LiveArchive],
) -> None:
    server = serve(deid={"review": True})
    stored(server)
    answer = server.post(f"/api/instances/{FIRST}/anonymize", json={})
    assert (answer.status_code, answer.json()["error"]["hint"][:14]) == (409, "POST /api/deid")
    token, _ = server.context.tokens.create("ann", role=Role.READER)
    headers = {"Authorization": f"Bearer {token}"}
    assert server.post(f"/api/instances/{FIRST}/anonymize", json={}, headers=headers).status_code == 403
