"""What the geometry of a series says of it, for the stacks that occur in practice."""

import json
from typing import Any

import numpy as np
import pytest

from isocenter.catalog.volumes import volumes_of

AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]


def image(z: float, *, x: float = -100.0, y: float = -100.0, **other: Any) -> dict[str, Any]:
    return {
        "ImagePositionPatient": [x, y, z],
        "ImageOrientationPatient": AXIAL,
        "PixelSpacing": [0.7, 0.7],
        "SliceThickness": 2.5,
        "Rows": 512,
        "Columns": 512,
        "FrameOfReferenceUID": "1.2",
    } | other


def test_an_even_stack_is_regular_in_whatever_order_it_comes() -> None:
    places = np.random.default_rng(1).permutation(40) * 2.5
    (volume,) = volumes_of([image(float(z)) for z in places])
    assert volume["regular"]
    assert (volume["images"], volume["positions"], volume["images_a_position"]) == (40, 40, 1)
    assert volume["slice_spacing"] == pytest.approx(2.5)
    assert volume["extent"] == pytest.approx(39 * 2.5)
    assert volume["origin"] == [-100.0, -100.0, 0.0]
    assert (volume["gaps"], volume["tilt"], volume["slice_thickness"]) == (0, pytest.approx(0), 2.5)


def test_missing_slices_are_counted() -> None:
    (volume,) = volumes_of([image(z * 2.0) for z in range(20) if z not in (7, 8, 15)])
    assert not volume["regular"]
    assert volume["gaps"] == 3
    assert volume["irregularities"] == ["positions are missing"]


def test_uneven_spacing_is_not_regular_but_rounding_is() -> None:
    assert volumes_of([image(round(z * 0.3333, 2)) for z in range(30)])[0]["regular"]
    (volume,) = volumes_of([image(z) for z in (0.0, 2.0, 4.0, 6.4, 8.4)])
    assert volume["irregularities"] == ["spacing is uneven"]


def test_time_points_repeat_every_position() -> None:
    (volume,) = volumes_of([image(z * 3.0) for _ in range(5) for z in range(10)])
    assert volume["regular"]
    assert (volume["positions"], volume["images_a_position"]) == (10, 5)
    (torn,) = volumes_of([image(z * 3.0) for z in (0, 1, 2, 2)])
    assert torn["irregularities"] == ["some positions have more images than others"]


def test_a_tilted_gantry_shows_its_angle() -> None:
    (volume,) = volumes_of([image(z * 5.0, y=-100 + z * 5.0 * np.tan(np.radians(15))) for z in range(10)])
    assert volume["tilt"] == pytest.approx(15, abs=0.01)
    assert volume["irregularities"] == ["origins do not lie along the normal"]


def test_a_localizer_is_a_volume_of_its_own() -> None:
    images = [image(z * 2.0) for z in range(10)] + [image(0.0, ImageOrientationPatient=CORONAL)]
    stack, localizer = volumes_of(images)
    assert (stack["volume"], stack["images"], stack["regular"]) == (0, 10, True)
    assert (localizer["volume"], localizer["images"]) == (1, 1)
    assert localizer["irregularities"] == ["only one position"]


def test_the_frames_of_a_multi_frame_image_are_its_planes() -> None:
    shared = {
        "00209116": {"vr": "SQ", "Value": [{"00200037": {"vr": "DS", "Value": AXIAL}}]},
        "00289110": {"vr": "SQ", "Value": [{"00280030": {"vr": "DS", "Value": [1, 1]}}]},
    }
    frames = [
        {"00209113": {"vr": "SQ", "Value": [{"00200032": {"vr": "DS", "Value": [0, 0, z * 4]}}]}}
        for z in range(12)
    ]
    multi = {
        "Rows": 64,
        "Columns": 64,
        "shared": json.dumps({"vr": "SQ", "Value": [shared]}),
        "per_frame": json.dumps({"vr": "SQ", "Value": frames}),
    }
    (volume,) = volumes_of([multi])
    assert (volume["images"], volume["regular"], volume["slice_spacing"]) == (12, True, 4.0)


@pytest.mark.parametrize(
    "broken",
    [
        {"ImagePositionPatient": None},
        {"ImagePositionPatient": [1.0, 2.0]},
        {"ImageOrientationPatient": [None] * 6},
        {"ImagePositionPatient": [float("nan")] * 3},
    ],
)
def test_images_without_a_place_make_no_volume(broken: dict[str, Any]) -> None:
    assert volumes_of([image(0.0, **broken)]) == []


def test_an_orientation_that_is_none_is_said() -> None:
    (volume,) = volumes_of([image(z, ImageOrientationPatient=[1.0, 0, 0, 1.0, 0, 0]) for z in (0.0, 1.0)])
    assert not volume["regular"]
    assert "orthogonal" in volume["irregularities"][0]
