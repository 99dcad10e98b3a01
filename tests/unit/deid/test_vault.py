"""The crosswalk is read by the holder of the private key alone, one subject at a time, and never unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.deid.test_verify import cleaned, original

from isocenter.deid.audit_log import read_audit
from isocenter.deid.envelope import read_private, read_public, write_pair
from isocenter.deid.vault import Entry, Vault, reidentify, subjects
from isocenter.errors import BadRequest, NotFound


@pytest.fixture(params=["x25519", "rsa"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    public = write_pair(tmp_path / "private", tmp_path / "public", rsa=request.param == "rsa")
    vault = Vault(tmp_path / "vault", public)
    entry = Entry.of(original(), cleaned())
    for _ in range(3):
        vault.put(entry)
    return tmp_path


def new_id() -> str:
    return str(cleaned().PatientID)


def test_the_holder_finds_who_a_subject_is(folder: Path) -> None:
    private = read_private(folder / "private")
    (found,) = reidentify(folder / "vault", new_id(), private, reason="incidental finding")
    assert (found.patient_id, found.name, found.study) == ("HOSP-4711", "Winterbottom^Ada", "1.2.826.0.1.8")


def test_the_file_tells_nothing_about_anybody(folder: Path) -> None:
    text = (folder / "vault").read_text()
    assert not [word for word in ("4711", "Winterbottom", "1951") if word in text]
    assert (folder / "vault").stat().st_mode & 0o077 == 0
    assert subjects(folder / "vault") == [new_id()]


def test_a_look_up_is_in_the_audit_log_even_when_it_finds_nobody(folder: Path) -> None:
    private = read_private(folder / "private")
    with pytest.raises(NotFound):
        reidentify(folder / "vault", "NOBODY", private, reason="a typing error")
    reidentify(folder / "vault", new_id(), private, reason="incidental finding")
    log = read_audit(folder / "vault.audit")
    assert [(line["what"], line["reason"]) for line in log] == [
        ("not found", "a typing error"),
        ("found", "incidental finding"),
    ]
    assert "Winterbottom" not in (folder / "vault.audit").read_text()


def test_no_reason_no_answer(folder: Path) -> None:
    with pytest.raises(BadRequest, match="Say why"):
        reidentify(folder / "vault", new_id(), read_private(folder / "private"), reason=" ")


def test_a_log_that_was_changed_stops_further_look_ups(folder: Path) -> None:
    private = read_private(folder / "private")
    for reason in ("one", "two"):
        reidentify(folder / "vault", new_id(), private, reason=reason)
    log = folder / "vault.audit"
    log.write_text(log.read_text().split("\n", 1)[1])
    with pytest.raises(BadRequest, match="was changed at line 1"):
        reidentify(folder / "vault", new_id(), private, reason="three")


def test_another_key_is_refused(folder: Path) -> None:
    other = write_pair(folder / "other", folder / "other.public")
    with pytest.raises(BadRequest, match="another key"):
        reidentify(folder / "vault", new_id(), read_private(folder / "other"), reason="x")
    with pytest.raises(BadRequest, match="another key"):
        Vault(folder / "vault", other)


def test_entries_cannot_be_moved_to_another_subject(folder: Path) -> None:
    head, line = (folder / "vault").read_text().splitlines()
    moved = json.loads(line) | {"subject": "OTHER"}
    (folder / "vault").write_text(f"{head}\n{json.dumps(moved)}\n")
    with pytest.raises(BadRequest, match="was changed"):
        reidentify(folder / "vault", "OTHER", read_private(folder / "private"), reason="x")


def test_a_private_key_may_have_a_password(tmp_path: Path) -> None:
    write_pair(tmp_path / "private", tmp_path / "public", password="correct horse")
    assert read_private(tmp_path / "private", "correct horse")
    with pytest.raises(BadRequest, match="cannot be opened"):
        read_private(tmp_path / "private", "battery")
    with pytest.raises(BadRequest, match="cannot be made"):
        write_pair(tmp_path / "private", tmp_path / "public")
    assert read_public(tmp_path / "public")
