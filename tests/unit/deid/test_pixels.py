"""What is risky is kept back with its reason; rules of a device clear what they know, if asked to clean."""

from __future__ import annotations

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedMRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from isocenter.deid.pixels import Pixels, is_head
from isocenter.deid.regions import Box, parse_regions


def image(**attributes: object) -> Dataset:
    made = Dataset()
    told: dict[str, object] = {
        "SOPClassUID": CTImageStorage,
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "BodyPartExamined": "CHEST",
        "Rows": 480,
        "Columns": 640,
        "SamplesPerPixel": 1,
        "BitsAllocated": 16,
    }
    for keyword, value in (told | attributes).items():
        setattr(made, keyword, value)
    return made


def ultrasound(*regions: tuple[int, int, int, int], **attributes: object) -> Dataset:
    items = []
    for left, top, right, bottom in regions:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
        items.append(item)
    return image(
        SOPClassUID=UltrasoundImageStorage,
        Modality="US",
        SequenceOfUltrasoundRegions=Sequence(items),
        **attributes,
    )


def test_an_acquired_slice_is_cleared() -> None:
    assert Pixels().judge(image()) == (True, "", None)
    for name in ("CT_small.dcm", "MR_small.dcm"):
        assert Pixels().judge(dcmread(str(get_testdata_file(name)), stop_before_pixels=True)).cleared


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": SecondaryCaptureImageStorage},
        {"SOPClassUID": SecondaryCaptureImageStorage, "BurnedInAnnotation": "NO"},
        {"SOPClassUID": EncapsulatedPDFStorage, "Modality": "DOC"},
        {"SOPClassUID": UltrasoundImageStorage, "Modality": "US"},
        {"ConversionType": "SD"},
        {"Modality": "OT"},
        {"Modality": ""},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"SeriesDescription": "Dose Report"},
        {"SeriesDescription": "Patient Protocol"},
        {"SecondaryCaptureDeviceManufacturer": "Somebody"},
        {"SamplesPerPixel": 3},
        {"BitsAllocated": 8, "ImageType": ["DERIVED", "SECONDARY"]},
        {"OverlayRows": 5},
    ],
    ids=str,
)
def test_what_is_risky_is_kept_back_with_a_reason(attributes: dict[str, object]) -> None:
    dataset = image(**{keyword: value for keyword, value in attributes.items() if keyword != "OverlayRows"})
    if "OverlayRows" in attributes:  # an overlay without data of its own: its bits are in the pixels
        dataset.add_new(0x60000010, "US", 480)
    verdict = Pixels(clean=True).judge(dataset)
    assert not verdict.cleared
    assert verdict.reason


def test_burned_in_annotation_no_is_believed_only_if_asked() -> None:
    dataset = image(SOPClassUID=SecondaryCaptureImageStorage, BurnedInAnnotation="NO")
    assert not Pixels().judge(dataset).cleared
    assert Pixels(trust_burned_in=True).judge(dataset).cleared


def test_ultrasound_keeps_its_regions_under_clean_pixel_data() -> None:
    dataset = ultrasound((20, 60, 619, 459))
    verdict = Pixels(clean=True).judge(dataset)
    assert verdict.cleared
    assert verdict.mask is not None
    assert verdict.mask.keep == (Box(20, 60, 600, 400),)
    assert "clean-pixel-data" in Pixels().judge(dataset).reason


@pytest.mark.parametrize(
    "regions",
    [
        (),
        ((0, 0, 639, 479),),
        ((20, 0, 600, 400),),
        ((20, 60, 900, 459),),
        ((20, 60, 619, 459), (5, 9, 5, 9)),
    ],
)
def test_ultrasound_regions_that_tell_nothing_clear_nothing(
    regions: tuple[tuple[int, int, int, int]],
) -> None:
    assert not Pixels(clean=True).judge(ultrasound(*regions)).cleared


def test_a_rule_of_the_site_is_asked_first() -> None:
    told = {
        "version": 1,
        "rule": [
            {"match": {"Modality": "US", "StationName": "ROOM*", "Rows": 480}, "mask": [[0, 0, 640, 50]]},
            {"match": {"Modality": "CT", "StationName": ["ROOM1", "ROOM2"]}},
        ],
    }
    judge = Pixels(parse_regions(told), clean=True)
    verdict = judge.judge(ultrasound(StationName="Room3"))
    assert verdict.cleared
    assert verdict.mask is not None
    assert verdict.mask.boxes == (Box(0, 0, 640, 50),)
    assert judge.judge(image(StationName="ROOM1")).reason == "a pixel rule keeps it back"
    assert judge.judge(image(StationName="ROOM12")).cleared


def test_volumes_of_the_head_are_kept_back_if_faces_matter() -> None:
    judge = Pixels(faces=True)
    region, code = Dataset(), Dataset()
    code.CodeMeaning = "Brain"
    region.AnatomicRegionSequence = Sequence([code])
    shared = Dataset()
    shared.FrameAnatomySequence = Sequence([region])
    enhanced = image(
        SOPClassUID=EnhancedMRImageStorage,
        Modality="MR",
        BodyPartExamined="",
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    for head in (
        image(BodyPartExamined="HEAD"),
        image(BodyPartExamined="HEADNECK"),
        image(BodyPartExamined="", StudyDescription="MRT des Kopfes: Kopf nativ"),
        image(BodyPartExamined=""),
        enhanced,
    ):
        assert is_head(head)
        assert judge.judge(head).reason == "a face can be made from it"
        assert Pixels().judge(head).cleared
    assert judge.judge(image()).cleared
