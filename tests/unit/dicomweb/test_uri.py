"""WADO-URI: one instance by query parameters, as a file or as a picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pictures import image, state
from PIL import Image
from pydicom import Dataset
from web_answers import EXPLICIT, pydicom_file, stored

Make = Callable[..., bytes]
RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
UIDS = {"studyUID": "1.2.3", "seriesUID": "1.2.3.0", "objectUID": "1.2.3.1"}
PNG = {"contentType": "image/png"}


def file_of(data_set: Dataset) -> bytes:
    target = io.BytesIO()
    data_set.save_as(target, enforce_file_format=True)
    return target.getvalue()


def ask(web: Any, **parameters: Any) -> Any:
    return web.get("/wado", params={"requestType": "WADO", **UIDS, **parameters})


def pixels_of(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as picture:
        return np.asarray(picture)


@pytest.fixture
def ramp(web: Any) -> Any:
    """A server with one image."""
    stored(web, file_of(image(RAMP)))
    return web


def test_without_content_type_an_image_is_a_jpeg(ramp: Any) -> None:
    answer = ask(ramp)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert pixels_of(answer).shape == (8, 8)
    again = ramp.get(
        "/wado", params={"requestType": "WADO", **UIDS}, headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_pictures_and_their_parameters(ramp: Any) -> None:
    assert np.array_equal(pixels_of(ask(ramp, **PNG)), RAMP)
    assert set(np.unique(pixels_of(ask(ramp, windowCenter=100, windowWidth=1, **PNG)))) == {0, 255}
    assert pixels_of(ask(ramp, rows=4, **PNG)).shape == (4, 4)
    assert pixels_of(ask(ramp, rows=4, columns=2, **PNG)).shape == (2, 2)
    assert np.array_equal(pixels_of(ask(ramp, region="0.5,0,1,0.25", **PNG)), RAMP[:2, 4:])
    assert ask(ramp, imageAnnotation="patient,technique", contentType="image/gif").status_code == 200
    low, high = (len(ask(ramp, imageQuality=q).content) for q in (5, 95))
    assert low < high
    assert ask(ramp, contentType="image/webp,image/png").headers["Content-Type"] == "image/png"


def test_a_request_that_means_nothing_is_400_and_says_why(ramp: Any) -> None:
    cases: list[tuple[dict[str, str], str]] = [
        ({"requestType": "FIND"}, "requestType is WADO"),
        ({"objectUID": ""}, "objectUID must be told"),
        ({"windowCenter": "40"}, "together"),
        ({"windowCenter": "40", "windowWidth": "0"}, "at least 1"),
        (
            {"windowCenter": "4", "windowWidth": "9", "presentationUID": "1", "presentationSeriesUID": "1"},
            "own",
        ),
        ({"presentationUID": "1"}, "together"),
        ({"rows": "0"}, "rows"),
        ({"region": "0,0,2,2"}, "xmin"),
        ({"imageQuality": "0"}, "1 to 100"),
        ({"frameNumber": "0"}, "frameNumber=1"),
        ({"frameNumber": "2"}, "frames are 1 to 1"),
    ]
    for parameters, words in cases:
        answer = ask(ramp, **parameters)
        assert (answer.status_code, words in answer.text) == (400, True), answer.text


def test_other_refusals(ramp: Any) -> None:
    assert ask(ramp, objectUID="9.9").status_code == 404
    assert ask(ramp, contentType="text/html").status_code == 406
    assert ask(ramp, presentationUID="9", presentationSeriesUID="9").status_code == 404
    assert ask(ramp, presentationUID="1.2.3.1", presentationSeriesUID="1.2.3.0").status_code == 400
    anonymous = ask(ramp, anonymize="perhaps")
    assert (anonymous.status_code, "anonymize" in anonymous.text) == (400, True)
    assert ask(ramp, anonymize="no").status_code == 200
    odd = ask(ramp, colour="blue")
    assert (odd.status_code, "colour" in odd.headers["Warning"]) == (200, True)


def test_the_dicom_file(web: Any) -> None:
    sent = pydicom_file("JPEG2000.dcm")
    stored(web, sent)
    was = pydicom.dcmread(io.BytesIO(sent))
    uids = {
        "studyUID": was.StudyInstanceUID,
        "seriesUID": was.SeriesInstanceUID,
        "objectUID": was.SOPInstanceUID,
    }
    plain = ask(web, **uids, contentType="application/dicom", rows=3)
    assert plain.headers["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert "rows" in plain.headers["Warning"]
    assert (pydicom.dcmread(io.BytesIO(plain.content)).pixel_array == was.pixel_array).all()
    syntax = str(was.file_meta.TransferSyntaxUID)
    same = ask(web, **uids, contentType="application/dicom", transferSyntax=syntax)
    assert pydicom.dcmread(io.BytesIO(same.content)).PixelData == was.PixelData
    for refused in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"):
        assert ask(web, **uids, contentType="application/dicom", transferSyntax=refused).status_code == 406


def test_frames(web: Any) -> None:
    stored(web, file_of(image(np.stack([RAMP, RAMP + 1, RAMP + 2]))))
    assert ask(web).headers["Content-Type"].startswith("application/dicom")
    assert pixels_of(ask(web, frameNumber=3, **PNG))[0, 0] == 2
    assert ask(web, frameNumber=3).headers["Content-Type"] == "image/jpeg"
    assert ask(web, frameNumber=4).status_code == 400
    with Image.open(io.BytesIO(ask(web, contentType="image/gif").content)) as moving:
        assert moving.n_frames == 3


def test_a_presentation_state_is_applied(ramp: Any) -> None:
    told = state(image(RAMP), PresentationLUTShape="INVERSE")
    told.SeriesInstanceUID = "1.2.3.8"
    stored(ramp, file_of(told))
    shown = ask(ramp, presentationUID="1.2.3.9", presentationSeriesUID="1.2.3.8", **PNG)
    assert np.array_equal(pixels_of(shown), 255 - RAMP)
    itself = ask(ramp, seriesUID="1.2.3.8", objectUID="1.2.3.9", **PNG)
    assert np.array_equal(pixels_of(itself), 255 - RAMP)


def test_reports_and_what_has_no_picture(web: Any, make: Make) -> None:
    sent = pydicom_file("reportsi.dcm")
    stored(web, sent)
    was = pydicom.dcmread(io.BytesIO(sent))
    uids = {
        "studyUID": was.StudyInstanceUID,
        "seriesUID": was.SeriesInstanceUID,
        "objectUID": was.SOPInstanceUID,
    }
    assert ask(web, **uids).headers["Content-Type"] == "text/html; charset=utf-8"
    assert ask(web, **uids, contentType="text/plain").text.startswith("Document Title")
    stored(web, make(1))
    assert (
        ask(web, seriesUID="1.2.3.1", objectUID="1.2.3.1.1")
        .headers["Content-Type"]
        .startswith("application/dicom")
    )


def test_another_dataset_has_its_own(serve: Callable[..., Any]) -> None:
    web = serve(datasets={"lab": {"ae_title": "LAB"}})
    web.store(file_of(image(RAMP)), path="/datasets/lab/dicom-web/studies")
    assert web.get("/datasets/lab/wado", params={"requestType": "WADO", **UIDS}).status_code == 200
    assert ask(web).status_code == 404


def test_capabilities_below_the_root_do_not_name_it(ramp: Any) -> None:
    paths = ramp.get("/dicom-web/openapi.json").json()["paths"]
    assert "/studies/{study}/rendered" in paths
    assert not [path for path in paths if "wado" in path]
