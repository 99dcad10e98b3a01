"""What is sent over the web has no error that the stored object has not, by dciodvfy (Debian dicom3tools)."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from live_archive import serving
from web_answers import pydicom_file, stored

pytestmark = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed"
)

# Not the deflated one: Debian's dciodvfy does not inflate.
SYNTAXES = ["1.2.1", "1.2.4.90", "1.2.4.80", "1.2.4.70", "1.2.5", "*"]
FILES = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_RLE.dcm",
    "examples_ybr_color.dcm",
    "SC_rgb_rle_2frame.dcm",
    "examples_palette.dcm",
    "emri_small.dcm",
]


def errors(raw: bytes, folder: Path) -> set[str]:
    """The errors that dciodvfy finds, without what says where."""
    (folder / "object.dcm").write_bytes(raw)
    done = subprocess.run(["dciodvfy", "object.dcm"], cwd=folder, capture_output=True, timeout=60)
    lines = done.stderr.decode("latin-1").splitlines()
    return {line for line in lines if line.startswith("Error")}


@pytest.mark.parametrize("name", FILES)
def test_no_new_error_in_what_is_sent(name: str, tmp_path: Path) -> None:
    sent = pydicom_file(name)
    known = errors(sent, tmp_path)
    with serving(tmp_path / "data") as start:
        web: Any = start()
        path = stored(web, sent)
        for syntax in SYNTAXES:
            uid = syntax if syntax == "*" else f"1.2.840.10008.{syntax}"
            answer = web.get(path, headers={"Accept": f"application/dicom; transfer-syntax={uid}"})
            assert answer.status_code == 200, answer.text
            assert errors(answer.content, tmp_path) <= known, uid
            assert pydicom.dcmread(io.BytesIO(answer.content)).pixel_array.size
