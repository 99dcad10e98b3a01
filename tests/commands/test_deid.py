"""`isocenter deid`: a key once, then folders; what it prints, what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydicom.data import get_testdata_file
from tests.unit.deid.test_encrypted import holder

from isocenter.deid import Key
from isocenter.deid.encrypted import decrypt_originals
from isocenter.deid.report import read_report
from isocenter.deid.signature import check_person

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
        (("--new-key", "k", "--trial", "ACME"), "Keyword=VALUE"),
        (("--new-key", "k", "--encrypt-for", "none.pem"), "no file none.pem"),
        (("--new-key", "k", "--report-title", "Thin CT"), "go with --report"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    alone: Alone, incoming: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    told = alone("deid", incoming, tmp_path / "out", *arguments)
    assert told.returncode == 2
    assert words in told.stderr
    assert not (tmp_path / "out").exists()


def test_originals_are_sealed_the_trial_is_told_and_the_report_is_vouched_for(
    alone: Alone, incoming: Path, tmp_path: Path
) -> None:
    private, certificate = holder()
    signer = Ed25519PrivateKey.generate()
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "me.pem").write_bytes(signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    trial = [f"--trial={one}" for one in ("ClinicalTrialSponsorName=ACME", "ClinicalTrialProtocolID=P=1")]
    alone(
        *("deid", incoming, tmp_path / "out", "--new-key", tmp_path / "k", "--workers", "1"),
        *("--encrypt-for", tmp_path / "cert.pem", *trial, "--trial", "ClinicalTrialSubjectID=S-{patient}"),
        *(
            "--report",
            tmp_path / "r.json",
            "--report-title",
            "Thin CT",
            "--report-signer",
            tmp_path / "me.pem",
        ),
    )
    result = next(pydicom.dcmread(path) for path in (tmp_path / "out").glob("*/*/*"))
    assert (result.ClinicalTrialProtocolID, result.ClinicalTrialSubjectID) == ("P=1", f"S-{result.PatientID}")
    assert decrypt_originals(result, private, certificate).PatientID != result.PatientID
    report = read_report((tmp_path / "r.json").read_text(), Key.read(tmp_path / "k"))
    assert (report["title"], report["unlocked"]) == ("Thin CT", False)
    check_person(report, signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
