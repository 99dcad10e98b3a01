"""`isocenter job` as it is typed, against one running server, whose keeper runs them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def test_a_verification_is_started_waited_for_and_listed(filled: Any) -> None:
    told = filled("job", "start", "verify", "--wait", "--json")
    job = json.loads(told.stdout)
    assert (told.returncode, job["State"], job["Result"]["ok"]) == (0, "Success", True)
    assert "verify" in filled("job", "list").stdout
    shown = filled("job", "show", job["ID"][:8])
    assert "done" in shown.stdout
    assert "findings.json" in shown.stdout


def test_a_zip_is_saved(filled: Any, tmp_path: Path) -> None:
    target = tmp_path / "ct.zip"
    filled("cohort", "freeze", "zipped", "Modality=CT")
    told = filled("job", "start", "archive", "cohort=zipped", "--output", target)
    assert (told.returncode, "Saved" in told.stderr) == (0, True), told.stderr
    assert len(zipfile.ZipFile(target).namelist()) == 1
    filled("cohort", "delete", "zipped")


def test_one_that_fails_says_why(filled: Any) -> None:
    started = json.loads(filled("job", "start", "archive", 'uids=["1.9"]', "--json").stdout)
    told = filled("job", "wait", started["ID"])
    assert (told.returncode, "nothing to put into the zip" in told.stdout.replace("\n", "")) == (1, True)
    assert filled("job", "start", "nothing").returncode == 2
    assert filled("job", "show", "zzz").returncode == 2
    assert json.loads(filled("job", "cancel", started["ID"], "--json").stdout)["State"] == "Failure"
