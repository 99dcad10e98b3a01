"""Rendering beside highdicom: what it reads of frames, and the states and segments it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pictures import image, item, pydicom_path, rendered, state
from pydicom import Dataset, dcmread

from isocenter.dicom.rendering.view import View, Window

pytestmark = pytest.mark.filterwarnings("ignore")
MADE: dict[str, Any] = {
    "series_instance_uid": "1.2.3.8",
    "series_number": 8,
    "sop_instance_uid": "1.2.3.8.1",
    "instance_number": 1,
    "manufacturer": "M",
    "manufacturer_model_name": "M",
    "software_versions": "1",
    "device_serial_number": "1",
}


@pytest.mark.parametrize("name", ["693_UNCR.dcm", "MR_small.dcm", "emri_small.dcm", "bad_sequence.dcm"])
def test_grey_levels_are_those_of_highdicom(name: str, tmp_path: Path) -> None:
    path = pydicom_path(name)
    read = hd.imread(path)
    window = View()
    if "WindowCenter" not in dcmread(path):
        window = View(window=Window(500, 1000))
        read.WindowCenter, read.WindowWidth = "500", "1000"
        read = hd.Image.from_dataset(read)
    theirs = read.get_frame(1, apply_voi_transform=True, voi_output_range=(0.0, 255.0))
    assert np.abs(rendered(path, tmp_path, window).astype(float) - theirs).max() <= 1


def test_a_presentation_state_that_highdicom_wrote(tmp_path: Path) -> None:
    path = pydicom_path("CT_small.dcm")
    annotation = hd.pr.GraphicAnnotation(
        referenced_images=[dcmread(path)],
        graphic_layer=hd.pr.GraphicLayer("ONE", order=1, description="one"),
        graphic_objects=[
            hd.pr.GraphicObject(
                graphic_type=hd.pr.GraphicTypeValues.POLYLINE,
                graphic_data=np.array([[20.0, 20.0], [100.0, 20.0], [100.0, 60.0]]),
                units=hd.pr.AnnotationUnitsValues.PIXEL,
            )
        ],
    )
    told = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[dcmread(path)],
        **MADE,
        content_label="ONE",
        graphic_layers=[hd.pr.GraphicLayer("ONE", order=1, description="one")],
        graphic_annotations=[annotation],
        voi_lut_transformations=[hd.pr.SoftcopyVOILUTTransformation(window_center=0.0, window_width=4000.0)],
        presentation_lut_transformation=hd.PresentationLUTTransformation(presentation_lut_shape="INVERSE"),
    )
    target = tmp_path / "state.dcm"
    told.save_as(target)
    ours = rendered(path, tmp_path, state=target)
    plain = 255 - rendered(path, tmp_path, View(window=Window(0, 4000))).astype(int)
    differs = np.argwhere(ours != plain)
    assert ours[20, 50] == ours[40, 100] == 255
    assert differs[:, 0].min() >= 19
    assert differs[:, 0].max() <= 61
    assert len(differs) <= 80 + 40 + 10


def test_fractional_segments_are_spread_over_their_maximum(tmp_path: Path) -> None:
    source = dcmread(pydicom_path("CT_small.dcm"))
    mask = np.linspace(0, 1, 128 * 128).reshape(1, 128, 128)
    code = hd.sr.CodedConcept("123", "99T", "thing")
    described = hd.seg.SegmentDescription(1, "one", code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    made = hd.seg.Segmentation(
        [source],
        mask,
        hd.seg.SegmentationTypeValues.FRACTIONAL,
        [described],
        **MADE,
        max_fractional_value=100,
    )
    target = tmp_path / "seg.dcm"
    made.save_as(target)
    ours = rendered(target, tmp_path).astype(float)
    assert np.abs(ours - mask[0] * 255).max() <= 2


def palette(of: Dataset, colours: list[tuple[int, int, int]]) -> Dataset:
    for place, name in enumerate(("Red", "Green", "Blue")):
        setattr(of, f"{name}PaletteColorLookupTableDescriptor", [len(colours), 0, 8])
        setattr(of, f"{name}PaletteColorLookupTableData", bytes(colour[place] for colour in colours))
    return of


def test_a_pseudo_colour_state_colours_grey_levels(tmp_path: Path) -> None:
    levels = image(np.array([[0, 128, 255]], np.uint8))
    told = palette(state(levels), [(n, 0, 255 - n) for n in range(256)])
    told.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.3"
    ours = rendered(levels, tmp_path, state=told)
    assert ours.tolist() == [[[0, 0, 255], [128, 0, 127], [255, 0, 0]]]


def test_a_presentation_lut_comes_last(tmp_path: Path) -> None:
    levels = image(np.array([[0, 128, 255]], np.uint8))
    entries = np.arange(255, -1, -1) * 1023 // 255
    table = item(LUTDescriptor=[256, 0, 10], LUTData=entries.astype("<u2").tobytes())
    told = state(levels, PresentationLUTSequence=[table])
    del told.PresentationLUTShape
    ours = rendered(levels, tmp_path, state=told)
    assert np.abs(ours.astype(int) - [[255, 127, 0]]).max() <= 1


def test_a_state_shows_the_overlays_that_it_activates(tmp_path: Path) -> None:
    stored = image(np.zeros((4, 8), np.uint8))
    stored.add_new(0x60000010, "US", 4)
    stored.add_new(0x60000011, "US", 8)
    stored.add_new(0x60000050, "SS", [1, 1])
    stored.add_new(0x60003000, "OW", b"\xff" * 4)
    assert rendered(stored, tmp_path).min() == 255
    assert rendered(stored, tmp_path, state=state(stored)).max() == 0
    told = state(stored)
    told.add_new(0x60001001, "CS", "LAYER")
    assert rendered(stored, tmp_path, state=told).min() == 255
