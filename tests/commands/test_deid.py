"""`isocenter deid`: a key once, then folders; what it prints, what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.deid import Key
from isocenter.deid.report import read_report

Alone = Callable[..., Any]


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm"):
        shutil.copy(str(get_testdata_file(name)), folder)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_a_folder_with_a_new_key_then_again_with_the_same(
    alone: Alone, incoming: Path, tmp_path: Path
) -> None:
    key, report = tmp_path / "project.key", tmp_path / "report.json"
    first = alone("deid", incoming, tmp_path / "a", "--new-key", key, "--report", report, "--workers", "1")
    assert "4 files = 2 out + 1 quarantined + 1 skipped" in first.stdout
    assert first.returncode == 1
    assert key.read_text() not in first.stdout + first.stderr
    counts = read_report(report.read_text(), Key.read(key))["counts"]
    assert [counts[name] for name in ("files", "out", "quarantined", "skipped", "verified")] == [
        4,
        2,
        1,
        1,
        2,
    ]
    again = alone("deid", incoming, tmp_path / "b", "--key-file", key, "--workers", "1", "--json")
    told = json.loads(again.stdout)
    assert [told[name] for name in ("files", "out", "quarantined", "skipped")] == [4, 2, 1, 1]
    results = [{path.name for path in (tmp_path / name).glob("*/*/*")} for name in "ab"]
    assert results[0] == results[1]


def test_one_file(alone: Alone, incoming: Path, tmp_path: Path) -> None:
    alone("deid", "--new-key", tmp_path / "k")
    told = alone("deid", incoming / "CT_small.dcm", tmp_path / "new.dcm", "--key-file", tmp_path / "k")
    assert told.returncode == 0
    assert pydicom.dcmread(tmp_path / "new.dcm").PatientIdentityRemoved == "YES"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "A key is needed"),
        (("--key-file", "none"), "isocenter deid --new-key"),
        (("--new-key", "k", "--option", "clean-descriptor"), "clean-descriptors"),
        (("--new-key", "k", "--pixels", "trust"), "quarantine, keep"),
        (("--new-key", "k", "--pattern", "SITE"), "SITE1-{id:10}"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    alone: Alone, incoming: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    told = alone("deid", incoming, tmp_path / "out", *arguments)
    assert told.returncode == 2
    assert words in told.stderr
    assert not (tmp_path / "out").exists()
