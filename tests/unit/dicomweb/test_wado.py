"""Retrieving files over the web: as they are stored, or decoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from web_answers import EXPLICIT, data_set_of, parts_of, pydicom_file, stored

Make = Callable[..., bytes]
AS_STORED = {"Accept": "multipart/related; type=application/dicom; transfer-syntax=*"}


def test_a_study_series_and_instance_come_as_they_were_sent(web: Any, make: Make) -> None:
    sent = [make(n, pixels=bytes([n]) * 1000) for n in (2, 1)] + [make(1, series="2")]
    web.store(*sent)
    for path, count in [("", 3), ("/series/1.2.3.1", 2), ("/series/1.2.3.1/instances/1.2.3.1.2", 1)]:
        answer = web.get("/dicom-web/studies/1.2.3" + path, headers=AS_STORED)
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        parts = parts_of(answer)
        assert len(parts) == count
        assert {kind for kind, _ in parts} == {f"application/dicom; transfer-syntax={EXPLICIT}"}
        assert {data_set_of(body) for _, body in parts} <= {data_set_of(raw) for raw in sent}
    numbers = [pydicom.dcmread(io.BytesIO(body)).InstanceNumber for _, body in parts_of(
        web.get("/dicom-web/studies/1.2.3/series/1.2.3.1", headers=AS_STORED))]  # fmt: skip
    assert numbers == [1, 2]


def test_an_instance_as_a_single_body_in_ranges_and_304(web: Any, make: Make) -> None:
    path = stored(web, make(1, pixels=bytes(range(256)) * 8))
    single = {"Accept": "application/dicom"}
    whole = web.get(path, headers=single)
    assert whole.headers["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert pydicom.dcmread(io.BytesIO(whole.content)).PixelData == bytes(range(256)) * 8
    etag = whole.headers["ETag"]
    again = web.get(path, headers={**single, "If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    part = web.get(path, headers={**single, "Range": "bytes=100-299", "If-Range": etag})
    assert part.status_code == 206
    assert part.content == whole.content[100:300]
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(whole.content)}"
    assert web.get(path, headers={**single, "Range": "bytes=1-", "If-Range": '"x"'}).status_code == 200
    assert web.get(path, headers={**single, "Range": "bytes=9999999-"}).status_code == 416
    head = web.web.head(web.url + path, headers=single, timeout=60)
    assert (int(head.headers["Content-Length"]), head.content) == (len(whole.content), b"")


@pytest.mark.parametrize("name", ["MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm"])
def test_implicit_and_big_endian_never_leave(web: Any, name: str) -> None:
    sent = pydicom_file(name)
    path = stored(web, sent)
    for accept in ("*/*", AS_STORED["Accept"], "application/dicom"):
        answer = web.get(path, headers={"Accept": accept})
        single = accept == "application/dicom"
        kind, body = (answer.headers["Content-Type"], answer.content) if single else parts_of(answer)[0]
        if "dfl" in name and accept == AS_STORED["Accept"]:
            assert kind.endswith("1.2.840.10008.1.2.1.99")
            continue
        assert kind == f"application/dicom; transfer-syntax={EXPLICIT}"
        got, was = pydicom.dcmread(io.BytesIO(body)), pydicom.dcmread(io.BytesIO(sent))
        assert got.file_meta.TransferSyntaxUID == EXPLICIT
        assert (got.pixel_array == was.pixel_array).all()
        assert got.PatientName == was.PatientName
    for refused in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"):
        answer = web.get(path, headers={"Accept": f"application/dicom; transfer-syntax={refused}"})
        assert answer.status_code == 406


@pytest.mark.parametrize(
    "name", ["JPEG2000.dcm", "MR_small_RLE.dcm", "JPEG-LL.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_compressed_files_as_stored_or_decoded(web: Any, name: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    ((kind, body),) = parts_of(web.get(path, headers=AS_STORED))
    assert kind.endswith(was.file_meta.TransferSyntaxUID)
    assert data_set_of(body) == data_set_of(sent)
    ((kind, body),) = parts_of(web.get(path))
    assert kind.endswith(EXPLICIT)
    assert (pydicom.dcmread(io.BytesIO(body)).pixel_array == was.pixel_array).all()
    other = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50'
    refused = web.get(path, headers={"Accept": other})
    assert refused.status_code == 406
    assert was.file_meta.TransferSyntaxUID in refused.json()["error"]["message"]


def test_a_part_of_a_series_that_cannot_be_had_so_is_206(web: Any, make: Make) -> None:
    jpeg = pydicom.dcmread(io.BytesIO(pydicom_file("JPEG2000.dcm")))
    jpeg.StudyInstanceUID, jpeg.SeriesInstanceUID = "1.2.3", "1.2.3.9"
    raw = io.BytesIO()
    jpeg.save_as(raw)
    web.store(raw.getvalue(), make(1))
    wanted = f"multipart/related; type=application/dicom; transfer-syntax={jpeg.file_meta.TransferSyntaxUID}"
    answer = web.get("/dicom-web/studies/1.2.3", headers={"Accept": wanted})
    assert answer.status_code == 206
    assert "1 instances" in answer.headers["Warning"]
    assert len(parts_of(answer)) == 1
    both = f"{wanted}, multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}"
    answer = web.get("/dicom-web/studies/1.2.3", headers={"Accept": both})
    assert answer.status_code == 200
    assert len({kind for kind, _ in parts_of(answer)}) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/studies/9",
        "/studies/1.2.3/series/9",
        "/studies/9/metadata",
        "/studies/1.2.3/series/1.2.3.1/instances/9/frames/1",
        "/studies/9/series/1.2.3.1/instances/1.2.3.1.1",
    ],
)
def test_what_is_not_there_is_404(web: Any, make: Make, path: str) -> None:
    web.store(make(1))
    assert web.get("/dicom-web" + path).status_code == 404


@pytest.mark.parametrize("accept", ["image/jxl", "text/html", "multipart/related; type=image/png"])
def test_what_cannot_be_had_so_is_406(web: Any, make: Make, accept: str) -> None:
    path = stored(web, make(1, Rows=2, Columns=2, BitsAllocated=8, pixels=bytes(4)))
    for end in ("", "/metadata", "/frames/1"):
        assert web.get(path + end, headers={"Accept": accept}).status_code == 406
