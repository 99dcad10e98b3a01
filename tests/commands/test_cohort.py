"""`isocenter cohort` as it is typed, against one running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_freeze_show_verify_diff_and_delete(filled: Any, tmp_path: Path) -> None:
    made = json.loads(filled("cohort", "freeze", "ct", "Modality=CT", "--level", "series", "--json").stdout)
    assert (made["id"], made["series"]) == ("ct@1", 1)
    told = filled(
        "cohort", "freeze", "ct", "Modality in (CT, MR)", "--level", "series", "--description", "both"
    )
    assert "ct@2" in told.stdout
    assert "sha256:" in told.stdout.replace("\n", "")
    assert "both" in filled("cohort", "list").stdout
    listed = json.loads(filled("cohort", "list", "--versions", "--json").stdout)
    assert [one["id"] for one in listed] == ["ct@1", "ct@2"]
    verified = filled("cohort", "verify", "ct")
    assert (verified.returncode, "All 2 instances" in verified.stdout) == (0, True)
    change = filled("cohort", "diff", "ct@1", "ct@2")
    assert "1 added, 0 removed, 1 in both" in change.stderr
    assert change.stdout.startswith("+ ")
    members = filled("cohort", "show", "ct", "--members", "--level", "instance").stdout.splitlines()
    assert members[0] == "StudyInstanceUID,SeriesInstanceUID,SOPInstanceUID"
    assert len(members) == 3
    listing = tmp_path / "uids.txt"
    listing.write_text("\n".join(line.split(",")[2] for line in members[1:]))
    again = json.loads(filled("cohort", "freeze", "list", "--uids", listing, "--json").stdout)
    assert again["digest"] == listed[1]["digest"]
    assert filled("cohort", "delete", "ct").returncode == 0
    assert filled("cohort", "delete", "list@1").returncode == 0
    assert json.loads(filled("cohort", "list", "--json").stdout) == []


def test_mistakes_are_told(filled: Any) -> None:
    told = filled("cohort", "show", "nothing")
    assert (told.returncode, "There is no cohort 'nothing'" in told.stderr) == (2, True)
    assert filled("cohort", "freeze", "x", "--level", "patient").returncode == 2
    assert "UIDs exclude" in filled("cohort", "freeze", "x", "Modality=CT", "--uids", "-").stderr
