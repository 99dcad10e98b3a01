"""Grey levels of rendered frames, beside pydicom's own reading of the pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import image, item, pydicom_path, rendered
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_rescale, apply_voi_lut, apply_windowing

from isocenter.dicom.rendering.view import CannotRender, View, Window
from isocenter.errors import NotFound

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)


def close(ours: Any, expected: Any) -> bool:
    """Equal but for rounding."""
    return bool(np.abs(ours.astype(float) - expected).max() <= 1.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    ["693_UNCR.dcm", "MR_small.dcm", "MR2_UNCI.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm",
     "MR_small_bigendian.dcm", "bad_sequence.dcm", "vlut_04.dcm"],
)  # fmt: skip
def test_levels_are_what_pydicom_computes(name: str, tmp_path: Path) -> None:
    data_set = dcmread(pydicom_path(name))
    values = apply_modality_lut(data_set.pixel_array, data_set)
    if "VOILUTSequence" in data_set:
        bits = data_set.VOILUTSequence[0].LUTDescriptor[2]
        expected = apply_voi_lut(values, data_set) / (2.0**bits - 1) * 255
    else:
        out = apply_windowing(values, data_set)
        window = (float(np.atleast_1d(data_set[word].value)[0]) for word in ("WindowCenter", "WindowWidth"))
        centre, width = window
        low, high = apply_windowing(np.array([centre - width, centre + width]), data_set)
        expected = (out - low) / (high - low) * 255
    assert close(rendered(pydicom_path(name), tmp_path), expected)


@pytest.mark.filterwarnings("ignore")
def test_a_modality_lut_sequence_is_looked_up(tmp_path: Path) -> None:
    data_set = dcmread(pydicom_path("mlut_18.dcm"))
    values = apply_modality_lut(data_set.pixel_array, data_set).astype(float)
    expected = (values - values.min()) / (values.max() - values.min()) * 255
    assert close(rendered(pydicom_path("mlut_18.dcm"), tmp_path), expected)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions(function: str, tmp_path: Path) -> None:
    told: dict[str, Any] = {"WindowCenter": "900", "WindowWidth": "700", "VOILUTFunction": function}
    stored = image(RAMP, BitsStored=12, RescaleSlope="1", RescaleIntercept="-1024", **told)
    out = apply_windowing(apply_rescale(RAMP, stored), stored)
    low, high = (0, 4095) if function == "SIGMOID" else (out.min(), out.max())
    if function == "SIGMOID":
        low, high = -1024, 4095 - 1024
    expected = (out - low) / (high - low) * 255
    ours = rendered(stored, tmp_path)
    assert close(ours, expected)
    asked = rendered(image(RAMP, BitsStored=12, RescaleSlope="1", RescaleIntercept="-1024"), tmp_path,
                     View(window=Window(900, 700, function)))  # fmt: skip
    assert np.array_equal(asked, ours)


def test_a_window_of_width_one_is_a_threshold(tmp_path: Path) -> None:
    ours = rendered(image(RAMP, WindowCenter="100", WindowWidth="1"), tmp_path)
    assert np.array_equal(ours, np.where(RAMP > 99.5, 255, 0))


@pytest.mark.parametrize("broken", [{"WindowWidth": "0"}, {"WindowWidth": ""}, {}])
def test_without_a_usable_window_all_values_are_spread(broken: dict[str, str], tmp_path: Path) -> None:
    told = {"WindowCenter": "40", **broken} if broken else {}
    assert close(rendered(image(RAMP, **told), tmp_path), RAMP / 4095 * 255)


def test_padding_does_not_count_for_the_range(tmp_path: Path) -> None:
    signed = RAMP.astype(np.int16)
    signed[0, :8] = -2000
    ours = rendered(image(signed, PixelPaddingValue=-2000), tmp_path)
    assert (ours[0, :8] == 0).all()
    low = signed[signed > -2000].min()
    assert close(ours[1:], (signed[1:] - low) / (4095 - low) * 255)
    signed[0, :8] = np.arange(-2000, -1992)
    with_range = image(signed, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)
    assert np.array_equal(rendered(with_range, tmp_path), ours)


def test_bytes_made_for_the_eye_stay_as_they_are(tmp_path: Path) -> None:
    some = np.array([[10, 20], [100, 200]], np.uint8)
    assert np.array_equal(rendered(image(some), tmp_path), some)
    inverted = image(some, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(rendered(inverted, tmp_path), 255 - some)


def test_bits_above_those_stored_are_not_pixels(tmp_path: Path) -> None:
    noisy = RAMP | 0xA000
    assert close(rendered(image(noisy, BitsStored=12), tmp_path), RAMP / 4095 * 255)
    shifted = image(RAMP << 4, BitsStored=12, HighBit=15)
    assert close(rendered(shifted, tmp_path), RAMP / 4095 * 255)
    negative = image((RAMP.astype(np.int16) - 2048) & 0x0FFF, BitsStored=12, PixelRepresentation=1)
    assert close(rendered(negative, tmp_path), RAMP / 4095 * 255)


def test_segments_of_one_bit(tmp_path: Path) -> None:
    path = pydicom_path("liver.dcm")
    frames = dcmread(path).pixel_array
    for number in (1, 2, 3):
        assert np.array_equal(rendered(path, tmp_path, number=number), frames[number - 1] * 255)


def test_frames_have_their_own_functional_groups(tmp_path: Path) -> None:
    def frame(center: int, slope: int) -> Any:
        return item(
            FrameVOILUTSequence=[item(WindowCenter=str(center), WindowWidth="100")],
            PixelValueTransformationSequence=[item(RescaleSlope=str(slope), RescaleIntercept="0")],
        )

    both = image(np.stack([RAMP, RAMP]), PerFrameFunctionalGroupsSequence=[frame(50, 1), frame(500, 2)])
    first, second = (rendered(both, tmp_path, number=number) for number in (1, 2))
    assert np.array_equal(first, rendered(image(RAMP), tmp_path, View(window=Window(50, 100))))
    assert np.array_equal(second, rendered(image(RAMP * 2), tmp_path, View(window=Window(500, 100))))


def test_float_pixels(tmp_path: Path) -> None:
    stored = image(RAMP)
    del stored.PixelData
    values = (RAMP / 7).astype("<f4")
    values[0, 0] = np.nan
    stored.BitsAllocated = 32
    stored.FloatPixelData = values.tobytes()
    ours = rendered(stored, tmp_path)
    assert close(ours.ravel()[1:], (RAMP.ravel()[1:] - 1) / 4094 * 255)


def test_big_endian_and_deflated_look_the_same(tmp_path: Path) -> None:
    for one, other in [
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("rtdose_1frame.dcm", "rtdose_expb_1frame.dcm"),
        ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"),
    ]:
        pair = [rendered(pydicom_path(name), tmp_path) for name in (one, other)]
        assert np.array_equal(*pair), other
    assert rendered(pydicom_path("image_dfl.dcm"), tmp_path).shape == (512, 512)


def test_what_is_not_there_and_what_cannot_be_decoded(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="frames are 1 to 1"):
        rendered(pydicom_path("CT_small.dcm"), tmp_path, number=2)
    with pytest.raises(CannotRender, match="retrieve the instance as stored"):
        rendered(pydicom_path("JPEG-lossy.dcm"), tmp_path)
    with pytest.raises(CannotRender, match="no Pixel Data"):
        rendered(pydicom_path("rtplan.dcm"), tmp_path)


def test_a_server_names_the_work_without_loading_numpy() -> None:
    heavy = "{'numpy', 'PIL', 'pydicom'}"
    script = f"import sys, isocenter.dicom.rendering.work; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
