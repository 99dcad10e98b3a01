"""What the series viewer makes of pixels, in Chromium: values, windows and colours, against pydicom."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_rescale, apply_voi_lut, apply_windowing, pixel_array
from viewer_modules import Run, dicom_json, drawn_flat

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40.0, 400.0), (-600.0, 1500.0), (10.5, 2.0)])
def test_windows_are_those_of_the_standard(run: Run, function: str, center: float, width: float) -> None:
    told = Dataset()
    told.PhotometricInterpretation, told.BitsStored, told.PixelRepresentation = "MONOCHROME2", 16, 1
    told.WindowCenter, told.WindowWidth, told.VOILUTFunction = center, width, function
    told.RescaleSlope, told.RescaleIntercept = 1, 0
    values = np.arange(-1100, 1100, 7, dtype=np.int16) if width > 10 else np.arange(-90, 90, dtype=np.int16)
    expected = apply_windowing(values, told)
    least, most = -32768, 32767
    shares = run(
        "luts",
        "return given.values.map((v) => m.windowed(v, given.center, given.width, given.name))",
        values=values.tolist(),
        center=center,
        width=width,
        name=function,
    )
    assert np.allclose(np.array(shares) * (most - least) + least, expected, atol=1e-6 * (most - least))


def test_a_ct_is_shown_in_the_grey_levels_that_pydicom_gives(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    image.WindowCenter, image.WindowWidth = 40, 400
    expected = apply_windowing(apply_rescale(image.pixel_array, image), image)
    expected = (expected - expected.min()) / (expected.max() - expected.min()) * 255
    shown = drawn_flat(run, image, {"mode": "window", "center": 40, "width": 400})
    assert np.abs(shown - expected).max() <= 1


def test_monochrome1_and_inversion_turn_black_and_white_round(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    view = {"mode": "window", "center": 40, "width": 400}
    plain = drawn_flat(run, image, view)
    image.PhotometricInterpretation = "MONOCHROME1"
    assert (drawn_flat(run, image, view) == 255 - plain).all()
    assert (drawn_flat(run, image, {**view, "invert": True}) == plain).all()


def test_a_voi_lut_is_applied_as_pydicom_does(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    table = Dataset()
    curve = (np.linspace(0, 1, 1000) ** 2 * 4095).astype(np.uint16)
    table.LUTDescriptor, table.LUTExplanation = [1000, 0, 12], "Square"
    table.add_new("LUTData", "US", curve.tolist())
    image.VOILUTSequence = [table]
    for keyword in ("WindowCenter", "WindowWidth"):
        if keyword in image:
            delattr(image, keyword)
    expected = apply_voi_lut(apply_modality_lut(image.pixel_array, image).astype(int), image) / 4095 * 255
    assert np.abs(drawn_flat(run, image, {"mode": "object"}) - expected).max() <= 1


def test_a_modality_lut_gives_the_values_that_pydicom_gives(run: Run) -> None:
    image = dcmread(get_testdata_file("mlut_18.dcm"))
    expected = apply_modality_lut(image.pixel_array, image).astype(float)
    values = run(
        "frames pixels luts tables attributes",
        """const [frame] = m.frames_of([given.dataset]);
        const tables = await m.tables_of(frame, null);
        const bytes = Uint8Array.from(atob(given.pixels), (c) => c.charCodeAt(0));
        const pixels = m.decode_frame(frame.image, bytes.buffer);
        return Array.from(pixels.stored, (v) => m.modality_value(frame, tables, v));""",
        dataset=dicom_json(image),
        pixels=base64.b64encode(image.PixelData).decode(),
    )
    assert np.abs(np.array(values).reshape(expected.shape) - expected).max() < 1


def test_a_palette_image_has_the_colours_that_pydicom_gives(run: Run) -> None:
    from pydicom.pixels import apply_color_lut

    path = get_testdata_file("examples_palette.dcm")
    image = dcmread(path)
    expected = apply_color_lut(image.pixel_array, image)
    expected = (expected >> 8).astype(np.uint8) if expected.dtype == np.uint16 else expected
    shown = drawn_flat(run, image, {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 1


def test_a_segmented_palette_has_the_colours_that_pydicom_gives(run: Run) -> None:
    from pydicom.pixels import apply_color_lut

    path = get_testdata_file("gdcm-US-ALOKA-16.dcm")
    if path is None:
        pytest.skip("pydicom-data is not installed")
    image = dcmread(path)
    expected = (apply_color_lut(image.pixel_array, image) >> 8).astype(int)
    shown = drawn_flat(run, image, {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("wide", [True, False])
def test_segments_of_a_table_are_values_lines_and_repetitions(run: Run, wide: bool) -> None:
    offset = [0, 0] if wide else [0, 0, 0, 0]
    words = [0, 2, 10, 20, 1, 4, 60, 2, 2, *offset]
    told = run("tables", "return m.expanded(given.words, given.wide)", words=words, wide=wide)
    assert told == [10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60]


def test_twelve_signed_bits_have_their_sign(run: Run) -> None:
    stored = np.array([-2048, -1, 0, 1, 2047], dtype=np.int16)
    raw = (stored & 0x0FFF).astype("<u2")
    image = {"rows": 1, "columns": 5, "samples": 1, "allocated": 16, "stored": 12, "signed": True}
    image["high_bit"] = 11
    values = run(
        "pixels",
        "return Array.from(m.stored_values(given.image, Uint16Array.from(given.raw).buffer))",
        image=image,
        raw=raw.tolist(),
    )
    assert values == stored.tolist()


@pytest.mark.parametrize(
    "name", ["SC_ybr_full_422_uncompressed.dcm", "SC_ybr_full_uncompressed.dcm", "SC_rgb.dcm"]
)
def test_colour_is_what_pydicom_makes_of_it(run: Run, name: str) -> None:
    path = get_testdata_file(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    expected = pixel_array(path)
    shown = drawn_flat(run, dcmread(path), {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 2


def test_suv_is_by_body_weight_and_decayed_to_the_start_of_the_series(run: Run) -> None:
    drug = {
        "00181074": {"Value": [3.7e8]},
        "00181075": {"Value": [6586.2]},
        "00181072": {"Value": ["100000"]},
    }
    dataset = {
        "00541001": {"Value": ["BQML"]},
        "00541102": {"Value": ["START"]},
        "00101030": {"Value": [70]},
        "00080031": {"Value": ["110000.00"]},
        "00540016": {"Value": [drug]},
    }
    factor = run("presets", "return m.suv_factor(given.d)", d=dataset)
    assert factor == pytest.approx(70000 / (3.7e8 * 2 ** (-3600 / 6586.2)))
