"""De-identification makes no object invalid: dciodvfy finds no error that it did not find before."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from isocenter.deid import Deidentifier, Documents, Key, Policies, Uncleared

DCIODVFY = shutil.which("dciodvfy")
VALUES = re.compile(r"= <[^>]*>|\[\d+\]")
DEFLATED = "1.2.840.10008.1.2.1.99"
LARGEST = 3_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (Debian package dicom3tools) is not installed"),
]


def errors(path: Path) -> Counter[str]:
    """Errors and how often, without values and item numbers."""
    told = subprocess.run([str(DCIODVFY), "-new", path], capture_output=True, check=False).stderr
    lines = (VALUES.sub("", line) for line in told.decode("latin-1").splitlines())
    return Counter(line for line in lines if line.startswith("Error"))


def objects() -> list[Path]:
    """All test files of pydicom, save deflated ones, which dciodvfy does not inflate."""
    files = sorted(Path(pydicom.__path__[0]).glob("data/**/*"))
    small = [path for path in files if path.is_file() and path.stat().st_size < LARGEST]
    return [path for path in small if DEFLATED.encode() not in path.read_bytes()[:1024]]


@pytest.mark.parametrize(
    "options",
    [[], ["modified-dates", "clean-descriptors", "patient-characteristics", "clean-structured-content"]],
    ids=["basic", "options"],
)
def test_no_object_has_a_new_error(options: list[str], tmp_path: Path) -> None:
    policies = Policies(uncleared=Uncleared.KEEP, documents=Documents.DROP)
    deid = Deidentifier(Key(bytes(range(32))), options=options, policies=policies)
    new, out = {}, 0
    for path in objects():
        target = tmp_path / "out.dcm"
        if deid.file(path, target).target is None:
            continue
        out += 1
        if found := errors(target) - errors(path):
            new[path.name] = dict(found)
    assert new == {}
    assert out > 80
