"""What a sender is told about each instance."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.store_answer import answer, failure, success
from isocenter.errors import Conflict, IsocenterError, NoSpace, UnreadableObject
from isocenter.http.failures import UnsupportedMedia

ROOT = "http://here/dicom-web"
KEYS = {"StudyInstanceUID": "1", "SeriesInstanceUID": "2", "SOPInstanceUID": "3", "SOPClassUID": "4"}


def test_all_stored_is_200_with_the_urls() -> None:
    status, module = answer([success(KEYS), success({**KEYS, "SOPInstanceUID": "5"})], ROOT)
    assert status == 200
    assert module["00081190"]["Value"] == [f"{ROOT}/studies/1"]
    urls = [item["00081190"]["Value"][0] for item in module["00081199"]["Value"]]
    assert urls == [f"{ROOT}/studies/1/series/2/instances/{n}" for n in (3, 5)]
    assert "00081198" not in module


def test_several_studies_have_no_one_url() -> None:
    _, module = answer([success(KEYS), success({**KEYS, "StudyInstanceUID": "9"})], ROOT)
    assert "00081190" not in module


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (NoSpace("full"), 0xA700, 507),
        (UnreadableObject("no DICOM"), 0xC000, 400),
        (Conflict("other study", detail={"keyword": "StudyInstanceUID"}), 0xC002, 409),
        (UnsupportedMedia("a picture"), 0xC000, 415),
        (Conflict("other bytes"), 0xC001, 409),
        (IsocenterError("?"), 0x0110, 500),
        (ValueError("a fault of ours"), 0x0110, 500),
    ],
)
def test_failures_have_reasons(error: Exception, reason: int, status: int) -> None:
    alone, module = answer([failure(error, "4", "3")], ROOT)
    assert alone == status
    item = module["00081198"]["Value"][0]
    assert item["00081197"] == {"vr": "US", "Value": [reason]}
    assert item["00081155"] == {"vr": "UI", "Value": ["3"]}
    assert "fault of ours" not in str(module)


def test_some_stored_is_202_and_a_mixture_of_failures_409() -> None:
    broken, full = failure(UnreadableObject("x"), "4", "3"), failure(NoSpace("y"))
    assert answer([success(KEYS), broken], ROOT)[0] == 202
    status, module = answer([broken, full], ROOT)
    assert status == 409
    assert len(module["00081198"]["Value"]) == 1
    assert len(module["0008119A"]["Value"]) == 1
