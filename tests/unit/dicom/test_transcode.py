"""Transcoding without loss: what pydicom reads from the copy is what it reads from the original."""

from __future__ import annotations

import random
import tempfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from data_sets import data_set, part10
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset

from isocenter.dicom import compress, deflated, frames, transcode, uids
from isocenter.dicom._limits import Limits
from isocenter.dicom.header import read_header
from isocenter.dicom.reencode import CannotTranscode
from isocenter.errors import UnreadableObject

EXPLICIT, IMPLICIT = uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN
BOTH = pytest.mark.parametrize("wanted", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])

NO_DECODER = {"JPEG-lossy.dcm", "JPGExtended.dcm"}  # 12 bits: no decoder under a permissive licence
BROKEN = {"JPEG2000-embedded-sequence-delimiter.dcm", "MR_truncated.dcm", "rtplan_truncated.dcm", "badVR.dcm"}
WITHOUT_META = {
    "ExplVR_BigEndNoMeta.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "no_meta.dcm",
    "meta_missing_tsyntax.dcm",
}
MEANT_OTHERWISE = {
    "nested_priv_SQ.dcm",  # elements of group 0001 are none of a data set
    "rtstruct.dcm",  # has no meta group either
}
FOLDER = Path(pydicom.data.__file__).parent / "test_files"
LEFT_OUT = NO_DECODER | BROKEN | WITHOUT_META | MEANT_OTHERWISE


FILES = sorted(path for path in FOLDER.glob("*.dcm") if path.name not in LEFT_OUT)


def transcoded(path: Path, wanted: str, target: Path) -> Dataset:
    with open(path, "rb") as file:
        header = read_header(file)
    target.touch()
    transcode.to_file(str(path), header.data_set_offset, _syntax(path), wanted, str(target))
    made = read_dataset(BytesIO(target.read_bytes()), wanted == IMPLICIT, True)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = wanted
    return made


def _syntax(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


def _compared(data_set: Dataset) -> dict[str, Any]:
    skipped = {0x7FE00010, 0xFFFCFFFC, 0x00280004, 0x00280006}
    return {
        str(element.tag): element.value
        for element in data_set
        if element.tag.element and element.tag not in skipped and not element.tag.is_private
    }


@pytest.mark.filterwarnings("ignore")
@BOTH
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_readable_file_keeps_its_elements_and_pixels(path: Path, wanted: str, tmp_path: Path) -> None:
    original = dcmread(path)
    copy = transcoded(path, wanted, tmp_path / "copy")
    assert _compared(copy) == _compared(original)
    if "PixelData" in original:
        assert np.array_equal(copy.pixel_array, original.pixel_array)


@pytest.mark.parametrize(
    ("name", "before", "after", "planar"),
    [
        ("examples_ybr_color.dcm", "YBR_FULL_422", "RGB", 0),
        ("examples_jpeg2k.dcm", "YBR_RCT", "RGB", 0),
        ("SC_rgb_rle.dcm", "RGB", "RGB", 0),
        ("MR_small_RLE.dcm", "MONOCHROME2", "MONOCHROME2", None),
    ],
)
def test_the_header_follows_decompressed_pixels(
    name: str, before: str, after: str, planar: int | None, tmp_path: Path
) -> None:
    path = FOLDER / name
    original = dcmread(path)
    copy = transcoded(path, EXPLICIT, tmp_path / "copy")
    assert original.PhotometricInterpretation == before
    assert copy.PhotometricInterpretation == after
    assert copy.get("PlanarConfiguration") == planar
    assert copy.SOPInstanceUID == original.SOPInstanceUID
    assert copy.get("LossyImageCompression") == original.get("LossyImageCompression")
    assert copy.get("LossyImageCompressionRatio") == original.get("LossyImageCompressionRatio")
    expected = copy.Rows * copy.Columns * copy.SamplesPerPixel * copy.BitsAllocated // 8
    frames = int(copy.get("NumberOfFrames") or 1)
    assert len(copy.PixelData) == (expected * frames + 1) // 2 * 2


@pytest.mark.parametrize("name", sorted(NO_DECODER | {"MR_truncated.dcm"}))
def test_what_cannot_be_decoded_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotTranscode):
        transcoded(FOLDER / name, EXPLICIT, tmp_path / "copy")


ENCODABLE = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "693_J2KI.dcm",
    "SC_rgb_rle_2frame.dcm",
    "examples_ybr_color.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "examples_overlay.dcm",
    "JPEG-LL.dcm",
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wanted", compress.ENCODED)
@pytest.mark.parametrize("name", ENCODABLE)
def test_compressed_without_loss(name: str, wanted: str, tmp_path: Path) -> None:
    path = Path(str(pydicom.data.get_testdata_file(name, download=False)))
    original = dcmread(path)
    copy = transcoded(path, wanted, tmp_path / "copy")
    assert _compared(copy) == _compared(original)
    assert np.array_equal(copy.pixel_array, original.pixel_array)
    with open(tmp_path / "copy", "rb") as file:
        table = frames.locate(file, read_header(file, transfer_syntax=wanted))
    assert [len(frame.segments) for frame in table.encapsulated or ()] == [1] * table.count
    assert copy.SOPInstanceUID == original.SOPInstanceUID
    assert copy.get("LossyImageCompression") == original.get("LossyImageCompression")


