"""Comments and metadata in compressed frames go; the image, its lengths and its offset tables stay."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from isocenter.deid import Deidentifier, Key, Policies, Uncleared
from isocenter.deid.files import End
from isocenter.deid.segments import NotThat, foreign, without

NAME = b"CANARY Jane Doe"
DEID = Deidentifier(Key(bytes(range(32))), policies=Policies(uncleared=Uncleared.KEEP))


def source(name: str) -> tuple[Dataset, bytes]:
    dataset = pydicom.dcmread(str(get_testdata_file(name)))
    return dataset, next(generate_frames(dataset.PixelData, number_of_frames=1))


def jpeg_segment(code: int, data: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(data) + 2).to_bytes(2, "big") + data


def with_jpeg_text(frame: bytes) -> bytes:
    exif, comment = jpeg_segment(0xE1, b"Exif\0\0" + NAME), jpeg_segment(0xFE, NAME)
    return frame[:2] + exif + comment + frame[2:]


def with_jpeg_2000_comment(frame: bytes) -> bytes:
    end = 4 + int.from_bytes(frame[4:6], "big")
    return frame[:end] + b"\xff\x64" + (len(NAME) + 4).to_bytes(2, "big") + b"\0\1" + NAME + frame[end:]


CASES = [
    ("SC_rgb_jpeg_dcmtk.dcm", with_jpeg_text),
    ("MR_small_jpeg_ls_lossless.dcm", with_jpeg_text),
    ("SC_rgb_jpeg_gdcm.dcm", with_jpeg_text),
    ("J2K_pixelrep_mismatch.dcm", with_jpeg_2000_comment),
]


@pytest.mark.parametrize(("name", "written"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.parametrize("extended", [False, True], ids=["basic table", "extended table"])
def test_text_in_frames_goes_and_the_image_stays(name: str, written, extended: bool, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    dataset, frame = source(name)
    before = dataset.pixel_array
    stored = [written(frame), frame]
    dataset.NumberOfFrames = 2
    if extended:
        data, offsets, lengths = encapsulate_extended([one + b"\0" * (len(one) % 2) for one in stored])
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
        dataset.PixelData = data
    else:
        dataset.PixelData = encapsulate(stored, fragments_per_frame=3)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "in.dcm")
    done = DEID.file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert (done.end, done.reason) == (End.OUT, "")
    assert "text-in-frames" in {finding.kind for finding in done.findings}
    after = pydicom.dcmread(tmp_path / "out.dcm")
    assert b"CANARY" not in after.PixelData
    assert len(after.PixelData) == len(dataset.PixelData)
    np.testing.assert_array_equal(after.pixel_array, np.stack([before, before]))


@pytest.mark.parametrize("name", [name for name, _ in CASES])
def test_a_frame_without_text_stays_byte_by_byte(name: str) -> None:
    _, frame = source(name)
    assert without(frame) == frame


def test_what_decoders_need_stays() -> None:
    frame = source("SC_rgb_jpeg_dcmtk.dcm")[1]
    jfif = jpeg_segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0")
    adobe, colours = jpeg_segment(0xEE, b"Adobe\0d\0\0\0\0\1"), jpeg_segment(0xE8, b"mrfx\2")
    whole = frame[:2] + jfif + adobe + colours + frame[2:]
    assert without(whole) == whole


def test_thumbnails_behind_the_image_and_between_scans_text_goes() -> None:
    frame = source("SC_rgb_jpeg_dcmtk.dcm")[1].rstrip(b"\0")
    assert b"CANARY" not in without(frame + NAME)
    thumb = jpeg_segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\1\5" + NAME)
    assert b"CANARY" not in without(frame[:2] + thumb + frame[2:])
    last = frame[:-2] + jpeg_segment(0xFE, NAME) + frame[-2:]
    assert b"CANARY" not in without(last)


def test_boxes_of_text_go_and_a_comment_of_the_encoder_stays() -> None:
    frame = source("J2K_pixelrep_mismatch.dcm")[1].rstrip(b"\0")
    head = b"\0\0\0\x0cjP  \r\n\x87\n"
    xml = (8 + len(NAME)).to_bytes(4, "big") + b"xml " + NAME
    whole = head + xml + (8 + len(frame)).to_bytes(4, "big") + b"jp2c" + frame
    assert without(whole) == whole.replace(NAME, b" " * len(NAME))
    assert b"OpenJPEG" in source("693_J2KI.dcm")[1]
    assert foreign(source("693_J2KI.dcm")[1]) == []


@pytest.mark.parametrize("frame", [b"", NAME, b"\xff\xd8" + NAME, b"\xff\xd8\xff\xe1\xff\xff", b"\xff\x4f"])
def test_what_is_no_image_is_told(frame: bytes) -> None:
    if frame == b"\xff\x4f":
        assert foreign(frame) == []
        return
    with pytest.raises(NotThat):
        foreign(frame)


def test_an_object_whose_frames_are_something_else_is_not_cleared(tmp_path: Path) -> None:
    dataset, _ = source("MR_small_jpeg_ls_lossless.dcm")
    dataset.PixelData = encapsulate([NAME])
    stream = io.BytesIO()
    dataset.save_as(stream)
    (tmp_path / "in.dcm").write_bytes(stream.getvalue())
    done = Deidentifier(Key(bytes(32))).file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert done.end is End.QUARANTINED
    assert "not what its transfer syntax says" in done.reason
