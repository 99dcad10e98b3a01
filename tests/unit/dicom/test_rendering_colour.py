"""Colours of rendered frames: palettes, luminance and chrominance, profiles, overlays."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import image, pydicom_path, rendered, source
from PIL import Image, ImageCms
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut

from isocenter.dicom.rendering import icc, work
from isocenter.dicom.rendering.view import CannotRender, View

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


@pytest.mark.parametrize(
    "name",
    ["SC_rgb.dcm", "SC_rgb_16bit.dcm", "SC_rgb_32bit.dcm", "examples_rgb_color.dcm", "US1_J2KR.dcm",
     "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm", "color-pl.dcm"],
)  # fmt: skip
def test_colours_are_what_pydicom_decodes(name: str, tmp_path: Path) -> None:
    path = pydicom_path(name)
    expected = pixel_array(str(path), index=0, raw=False)
    bits = dcmread(path, stop_before_pixels=True).BitsStored
    assert np.array_equal(rendered(path, tmp_path), expected >> (bits - 8))


@pytest.mark.parametrize("name", ["examples_palette.dcm", "gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm"])
def test_palettes(name: str, tmp_path: Path) -> None:
    data_set = dcmread(pydicom_path(name), force=True)
    wide = apply_color_lut(data_set.pixel_array, data_set)
    shift = data_set.RedPaletteColorLookupTableDescriptor[2] - 8
    assert np.array_equal(rendered(pydicom_path(name), tmp_path), wide >> shift)


def test_a_segmented_palette(tmp_path: Path) -> None:
    discrete = struct.pack("<6H", 0, 4, 0, 100 << 8, 200 << 8, 50 << 8)
    linear = struct.pack("<3H", 1, 4, 250 << 8)
    stored = image(np.arange(8, dtype=np.uint8).reshape(2, 4), PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(stored, f"{colour}PaletteColorLookupTableDescriptor", [8, 0, 16])
        setattr(stored, f"Segmented{colour}PaletteColorLookupTableData", discrete + linear)
    ours = rendered(stored, tmp_path)
    expected = [0, 100, 200, 50, 100, 150, 200, 250]
    assert np.abs(ours[..., 0].ravel().astype(int) - expected).max() <= 1
    assert np.array_equal(ours[..., 0], ours[..., 2])


def test_a_broken_palette_says_so(tmp_path: Path) -> None:
    stored = image(np.zeros((2, 2), np.uint8), PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(CannotRender, match="palette"):
        rendered(stored, tmp_path)


def test_a_supplemental_palette_colours_the_values_it_has(tmp_path: Path) -> None:
    path = pydicom_path("eCT_Supplemental.dcm")
    stored = dcmread(path).pixel_array[0]
    ours = rendered(path, tmp_path)
    grey = stored < 1024
    assert ours.shape == (512, 512, 3)
    assert (ours[grey] == ours[grey][:, :1]).all()
    assert (ours[~grey] != ours[~grey][:, :1]).any()


def test_planar_configuration(tmp_path: Path) -> None:
    planes = image(RGB)
    planes.PlanarConfiguration = 1
    planes.PixelData = np.moveaxis(RGB, 2, 0).tobytes()
    assert np.array_equal(rendered(planes, tmp_path), RGB)


def test_the_partial_range_of_video(tmp_path: Path) -> None:
    grey = np.full((2, 2, 3), 128, np.uint8)
    grey[..., 0] = [[16, 235], [126, 16]]
    made = image(grey)
    from isocenter.dicom.pixels import Decoded
    from isocenter.dicom.rendering.colour import rgb_of

    ours = rgb_of(Decoded(grey, "YBR_PARTIAL_420", 8), made)
    assert ours[..., 0].tolist() == [[0, 255], [128, 0]]


def profile_of(view: View, folder: Path, what: Any) -> bytes | None:
    work.draw(str(folder / "picture"), source(what, folder), 1, view, "image/png")
    with Image.open(folder / "picture") as picture:
        found: bytes | None = picture.info.get("icc_profile")
    return found


def test_profiles(tmp_path: Path) -> None:
    plain = image(RGB)
    assert profile_of(View(), tmp_path, plain) is None
    assert profile_of(View(profile="yes"), tmp_path, plain) == icc.profile("srgb")
    own = image(RGB, ICCProfile=icc.profile("adobergb"))
    assert profile_of(View(profile="yes"), tmp_path, own) == icc.profile("adobergb")
    assert profile_of(View(profile="no"), tmp_path, own) is None
    for name in ("srgb", "adobergb", "rommrgb", "displayp3"):
        assert profile_of(View(profile=name), tmp_path, own) == icc.profile(name)


def test_colours_are_converted_between_profiles(tmp_path: Path) -> None:
    own = image(np.full((2, 2, 3), (60, 200, 60), np.uint8), ICCProfile=icc.profile("adobergb"))
    same = rendered(own, tmp_path, View(profile="adobergb"))
    assert np.abs(same.astype(int) - (60, 200, 60)).max() <= 1
    as_srgb = rendered(own, tmp_path, View(profile="srgb"))[0, 0]
    assert as_srgb[0] < 20  # this green lies outside sRGB
    inside = rendered(own, tmp_path, View(profile="rommrgb"))
    back = image(np.array(inside), ICCProfile=icc.profile("rommrgb"))
    assert np.abs(rendered(back, tmp_path, View(profile="adobergb")).astype(int) - (60, 200, 60)).max() <= 2
    broken = image(RGB, ICCProfile=b"x" * 200)
    with pytest.raises(CannotRender, match="iccprofile=no"):
        rendered(broken, tmp_path, View(profile="srgb"))


@pytest.mark.parametrize("name", ["adobergb", "rommrgb", "displayp3"])
def test_our_profiles_are_profiles(name: str) -> None:
    made = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile(name)))
    assert "compatible" in ImageCms.getProfileDescription(made)
    white = Image.new("RGB", (1, 1), (255, 255, 255))
    there = ImageCms.profileToProfile(white, made, ImageCms.createProfile("sRGB"))
    assert there is not None
    assert min(there.getpixel((0, 0))) >= 254  # type: ignore[arg-type, type-var]


def test_overlays_are_white_on_grey_and_on_colour(tmp_path: Path) -> None:
    plane = np.zeros((4, 8), np.uint8)
    plane[1, 2:5] = 1
    for pixels in (np.full((6, 10), 9, np.uint8), np.full((6, 10, 3), 9, np.uint8)):
        stored = image(pixels)
        overlay(stored, plane, origin=[2, 3])
        ours = rendered(stored, tmp_path)
        assert (ours[2, 4:7] == 255).all()
        assert (ours == 255).any(axis=-1).sum() == 3 if ours.ndim == 3 else (ours == 255).sum() == 3


def test_overlays_partly_outside_and_of_single_frames(tmp_path: Path) -> None:
    plane = np.ones((4, 4), np.uint8)
    outside = image(np.zeros((4, 4), np.uint8))
    overlay(outside, plane, origin=[-1, 3])
    assert rendered(outside, tmp_path).tolist() == [[0, 0, 255, 255]] * 2 + [[0] * 4] * 2
    moving = image(np.zeros((3, 4, 4), np.uint8))
    overlay(moving, np.stack([plane, 0 * plane]), origin=[1, 1])
    moving.add_new(0x60000015, "IS", 2)
    moving.add_new(0x60000051, "US", 2)
    assert [rendered(moving, tmp_path, number=n).max() for n in (1, 2, 3)] == [0, 255, 0]


def test_an_overlay_in_the_high_bits_of_pixels(tmp_path: Path) -> None:
    pixels = np.full((4, 4), 100, np.uint16)
    pixels[1, 1] |= 1 << 12
    stored = image(pixels, BitsStored=12, WindowCenter="100", WindowWidth="4000")
    stored.add_new(0x60000010, "US", 4)
    stored.add_new(0x60000011, "US", 4)
    stored.add_new(0x60000050, "SS", [1, 1])
    stored.add_new(0x60000100, "US", 16)
    stored.add_new(0x60000102, "US", 12)
    ours = rendered(stored, tmp_path)
    assert ours[1, 1] == 255
    assert (ours == 255).sum() == 1


def overlay(stored: Any, plane: Any, origin: list[int]) -> None:
    stored.add_new(0x60000010, "US", plane.shape[-2])
    stored.add_new(0x60000011, "US", plane.shape[-1])
    stored.add_new(0x60000040, "CS", "G")
    stored.add_new(0x60000050, "SS", origin)
    stored.add_new(0x60000100, "US", 1)
    stored.add_new(0x60000102, "US", 0)
    stored.add_new(0x60003000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes())