def test_deflated(tmp_path: Path) -> None:
    path = FOLDER / "CT_small.dcm"
    transcoded(path, uids.DEFLATED_LITTLE_ENDIAN, tmp_path / "copy")
    raw = (tmp_path / "copy").read_bytes()
    assert len(raw) % 2 == 0
    transcoded(path, EXPLICIT, tmp_path / "plain")
    assert zlib.decompressobj(-15).decompress(raw) == (tmp_path / "plain").read_bytes()


@pytest.mark.parametrize(
    "wanted", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.2"]
)
def test_lossy_syntaxes_and_big_endian_are_never_written(wanted: str, tmp_path: Path) -> None:
    (tmp_path / "copy").touch()
    with pytest.raises(CannotTranscode):
        transcode.to_file(str(FOLDER / "CT_small.dcm"), 0, EXPLICIT, wanted, str(tmp_path / "copy"))


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "rtplan.dcm", "rtdose.dcm"])
def test_what_cannot_be_compressed_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotTranscode):
        transcoded(FOLDER / name, compress.JPEG_LS, tmp_path / "copy")


def test_a_target_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        transcode.to_file(str(FOLDER / "CT_small.dcm"), 0, EXPLICIT, IMPLICIT, str(tmp_path / "copy"))
    assert not list(tmp_path.iterdir())


def test_what_a_first_try_left_in_the_target_goes(tmp_path: Path) -> None:
    copy = transcoded(FOLDER / "CT_small.dcm", IMPLICIT, tmp_path / "copy")
    size = (tmp_path / "copy").stat().st_size
    (tmp_path / "copy").write_bytes(bytes(2 * size))
    assert transcoded(FOLDER / "CT_small.dcm", IMPLICIT, tmp_path / "copy") == copy
    assert (tmp_path / "copy").stat().st_size == size


def test_odd_frames_and_padding(tmp_path: Path) -> None:
    path = FOLDER / "SC_rgb_small_odd_jpeg.dcm"
    copy = transcoded(path, EXPLICIT, tmp_path / "copy")
    assert copy.pixel_array.shape == (3, 3, 3)
    assert len(copy.PixelData) == 28


def test_odd_values_are_not_quoted_in_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    raw = bytearray((FOLDER / "MR_small_RLE.dcm").read_bytes())
    at = raw.index(b"IS\x02\x00", raw.index(b"\x20\x00\x13\x00"))  # InstanceNumber
    raw[at + 4 : at + 6] = b"x?"
    path = tmp_path / "odd.dcm"
    path.write_bytes(raw)
    with open(path, "rb") as file:
        offset = read_header(file).data_set_offset
    (tmp_path / "copy").touch()
    transcode.to_file(str(path), offset, "1.2.840.10008.1.2.5", EXPLICIT, str(tmp_path / "copy"))
    assert b"x?" in (tmp_path / "copy").read_bytes()
    assert not caplog.records
    assert not recwarn.list


def _deflated(data_set: bytes, folder: Path, *, wrapped: bool = False) -> tuple[Path, int]:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    raw = part10(squeeze.compress(data_set) + squeeze.flush(), uids.DEFLATED_LITTLE_ENDIAN)
    (folder / "deflated.dcm").write_bytes(raw)
    (folder / "copy").touch()
    with open(folder / "deflated.dcm", "rb") as file:
        return folder / "deflated.dcm", read_header(file).data_set_offset


def _inflated(path: Path, offset: int) -> bytes:
    copy = path.parent / "copy"
    transcode.to_file(str(path), offset, uids.DEFLATED_LITTLE_ENDIAN, EXPLICIT, str(copy))
    return copy.read_bytes()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_deflated_data_set_is_inflated(tmp_path: Path, wrapped: bool) -> None:
    raw = data_set(pixels=random.Random(3).randbytes(3_000_000))
    assert _inflated(*_deflated(raw, tmp_path, wrapped=wrapped)) == raw


def test_damaged_deflated_objects_say_so_whatever_is_wrong(tmp_path: Path) -> None:
    path, offset = _deflated(data_set(pixels=random.Random(3).randbytes(30_000)), tmp_path)
    whole = path.read_bytes()
    damaged = [whole[: len(whole) - cut] for cut in (1, 10, 1000, 30_000)]
    for at in range(offset, offset + 300, 10):
        damaged.append(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
    for raw in damaged:
        path.write_bytes(raw)
        try:
            _inflated(path, offset)
        except UnreadableObject:
            continue


def test_what_inflates_beyond_all_measure_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deflated, "LIMITS", Limits(inflate_free=100_000))
    path, offset = _deflated(data_set(pixels=bytes(1_000_000)), tmp_path)
    with pytest.raises(CannotTranscode, match="beyond its limit"):
        _inflated(path, offset)


def test_nothing_is_written_outside_the_folder_of_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert _inflated(*_deflated(data_set(), tmp_path)) == data_set()
