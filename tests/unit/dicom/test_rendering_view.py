"""How an image is looked at: parameters, viewports, regions, captions, shutters, presentation states."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import image, item, pydicom_path, rendered, source, state
from pydicom import Dataset

from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import (
    CannotRender,
    Region,
    View,
    Viewport,
    Window,
    parse_captions,
    parse_profile,
    parse_quality,
    parse_region,
    parse_viewport,
    parse_window,
)
from isocenter.errors import BadRequest, IsocenterError

# Every pixel is told from every other one.
PIXELS = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)


def test_parameters() -> None:
    assert parse_window("40,400") == Window(40, 400, "LINEAR")
    assert parse_window("-600.5, 1500,linear-exact") == Window(-600.5, 1500, "LINEAR_EXACT")
    assert parse_window("1,0.5,SIGMOID") == Window(1, 0.5, "SIGMOID")
    assert parse_viewport("64,32") == (Viewport(64, 32), None)
    assert parse_viewport("64,32,,,16,-8") == (Viewport(64, 32), Region(0, 0, 16, -8))
    assert parse_viewport("64,32,4,2") == (Viewport(64, 32), Region(4, 2, None, None))
    assert parse_region("0,0.25,0.5,1") == Region(0, 0.25, 0.5, 0.75, relative=True)
    assert parse_quality("75") == 75
    assert parse_captions("technique,patient,weather") == (("patient", "technique"), ["weather"])
    assert parse_profile("sRGB") == "srgb"


NO_WINDOWS = ("40", "40,0", "40,0.5", "x,1", "1,2,cubic", "nan,1", "1,inf", "1,2,linear,4")
NO_VIEWPORTS = ("", "64", "0,5", "64,x", "99999,1", "1,1,-1,0", "1,1,0,0,0,5", "1,1,1,1,1,1,1")


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_window, text) for text in NO_WINDOWS]
    + [(parse_viewport, text) for text in NO_VIEWPORTS]
    + [(parse_region, text) for text in ("0,0,1", "0,0,2,1", "0.5,0,0.5,1", "a,b,c,d")]
    + [(parse_quality, text) for text in ("0", "101", "x", "", "-1")]
    + [(parse_profile, "cmyk")],
)
def test_parameters_that_mean_nothing_say_what_they_should_be(parse: Any, text: str) -> None:
    with pytest.raises(BadRequest) as told:
        parse(text)
    assert told.value.message


def test_a_viewport_is_fitted_and_keeps_the_shape(tmp_path: Path) -> None:
    square = image(np.zeros((40, 80), np.uint8))
    for viewport, size in [
        (Viewport(20, 20), (10, 20)),
        (Viewport(400, 100), (100, 200)),
        (Viewport(None, 20), (20, 40)),
        (Viewport(20, None), (10, 20)),
    ]:
        assert rendered(square, tmp_path, View(viewport=viewport)).shape == size
    tall = image(np.zeros((40, 80), np.uint8), PixelSpacing=["2", "1"])
    assert rendered(tall, tmp_path, View(viewport=Viewport(40, 80))).shape == (40, 40)
    assert rendered(tall, tmp_path).shape == (40, 80)


def test_a_region_is_cut_and_flipped(tmp_path: Path) -> None:
    def seen(region: Region) -> Any:
        return rendered(image(PIXELS), tmp_path, View(region=region))

    assert np.array_equal(seen(Region(2, 1, 3, 4)), PIXELS[1:5, 2:5])
    assert np.array_equal(seen(Region(2, 1, -3, 4)), PIXELS[1:5, 4:1:-1])
    assert np.array_equal(seen(Region(0, 0, None, -6)), PIXELS[::-1])
    assert np.array_equal(seen(Region(6, 4, 50, 50)), PIXELS[4:, 6:])
    assert np.array_equal(seen(Region(0.5, 0.5, 0.5, 0.5, relative=True)), PIXELS[3:, 4:])
    with pytest.raises(CannotRender, match="8 by 6"):
        seen(Region(8, 0, 4, 4))


def test_captions_are_burned_in_only_when_asked_for(tmp_path: Path) -> None:
    black = image(np.zeros((200, 300), np.uint8), Modality="CT", KVP="120", SliceThickness="1.5")
    assert rendered(black, tmp_path).max() == 0
    patient = rendered(black, tmp_path, View(captions=("patient",)))
    assert patient[:100].max() > 200
    assert patient[100:].max() == 0
    technique = rendered(black, tmp_path, View(captions=("technique",)))
    assert technique[:100].max() == 0
    assert technique[100:].max() > 200


RECTANGLE = {
    "ShutterShape": "RECTANGULAR",
    "ShutterLeftVerticalEdge": "2",
    "ShutterRightVerticalEdge": "4",
    "ShutterUpperHorizontalEdge": "3",
    "ShutterLowerHorizontalEdge": "5",
}
CIRCLE = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": ["3", "4"], "RadiusOfCircularShutter": "2"}
CORNERS = ["2", "2", "2", "6", "5", "6", "5", "2"]
POLYGON = {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": CORNERS}


@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        (RECTANGLE, lambda y, x: ~((x >= 2) & (x <= 4) & (y >= 3) & (y <= 5))),
        (CIRCLE, lambda y, x: (y - 3) ** 2 + (x - 4) ** 2 > 4),
        (POLYGON, lambda y, x: ~((x >= 2) & (x <= 6) & (y >= 2) & (y <= 5))),
    ],
    ids=["rectangle", "circle", "polygon"],
)
def test_shutters(told: dict[str, Any], hidden: Any, tmp_path: Path) -> None:
    light = np.full((6, 8), 200, np.uint8)
    y, x = np.mgrid[1:7, 1:9]
    expected = np.where(hidden(y, x), 0, 200)
    assert np.array_equal(rendered(image(light, **told), tmp_path), expected)
    grey = {**told, "ShutterPresentationValue": 32768}
    ours = rendered(image(light), tmp_path, state=state(image(light), **grey))
    assert np.array_equal(ours, np.where(hidden(y, x), 128, 200))


def test_a_shutter_that_cannot_be_read_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(CannotRender, match="shutter"):
        rendered(image(PIXELS, ShutterShape="RECTANGULAR"), tmp_path)


# -- presentation states


def seen_by(tmp_path: Path, pixels: Any = PIXELS, view: View = View(), **told: Any) -> Any:
    """The picture of an image under a state that tells this."""
    stored = image(pixels)
    return rendered(stored, tmp_path, view, state=state(stored, **told))


def area(left: int, top: int, right: int, bottom: int, **told: Any) -> list[Dataset]:
    return [
        item(
            DisplayedAreaTopLeftHandCorner=[left, top],
            DisplayedAreaBottomRightHandCorner=[right, bottom],
            PresentationSizeMode=told.pop("PresentationSizeMode", "SCALE TO FIT"),
            PresentationPixelAspectRatio=[1, 1],
            **told,
        )
    ]


def test_a_state_that_changes_nothing(tmp_path: Path) -> None:
    assert np.array_equal(seen_by(tmp_path), PIXELS)


def test_a_state_has_its_own_window_and_polarity(tmp_path: Path) -> None:
    voi = [item(WindowCenter="10", WindowWidth="8")]
    ours = seen_by(tmp_path, SoftcopyVOILUTSequence=voi)
    assert np.array_equal(ours, rendered(image(PIXELS), tmp_path, View(window=Window(10, 8))))
    asked = seen_by(tmp_path, SoftcopyVOILUTSequence=voi, view=View(window=Window(20, 30)))
    assert np.array_equal(asked, rendered(image(PIXELS), tmp_path, View(window=Window(20, 30))))
    assert np.array_equal(seen_by(tmp_path, PresentationLUTShape="INVERSE"), 255 - PIXELS)
    stretched = seen_by(tmp_path, RescaleSlope="2", RescaleIntercept="0", SoftcopyVOILUTSequence=voi)
    assert np.array_equal(stretched, rendered(image(PIXELS * 2), tmp_path, View(window=Window(10, 8))))


def test_a_state_says_which_image_a_window_is_for(tmp_path: Path) -> None:
    def window(center: str, uid: str, frame: int | None = None) -> Dataset:
        reference = item(ReferencedSOPInstanceUID=uid)
        if frame:
            reference.ReferencedFrameNumber = str(frame)
        return item(WindowCenter=center, WindowWidth="8", ReferencedImageSequence=[reference])

    both = image(np.stack([PIXELS, PIXELS]))
    made = state(
        both,
        SoftcopyVOILUTSequence=[window("30", "9.9"), window("20", "1.2.3.1", 2), window("10", "1.2.3.1")],
    )
    for number, center in ((1, 10), (2, 20)):
        ours = rendered(both, tmp_path, number=number, state=made)
        assert np.array_equal(ours, rendered(image(PIXELS), tmp_path, View(window=Window(center, 8))))


def test_a_state_crops_turns_and_flips(tmp_path: Path) -> None:
    cropped = PIXELS[1:4, 2:7]
    shown = {"DisplayedAreaSelectionSequence": area(3, 2, 7, 4)}
    assert np.array_equal(seen_by(tmp_path, **shown), cropped)
    for degrees in (90, 180, 270):
        turned = np.rot90(cropped, -degrees // 90)
        assert np.array_equal(seen_by(tmp_path, **shown, ImageRotation=degrees), turned)
        flipped = seen_by(tmp_path, **shown, ImageRotation=degrees, ImageHorizontalFlip="Y")
        assert np.array_equal(flipped, turned[:, ::-1])
    # Corners are those of the displayed area as it lies, in pixels of the image.
    other = {"DisplayedAreaSelectionSequence": area(7, 4, 3, 2)}
    assert np.array_equal(seen_by(tmp_path, **other, ImageRotation=180), cropped[::-1, ::-1])
    beyond = seen_by(tmp_path, DisplayedAreaSelectionSequence=area(0, 0, 10, 8))
    assert beyond.shape == (9, 11)
    assert np.array_equal(beyond[1:7, 1:9], PIXELS)
    assert beyond[0].max() == beyond[:, 0].max() == beyond[-1].max() == 0


def test_a_state_magnifies(tmp_path: Path) -> None:
    told = area(1, 1, 8, 6, PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2.0)
    assert seen_by(tmp_path, DisplayedAreaSelectionSequence=told).shape == (12, 16)


def graphic(kind: str, points: list[float], units: str = "PIXEL", filled: str = "N") -> list[Dataset]:
    one = item(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(points) // 2,
        GraphicData=points, GraphicType=kind, GraphicFilled=filled,
    )  # fmt: skip
    return [item(GraphicLayer="L", GraphicObjectSequence=[one])]


def test_a_state_draws_where_the_image_came_to_lie(tmp_path: Path) -> None:
    black = np.zeros((60, 80), np.uint8)
    spot = {"GraphicAnnotationSequence": graphic("POINT", [20.0, 10.0])}

    def middle(picture: Any) -> tuple[float, float]:
        y, x = np.nonzero(picture)
        return float(x.mean()), float(y.mean())

    assert middle(seen_by(tmp_path, black, **spot)) == (20.0, 10.0)
    assert middle(seen_by(tmp_path, black, **spot, ImageRotation=90)) == (50.0, 20.0)
    assert middle(seen_by(tmp_path, black, **spot, ImageHorizontalFlip="Y")) == (60.0, 10.0)
    double = seen_by(tmp_path, black, View(viewport=Viewport(160, 120)), **spot)
    assert middle(double) == (40.0, 20.0)
    part = seen_by(tmp_path, black, View(region=Region(10, 5, 40, 40)), **spot)
    assert middle(part) == (10.0, 5.0)
    relative = {"GraphicAnnotationSequence": graphic("POINT", [0.5, 0.5], "DISPLAY")}
    cropped = seen_by(tmp_path, black, **relative, DisplayedAreaSelectionSequence=area(41, 31, 80, 60))
    assert middle(cropped) == (20.0, 15.0)


@pytest.mark.parametrize(
    ("kind", "points", "at"),
    [
        ("POLYLINE", [5.0, 5.0, 50.0, 5.0, 50.0, 40.0], (5, 30)),
        ("INTERPOLATED", [5.0, 5.0, 50.0, 5.0], (5, 30)),
        ("CIRCLE", [40.0, 30.0, 60.0, 30.0], (30, 20)),
        ("ELLIPSE", [10.0, 30.0, 70.0, 30.0, 40.0, 20.0, 40.0, 40.0], (20, 40)),
    ],
)
def test_graphics(kind: str, points: list[float], at: tuple[int, int], tmp_path: Path) -> None:
    black = np.zeros((60, 80), np.uint8)
    ours = seen_by(tmp_path, black, GraphicAnnotationSequence=graphic(kind, points))
    assert ours[at] == 255
    full = seen_by(tmp_path, black, GraphicAnnotationSequence=graphic(kind, points, filled="Y"))
    assert (full == 255).sum() >= (ours == 255).sum()


def test_text_stands_at_its_place(tmp_path: Path) -> None:
    text = item(
        UnformattedTextValue="Lesion\r\nhere", AnchorPoint=[100.0, 80.0], AnchorPointAnnotationUnits="PIXEL",
        AnchorPointVisibility="N",
    )  # fmt: skip
    ours = seen_by(tmp_path, np.zeros((200, 300), np.uint8),
                   GraphicAnnotationSequence=[item(GraphicLayer="L", TextObjectSequence=[text])])  # fmt: skip
    y, x = np.nonzero(ours > 128)
    assert 98 <= x.min() <= 110
    assert 78 <= y.min() <= 90


def test_other_kinds_of_states_say_so(tmp_path: Path) -> None:
    blending = state(image(PIXELS))
    blending.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.4"
    with pytest.raises(CannotRender, match="Blending"):
        rendered(image(PIXELS), tmp_path, state=blending)


def test_broken_values_are_told_without_quoting_them(tmp_path: Path) -> None:
    stored = image(PIXELS)
    stored.add_new(0x60000010, "US", 4)
    stored.add_new(0x60000011, "US", 4)
    stored.add_new(0x60000050, "SS", [1])
    stored.add_new(0x60003000, "OW", b"\xff\xff")
    with pytest.raises(CannotRender, match="too broken to show it"):
        rendered(stored, tmp_path)


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "examples_palette.dcm", "emri_small.dcm", "eCT_Supplemental.dcm"]
)
def test_a_damaged_object_is_shown_or_refused(name: str, tmp_path: Path) -> None:
    sound = pydicom_path(name).read_bytes()
    chance = random.Random(name)
    for _ in range(25):
        raw = bytearray(sound)
        for _ in range(chance.choice([1, 3, 10])):
            raw[chance.randrange(132, 6000)] = chance.choice([0, 1, 32, 255, chance.randrange(256)])
        (tmp_path / "damaged.dcm").write_bytes(raw)
        with contextlib.suppress(IsocenterError):
            place = source(tmp_path / "damaged.dcm", tmp_path)
            work.draw(str(tmp_path / "x"), place, 1, View(captions=("patient",)), "image/png")
