"""Frames over the web: as they are stored, or decoded."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from web_answers import EXPLICIT, parts_of, pydicom_file, stored

Make = Callable[..., bytes]
AS_STORED = {"Accept": "multipart/related; type=application/dicom; transfer-syntax=*"}


def test_native_frames_one_several_and_as_octets(web: Any, make: Make) -> None:
    frames = [hashlib.sha256(bytes([n])).digest()[:16] for n in range(3)]
    raw = make(1, Rows=4, Columns=4, BitsAllocated=8, NumberOfFrames="3", pixels=b"".join(frames))
    path = stored(web, raw)
    parts = parts_of(web.get(path + "/frames/1"))
    assert parts == [(f"application/octet-stream; transfer-syntax={EXPLICIT}", frames[0])]
    assert [body for _, body in parts_of(web.get(path + "/frames/3,1"))] == [frames[2], frames[0]]
    assert [body for _, body in parts_of(web.get(path + "/frames/2%2C3"))] == frames[1:]
    single = web.get(path + "/frames/2", headers={"Accept": "application/octet-stream"})
    assert single.content == frames[1]
    assert int(single.headers["Content-Length"]) == 16
    for wrong, status in [("4", 404), ("0", 400), ("x", 400), ("1,,2", 400), ("-1", 400), ("9" * 30, 400)]:
        assert web.get(path + f"/frames/{wrong}").status_code == status


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("JPEG2000.dcm", "image/jp2"),
        ("MR_small_RLE.dcm", "image/dicom-rle"),
        ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("color3d_jpeg_baseline.dcm", "image/jpeg"),
    ],
)
def test_compressed_frames_as_stored(web: Any, name: str, kind: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    count = int(was.get("NumberOfFrames", 1))
    last = list(pydicom.encaps.generate_frames(was.PixelData, number_of_frames=count))[-1]
    syntax = was.file_meta.TransferSyntaxUID
    for accept in (
        f'type="{kind}"',
        f"type={kind}; transfer-syntax={syntax}",
        "type=application/octet-stream; transfer-syntax=*",
    ):
        ((told, body),) = parts_of(
            web.get(f"{path}/frames/{count}", headers={"Accept": f"multipart/related; {accept}"})
        )
        assert told == f"{kind}; transfer-syntax={syntax}"
        assert body == last


@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "MR_small_implicit.dcm",
        "liver_1frame.dcm",
    ],
)
def test_frames_as_octets_are_decoded_little_endian(web: Any, name: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    ((told, body),) = parts_of(web.get(path + "/frames/1"))
    assert told == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    pixels = was.pixel_array if was.get("NumberOfFrames", 1) == 1 else was.pixel_array[0]
    if was.BitsAllocated == 1:
        import numpy as np

        assert (
            np.unpackbits(np.frombuffer(body, "u1"), bitorder="little")[: pixels.size] == pixels.ravel()
        ).all()
    else:
        assert body[: pixels.nbytes] == pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def test_an_instance_without_frames_is_406(web: Any) -> None:
    path = stored(web, pydicom_file("rtplan.dcm"))
    assert web.get(path + "/frames/1").status_code == 406
