"""`isocenter deid-vault` and `deid-report`: a look-up leaves its trace, a change is found out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file
from tests.unit.deid.test_verify import cleaned, original

from isocenter.deid.envelope import read_private, read_public
from isocenter.deid.key import Key
from isocenter.deid.profile import Profile
from isocenter.deid.report import Report
from isocenter.deid.vault import Entry, Vault, reidentify

Alone = Callable[..., Any]


def test_a_subject_is_found_by_the_holder_and_the_look_up_is_logged(alone: Alone, tmp_path: Path) -> None:
    made = alone("deid-vault", "new-keys", tmp_path / "private.pem", tmp_path / "public.pem")
    assert made.returncode == 0
    vault = tmp_path / "project.vault"
    Vault(vault, read_public(tmp_path / "public.pem")).put(Entry.of(original(), cleaned()))
    (subject,) = json.loads(alone("deid-vault", "list", vault, "--json").stdout)
    asked = ("deid-vault", "find", vault, subject, "--private-key", tmp_path / "private.pem")
    (found,) = json.loads(alone(*asked, "--reason", "incidental finding", "--json").stdout)
    assert (found["patient_id"], found["name"]) == ("HOSP-4711", "Winterbottom^Ada")
    (line,) = json.loads(alone("deid-vault", "log", vault, "--json").stdout)
    assert (line["subject"], line["reason"]) == (subject, "incidental finding")


def test_a_run_keeps_who_is_who(alone: Alone, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "in")
    alone("deid-vault", "new-keys", tmp_path / "private.pem", tmp_path / "public.pem")
    asked = ["deid", tmp_path / "in", tmp_path / "out", "--new-key", tmp_path / "key", "--workers", "1"]
    refused = alone(*asked, "--vault", tmp_path / "vault")
    assert "go together" in refused.stderr
    asked[3] = "--key-file"
    done = alone(*asked, "--vault", tmp_path / "vault", "--vault-key", tmp_path / "public.pem")
    assert done.returncode == 0
    (result,) = (path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "DICOMDIR")
    (found,) = reidentify(
        tmp_path / "vault",
        str(dcmread(result).PatientID),
        read_private(tmp_path / "private.pem"),
        reason="a test",
    )
    assert found.name == "CompressedSamples^CT1"


def test_a_report_that_was_changed_is_found_out(alone: Alone, tmp_path: Path) -> None:
    key, report = Key.generate(), tmp_path / "report.json"
    key.write(tmp_path / "key")
    signed = Report(Profile(), key, title="Thin CT").sign(key)
    report.write_text(json.dumps(signed))
    good = alone("deid-report", report, "--key-file", tmp_path / "key", "--html", tmp_path / "report.html")
    assert (good.returncode, "signed it" in good.stdout) == (0, True)
    assert "Thin CT" in (tmp_path / "report.html").read_text()
    report.write_text(json.dumps(signed | {"title": "Thick CT"}))
    bad = alone("deid-report", report, "--key-file", tmp_path / "key")
    assert bad.returncode != 0
    assert "changed after it was signed" in bad.stderr
