"""Frames and pixel data over the web in every media type that can be reached, decoded by somebody else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from foreign_decoders import decoded_by_another
from web_answers import EXPLICIT, parts_of, pydicom_file, stored

Make = Callable[..., bytes]

IMAGES = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_RLE.dcm",
    "693_J2KI.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "examples_palette.dcm",
    "image_dfl.dcm",
    "emri_small.dcm",
]
TYPES = {
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", IMAGES)
def test_a_frame_in_another_media_type_has_the_same_pixels(web: Any, name: str, kind: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    count = int(was.get("NumberOfFrames", 1))
    pixels = was.pixel_array if count == 1 else was.pixel_array[count - 1]
    syntax = TYPES[kind]
    accept = f"{kind}; transfer-syntax={syntax}"
    answer = web.get(f"{path}/frames/{count}", headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == accept
    assert np.array_equal(decoded_by_another(answer.content, syntax, was, pixels), pixels)
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_an_image_type_without_a_transfer_syntax_is_as_stored_else_without_loss(web: Any) -> None:
    native, jpeg = (
        stored(web, pydicom_file("CT_small.dcm")),
        stored(web, pydicom_file("SC_rgb_jpeg_dcmtk.dcm")),
    )
    for path, kind, syntax in [
        (native, "image/jpeg", "1.2.840.10008.1.2.4.70"),
        (native, "image/*", "1.2.840.10008.1.2.4.90"),
        (jpeg, "image/jpeg", "1.2.840.10008.1.2.4.50"),
        (jpeg, "image/*", "1.2.840.10008.1.2.4.50"),
        (jpeg, "image/jls", "1.2.840.10008.1.2.4.80"),
    ]:
        answer = web.get(path + "/frames/1", headers={"Accept": kind})
        assert answer.headers["Content-Type"].endswith(syntax)
        ((told, _),) = parts_of(
            web.get(path + "/frames/1", headers={"Accept": f'multipart/related; type="{kind}"'})
        )
        assert told.endswith(syntax)


@pytest.mark.parametrize("syntax", ["4.50", "4.51", "4.81", "4.91", "4.201"])
def test_nothing_is_encoded_with_loss(web: Any, syntax: str) -> None:
    path = stored(web, pydicom_file("CT_small.dcm"))
    for kind in ("image/jpeg", "image/jls", "image/jp2", "image/jphc", "application/octet-stream"):
        accept = f"{kind}; transfer-syntax=1.2.840.10008.1.2.{syntax}"
        assert web.get(path + "/frames/1", headers={"Accept": accept}).status_code == 406


def test_only_the_frame_asked_for_is_made_and_it_is_kept(web: Any) -> None:
    path = stored(web, pydicom_file("examples_ybr_color.dcm"))
    for _ in range(2):
        answer = web.get(path + "/frames/7", headers={"Accept": "application/octet-stream"})
        assert answer.status_code == 200
    kept = [file.name for file in (web.context.cache / "1").rglob("*") if file.is_file()]
    assert kept == [f"7.{EXPLICIT}"]
    again = web.get(
        path + "/frames/7",
        headers={"Accept": "application/octet-stream", "If-None-Match": answer.headers["ETag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


def test_damaged_pixels_are_an_error_and_no_cut_answer(web: Any) -> None:
    sent = pydicom.dcmread(io.BytesIO(pydicom_file("MR_small_jp2klossless.dcm")))
    sent.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(500)])
    raw = io.BytesIO()
    sent.save_as(raw)
    path = stored(web, raw.getvalue())
    answer = web.get(path + "/frames/1", headers={"Accept": "application/octet-stream"})
    assert answer.status_code == 406
    assert "transfer-syntax=*" in answer.json()["error"]["hint"]


def test_frames_that_nobody_decodes_come_as_stored_to_who_takes_anything(web: Any) -> None:
    path = stored(web, pydicom_file("JPGExtended.dcm"))  # 12 bits
    for accept in ("*/*", "application/octet-stream, image/jpeg"):
        answer = web.get(path + "/frames/1", headers={"Accept": accept})
        assert answer.status_code == 200
        assert b"image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.51" in (
            answer.content + answer.headers["Content-Type"].encode()
        )
    refused = web.get(path + "/frames/1", headers={"Accept": "application/octet-stream"})
    assert refused.status_code == 406


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "693_J2KI.dcm", "SC_rgb_rle_2frame.dcm", "emri_small_RLE.dcm"]
)
def test_compressed_pixel_data_as_one_uncompressed_value_and_in_ranges(web: Any, name: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    (document,) = web.get(path + "/metadata").json()
    whole = was.pixel_array.astype(was.pixel_array.dtype.newbyteorder("<")).tobytes()
    for uri in (document["7FE00010"]["BulkDataURI"], web.url + path + "/pixeldata"):
        answer = web.web.get(uri, headers={"Accept": "application/octet-stream"}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.content == whole
        etag = answer.headers["ETag"]
        headers = {"Accept": "application/octet-stream", "Range": f"bytes=5-{len(whole) - 7}"}
        part = web.web.get(uri, headers={**headers, "If-Range": etag}, timeout=60)
        assert (part.status_code, part.content) == (206, whole[5 : len(whole) - 6])
        assert web.web.get(uri, headers={**headers, "If-Range": '"x"'}, timeout=60).status_code == 200
        past = web.web.get(uri, headers={**headers, "Range": "bytes=999999999-"}, timeout=60)
        assert (past.status_code, past.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    parts = parts_of(
        web.get(path + "/pixeldata", headers={"Accept": "multipart/related; type=application/octet-stream"})
    )
    assert [body for _, body in parts] == [whole]
    as_stored = parts_of(web.get(path + "/pixeldata", headers={
        "Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}))  # fmt: skip
    frames = pydicom.encaps.generate_frames(was.PixelData, number_of_frames=int(was.get("NumberOfFrames", 1)))
    assert [body for _, body in as_stored] == list(frames)


def test_pixel_data_of_a_study_with_a_video_and_a_report(web: Any, make: Make) -> None:
    video = make(3, pixels=b"", Rows=16, Columns=16)
    uid = b"1.2.840.10008.1.2.4.102\0"
    body = pydicom.encaps.encapsulate([b"first", b"second"], has_bot=False)
    raw = pydicom.dcmread(io.BytesIO(video))
    raw.file_meta.TransferSyntaxUID = uid.decode().strip("\0")
    raw.PixelData = body
    raw["PixelData"].VR = "OB"
    raw["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    raw.save_as(out)
    web.store(make(1, pixels=bytes(8), Rows=2, Columns=2, BitsAllocated=16), make(2), out.getvalue())
    accept = "multipart/related; type=application/octet-stream; transfer-syntax=*"
    accept += ", multipart/related; type=video/mp4"
    parts = parts_of(web.get("/dicom-web/studies/1.2.3/pixeldata", headers={"Accept": accept}))
    assert [(kind.partition(";")[0], body) for kind, body in parts] == [
        ("application/octet-stream", bytes(8)),
        ("video/mp4", b"first\0second"),
    ]
    single = web.get(
        "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.3/pixeldata",
        headers={"Accept": "video/mp4"},
    )
    assert single.content == b"first\0second"
    assert web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.2/pixeldata").status_code == 404
    refused = web.get("/dicom-web/studies/1.2.3/pixeldata", headers={"Accept": "image/jxl"})
    assert refused.status_code == 406


def test_bulk_data_by_path_of_several_and_of_a_study(web: Any, tmp_path: Path) -> None:
    was = pydicom.dcmread(io.BytesIO(pydicom_file("CT_small.dcm")))
    long = bytes(range(250)) * 10
    item = pydicom.Dataset()
    item.add_new(0x00420011, "OB", long)
    was.ReferencedImageSequence = [pydicom.Dataset(), item]
    raw = io.BytesIO()
    was.save_as(raw)
    path = stored(web, raw.getvalue())
    found = web.get(path + "/bulkdata/ReferencedImageSequence/2/00420011")
    assert (found.status_code, found.content) == (200, long)
    part = web.get(path + "/bulkdata/00081140/2/EncapsulatedDocument", headers={"Range": "bytes=-3"})
    assert (part.status_code, part.content) == (206, long[-3:])
    assert web.get(path + "/bulkdata/PixelData").content == was.PixelData
    for wrong, status in [
        ("00081140", 404),
        ("00081140/3/00420011", 404),
        ("00081140/2", 400),
        ("Nonsense", 400),
    ]:
        assert web.get(f"{path}/bulkdata/{wrong}").status_code == status
    for url in (path, path.partition("/instances")[0], path.partition("/series")[0]):
        answer = web.get(url + "/bulkdata")
        values = [body for _, body in parts_of(answer)]
        assert (values[0], values[-1], len(values)) == (long, was.PixelData, 3)
        assert b"Content-Location: " + web.url.encode() in answer.content
    (document,) = web.get(path + "/metadata").json()
    uris = [
        document["00081140"]["Value"][1]["00420011"]["BulkDataURI"].partition("?")[2],
        document["7FE00010"]["BulkDataURI"].partition("?")[2],
    ]
    both = web.get(path + "/bulkdata?" + "&".join(uris), headers={"Accept": "multipart/related"})
    assert [body for _, body in parts_of(both)] == [long, was.PixelData]
