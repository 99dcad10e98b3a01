"""De-identification makes no object invalid: dciodvfy finds no error that it did not find before."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pydicom
import pytest

from isocenter.deid import Deidentifier, Documents, Key, Policies, Uncleared
from isocenter.deid.pixels import Pixels
from isocenter.deid.profile import Option
from isocenter.deid.regions import parse_regions

DCIODVFY = shutil.which("dciodvfy")
VALUES = re.compile(r"= <[^>]*>|\[\d+\]")
DEFLATED = "1.2.840.10008.1.2.1.99"
LARGEST = 3_000_000
KEY = Key(bytes(range(32)))
EVERYWHERE = {"name": "all", "match": {"Modality": "*"}, "mask": [[0, 0, 8, 8]]}
TRIAL = (
    ("ClinicalTrialSponsorName", "ACME"),
    ("ClinicalTrialProtocolID", "P-1"),
    ("ClinicalTrialSubjectID", "S-{patient}"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (Debian package dicom3tools) is not installed"),
]


@cache
def errors(path: Path) -> Counter[str]:
    """Errors of an original and how often, without values and item numbers."""
    return told(path)


def told(path: Path) -> Counter[str]:
    """Errors now."""
    said = subprocess.run([str(DCIODVFY), "-new", path], capture_output=True, check=False).stderr
    lines = (VALUES.sub("", line) for line in said.decode("latin-1").splitlines())
    return Counter(line for line in lines if line.startswith("Error"))


def objects() -> list[Path]:
    """All test files of pydicom, save deflated ones, which dciodvfy does not inflate."""
    files = sorted(Path(pydicom.__path__[0]).glob("data/**/*"))
    small = [path for path in files if path.is_file() and path.stat().st_size <= LARGEST]
    return [path for path in small if DEFLATED.encode() not in path.read_bytes()[:1024]]


def new_errors(deid: Deidentifier, tmp_path: Path) -> tuple[dict[str, dict[str, int]], int]:
    new, out = {}, 0
    for path in objects():
        target = tmp_path / "out.dcm"
        if deid.file(path, target).target is None:
            continue
        out += 1
        if found := told(target) - errors(path):
            new[path.name] = dict(found)
    return new, out


RETAINING = [option.value for option in Option if option.value.startswith("retain")]
CLEANING = ["clean-descriptors", "clean-structured-content", "clean-graphics"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        *([option.value] for option in Option if "recognizable" not in option and "pixel" not in option),
        ["modified-dates", "patient-characteristics", *CLEANING],
        [*(name for name in RETAINING if "modified" not in name), *CLEANING],
    ],
    ids=lambda options: "+".join(options) if len(options) < 3 else f"{len(options)} options, {options[0]}",
)
def test_no_object_has_a_new_error(options: list[str], tmp_path: Path) -> None:
    policies = Policies(uncleared=Uncleared.KEEP, documents=Documents.DROP)
    new, out = new_errors(Deidentifier(KEY, options=options, policies=policies), tmp_path)
    assert new == {}
    assert out > 80


def test_no_object_that_is_blacked_out_and_of_a_trial_has_a_new_error(tmp_path: Path) -> None:
    judge = Pixels(parse_regions({"version": 1, "rule": [EVERYWHERE]}))
    policies = Policies(uncleared=Uncleared.KEEP, documents=Documents.DROP, trial=TRIAL)
    deid = Deidentifier(KEY, options=["clean-pixel-data"], judge=judge, policies=policies)
    new, out = new_errors(deid, tmp_path)
    assert new == {}
    assert out > 70
