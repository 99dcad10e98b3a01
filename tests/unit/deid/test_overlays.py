"""What is blacked out of an image is blacked out of the overlay planes that are kept, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement

from isocenter.deid import Deidentifier, Key, Policies, Uncleared
from isocenter.deid.files import End
from isocenter.deid.pixels import Pixels
from isocenter.deid.regions import parse_regions

RULES = parse_regions(
    {"version": 1, "rule": [{"name": "CT", "match": {"Modality": "*"}, "mask": [[0, 0, 64, 10]]}]}
)
OPTIONS = ["clean-pixel-data", "clean-graphics"]


def with_overlay(name: str, path: Path, origin: tuple[int, int]) -> np.ndarray:
    dataset = pydicom.dcmread(str(get_testdata_file(name)))
    little = dataset.original_encoding[1]
    data = np.full(64 * 64 // 8, 0xFF, np.uint8).tobytes()
    for element, vr, value in (
        (0x0010, "US", 64),
        (0x0011, "US", 64),
        (0x0040, "CS", "G"),
        (0x0050, "SS", list(origin)),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", data),
    ):
        dataset.add(DataElement(0x60000000 | element, vr, value))
    dataset.save_as(path)
    assert little is not None
    return dataset.pixel_array


def deidentifier(uncleared: Uncleared) -> Deidentifier:
    judge = Pixels(RULES)
    return Deidentifier(Key(bytes(32)), options=OPTIONS, judge=judge, policies=Policies(uncleared=uncleared))


def plane(path: Path) -> np.ndarray:
    return np.asarray(pydicom.dcmread(path).overlay_array(0x6000))


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_bigendian.dcm"])
def test_the_boxes_of_a_rule_are_empty_in_the_overlay_too(name: str, tmp_path: Path) -> None:
    before = with_overlay(name, tmp_path / "in.dcm", (1, 1))
    done = deidentifier(Uncleared.KEEP).file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert (done.end, done.cleared) == (End.OUT, False)
    overlay = plane(tmp_path / "out.dcm")
    assert not overlay[:10].any()
    assert overlay[10:].all()
    after = pydicom.dcmread(tmp_path / "out.dcm").pixel_array
    np.testing.assert_array_equal(after[10:], before[10:])
    assert len(np.unique(after[:10])) == 1


def test_an_overlay_that_begins_elsewhere_is_masked_where_the_image_is(tmp_path: Path) -> None:
    with_overlay("MR_small.dcm", tmp_path / "in.dcm", (6, -9))
    deidentifier(Uncleared.KEEP).file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    overlay = plane(tmp_path / "out.dcm")
    assert not overlay[:5].any()
    assert not overlay[:, :10].any()
    assert not overlay[59:].any()
    assert overlay[5:59, 10:].all()


def test_a_kept_overlay_is_still_no_cleared_one(tmp_path: Path) -> None:
    with_overlay("MR_small.dcm", tmp_path / "in.dcm", (1, 1))
    done = deidentifier(Uncleared.QUARANTINE).file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert (done.end, "overlay plane" in done.reason) == (End.QUARANTINED, True)
