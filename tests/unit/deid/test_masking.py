"""What a mask covers is black, and every other pixel is bit by bit what it was, native and compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from isocenter.deid import Deidentifier, Key, Policies, Uncleared
from isocenter.deid.files import End
from isocenter.deid.masking import covered
from isocenter.deid.pixels import Pixels
from isocenter.deid.regions import Box, Mask, parse_regions
from isocenter.dicom import compress, uids
from isocenter.dicom.pixels import Decoded, Image

KEY = Key(bytes(range(32)))
BOX = Box(1, 1, 30, 9)
ANY = {"version": 1, "rule": [{"match": {"SOPClassUID": "*"}, "mask": [list(BOX)]}]}


def deidentifier(told: dict[str, object] = ANY) -> Deidentifier:
    return Deidentifier(KEY, judge=Pixels(parse_regions(told)), options=["clean-pixel-data"])


def run(source: Path, tmp_path: Path) -> tuple[Dataset, Dataset]:
    done = deidentifier().file(source, tmp_path / "out.dcm")
    assert (done.end, done.reason, done.cleared) == (End.OUT, "", True)
    return pydicom.dcmread(source), pydicom.dcmread(tmp_path / "out.dcm")


def inside(dataset: Dataset) -> np.ndarray:
    area = np.zeros((dataset.Rows, dataset.Columns), bool)
    area[BOX.top : BOX.top + BOX.height, BOX.left : BOX.left + BOX.width] = True
    return area


def frames_of(dataset: Dataset) -> np.ndarray:
    shape = [dataset.get("NumberOfFrames", 1) or 1, dataset.Rows, dataset.Columns, -1]
    return dataset.pixel_array.reshape([int(number) for number in shape])


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "examples_rgb_color.dcm",
        "examples_palette.dcm",
        "SC_rgb_small_odd.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "examples_ybr_color.dcm",
        "liver.dcm",
        "JPEG2000.dcm",
        "693_J2KR.dcm",
    ],
)
def test_the_box_is_black_and_nothing_else_changed(name: str, tmp_path: Path) -> None:
    source = Path(str(get_testdata_file(name)))
    before, after = run(source, tmp_path)
    old, new, area = frames_of(before), frames_of(after), inside(before)
    if "YBR" in before.PhotometricInterpretation and after.PhotometricInterpretation == "RGB":
        old = new  # the decoder's conversion, compared by the next test
    assert np.array_equal(old[:, ~area], new[:, ~area])
    assert len(np.unique(new[:, area].reshape(-1, new.shape[-1]), axis=0)) == 1
    assert after.BurnedInAnnotation == "NO"
    assert after.PatientIdentityRemoved == "YES"


def ct(**attributes: object) -> Dataset:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def test_frames_beside_those_that_are_touched_stay_byte_by_byte(tmp_path: Path) -> None:
    dataset = ct(NumberOfFrames=3, SamplesPerPixel=1, PixelRepresentation=0, BitsStored=16, HighBit=15)
    array = np.arange(3 * 128 * 128, dtype=np.uint16).reshape(3, 128, 128)
    array[1][BOX.top : BOX.top + BOX.height, BOX.left : BOX.left + BOX.width] = 0  # black there already
    image = Image(JPEG2000Lossless, 0x7FE00010, "OB", 3, 128, 128, 1, "MONOCHROME2", 0, 16, 16, signed=False)
    stored = [compress.encode(image, Decoded(one, "MONOCHROME2", 16), compress.JPEG_2000) for one in array]
    dataset.PixelData = encapsulate(stored)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.save_as(tmp_path / "in.dcm")
    _, after = run(tmp_path / "in.dcm", tmp_path)
    made = list(generate_frames(after.PixelData, number_of_frames=3))
    assert made[1] == stored[1]
    assert made[0] != stored[0]
    assert after.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert np.array_equal(after.pixel_array[:, ~inside(after)], array[:, ~inside(after)])


@pytest.mark.parametrize("name", ["SC_rgb_small_odd_jpeg.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"])
def test_of_lossy_jpeg_the_pixels_that_it_shows_become_native(name: str, tmp_path: Path) -> None:
    before, after = run(Path(str(get_testdata_file(name))), tmp_path)
    assert not uids.is_lossless(before.file_meta.TransferSyntaxUID)
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("RGB", 0)
    area = inside(before)
    assert np.array_equal(frames_of(before)[:, ~area], frames_of(after)[:, ~area])


def test_black_is_the_highest_value_where_monochrome1_says_so(tmp_path: Path) -> None:
    dataset = ct(PhotometricInterpretation="MONOCHROME1")
    dataset.save_as(tmp_path / "in.dcm")
    _, after = run(tmp_path / "in.dcm", tmp_path)
    assert set(after.pixel_array[inside(after)]) == {2 ** (dataset.BitsStored - 1) - 1}


@pytest.mark.parametrize("words", [False, True])
def test_bytes_in_big_endian_words(words: bool, tmp_path: Path) -> None:
    array = np.arange(15 * 21, dtype=np.uint32).astype(np.uint8).reshape(15, 21)
    data = array.tobytes() + b"\0"
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small_bigendian.dcm")))
    dataset.Rows, dataset.Columns, dataset.PixelRepresentation = 15, 21, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = np.frombuffer(data, np.uint16).byteswap().tobytes() if words else data
    dataset["PixelData"].VR = "OW" if words else "OB"
    dataset.save_as(tmp_path / "in.dcm")
    _, after = run(tmp_path / "in.dcm", tmp_path)
    assert np.array_equal(after.pixel_array, np.where(inside(after), 0, array))


def test_everything_but_the_ultrasound_regions_is_black(tmp_path: Path) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 20
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 99, 119
    dataset = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1",
        Modality="US",
        SequenceOfUltrasoundRegions=Sequence([region]),
    )
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.save_as(tmp_path / "in.dcm")
    done = Deidentifier(KEY, options=["clean-pixel-data"]).file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert done.end is End.OUT
    assert [finding.kind for finding in done.findings] == ["blacked-out"]
    after = pydicom.dcmread(tmp_path / "out.dcm").pixel_array
    kept = np.zeros(after.shape, bool)
    kept[20:120, 10:100] = True
    assert np.array_equal(after[kept], dataset.pixel_array[kept])
    assert len(np.unique(after[~kept])) == 1
    assert Deidentifier(KEY).file(tmp_path / "in.dcm", tmp_path / "no.dcm").end is End.QUARANTINED


def test_what_cannot_be_blacked_out_is_quarantined(tmp_path: Path) -> None:
    elsewhere = {"version": 1, "rule": [{"match": {"Modality": "*"}, "mask": [[0, 500, 9, 9]]}]}
    for name, told in (("JPEG-lossy.dcm", ANY), ("image_dfl.dcm", ANY), ("CT_small.dcm", elsewhere)):
        done = deidentifier(told).file(Path(str(get_testdata_file(name))), tmp_path / "out.dcm")
        assert done.end is End.QUARANTINED
        assert list(tmp_path.iterdir()) == []
    assert deidentifier().apply(ct()).dataset is None


def test_what_leaves_as_it_is_by_policy_claims_no_cleaning(tmp_path: Path) -> None:
    ct(BurnedInAnnotation="YES").save_as(tmp_path / "in.dcm")
    policies = Policies(uncleared=Uncleared.KEEP)
    deid = Deidentifier(KEY, options=["clean-pixel-data", "modified-dates"], policies=policies)
    assert not deid.file(tmp_path / "in.dcm", tmp_path / "out.dcm").cleared
    after = pydicom.dcmread(tmp_path / "out.dcm")
    codes = [code.CodeValue for code in after.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]
    assert after.BurnedInAnnotation == "YES"


def test_a_mask_covers_its_boxes_and_what_lies_outside_of_those_kept() -> None:
    area = covered(Mask((Box(0, 0, 2, 1),), (Box(0, 0, 3, 2),)), 3, 4)
    assert area.tolist() == [[True, True, False, True], [False, False, False, True], [True] * 4]
    assert covered(Mask(keep=()), 2, 2).all()
