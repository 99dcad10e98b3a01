"""Rendered frames beside those of DCMTK's dcmj2pnm: an implementation that shares nothing with ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pictures import pydicom_path, rendered
from PIL import Image

pytestmark = [
    pytest.mark.dcmtk,
    pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="needs DCMTK's dcmj2pnm"),
]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("MR_small.dcm", ["+Wi", "1"]),
        ("693_UNCR.dcm", ["+Wi", "1"]),
        ("MR-SIEMENS-DICOM-WithOverlays.dcm", ["+Wi", "1"]),
        ("RG1_UNCR.dcm", ["+Wi", "1"]),
        ("JPEG-LL.dcm", ["+Wm"]),
        ("rtdose.dcm", ["+Wm"]),
        ("vlut_04.dcm", ["+Wl", "1"]),
        ("mlut_18.dcm", ["+Wm"]),
        ("OT-PAL-8-face.dcm", []),
        ("examples_palette.dcm", []),
        ("SC_rgb_dcmtk_+eb+cy+s4.dcm", []),
        ("examples_ybr_color.dcm", []),
        ("SC_rgb_16bit.dcm", []),
        ("SC_rgb_small_odd_jpeg.dcm", []),
    ],
)
def test_pixels_are_those_of_dcmtk(name: str, how: list[str], tmp_path: Path) -> None:
    target = tmp_path / "theirs.ppm"
    command = ["dcmj2pnm", "-q", "+F", "1", "+O", "0", *how, str(pydicom_path(name)), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(target) as picture:
        theirs = np.asarray(picture).astype(int)
    ours = rendered(pydicom_path(name), tmp_path).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1
