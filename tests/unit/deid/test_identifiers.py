"""The same key gives the same identifiers everywhere; without it they say nothing."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.deid.identifiers import Identifiers, Patient, Window
from isocenter.deid.key import Key
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import BadRequest, NotFound

KEY = Key(bytes(range(32)))
ANN = Patient("CLINIC", "4711", "1.2.3")
UIDS = st.lists(st.integers(0, 10**9), min_size=2, max_size=6).map(lambda parts: ".".join(map(str, parts)))


@given(UIDS)
def test_a_new_uid_is_a_valid_version_8_uuid_and_always_the_same(uid: str) -> None:
    new = Identifiers(KEY).uid(f"1.2.826.{uid}")
    assert is_valid_uid(new)
    made = uuid.UUID(int=int(new.removeprefix("2.25.")))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert new == Identifiers(KEY).uid(f"1.2.826.{uid}\0")


def test_another_key_gives_other_identifiers() -> None:
    mine, theirs = Identifiers(KEY), Identifiers(Key.generate())
    assert mine.uid("1.2.3") != theirs.uid("1.2.3")
    assert mine.pseudonym(ANN) != theirs.pseudonym(ANN)
    assert mine.accession("A1") != theirs.accession("A1")


def test_this_key_gives_these_identifiers_in_every_release() -> None:
    """A project goes on for years: what it was given must not change under it."""
    mine = Identifiers(KEY)
    assert KEY.fingerprint == "711cf006671e9b44"
    assert mine.uid("1.2.3.4") == "2.25.310996633187512105609973160617837735511"
    assert mine.pseudonym(ANN) == "3PSEX52MN8F7"
    assert mine.accession("A1") == "5MSQXHMAF8ZHX2HP"
    assert mine.offset(ANN) == -3479


def test_registered_uids_and_empty_ones_stay() -> None:
    assert Identifiers(KEY).uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert Identifiers(KEY).uid("") == ""


def test_a_patient_is_the_issuer_and_the_id() -> None:
    mine = Identifiers(KEY)
    assert mine.pseudonym(ANN) == mine.pseudonym(ANN._replace(study="9.9", patient_id="4711 "))
    assert mine.pseudonym(ANN) != mine.pseudonym(ANN._replace(issuer="ELSEWHERE"))


def test_an_empty_patient_id_never_joins_two_studies() -> None:
    mine, nobody = Identifiers(KEY), ANN._replace(patient_id="")
    assert mine.pseudonym(nobody) != mine.pseudonym(nobody._replace(study="9.9"))
    assert mine.pseudonym(nobody) == mine.pseudonym(nobody)


def test_parts_of_a_patient_are_not_mistaken_for_others() -> None:
    mine = Identifiers(KEY)
    assert mine.pseudonym(Patient("AB", "C", "")) != mine.pseudonym(Patient("A", "BC", ""))


@pytest.mark.parametrize(
    ("pattern", "begins", "length"), [("{id:12}", "", 12), ("SITE1-{id:10}-X", "SITE1-", 18)]
)
def test_a_pseudonym_follows_the_pattern(pattern: str, begins: str, length: int) -> None:
    made = Identifiers(KEY, pattern=pattern).pseudonym(ANN)
    assert made.startswith(begins)
    assert len(made) == length


@pytest.mark.parametrize("pattern", ["SITE1", "{id}{id}", "{id:4}", "{id:64}", "x" * 60 + "{id}", "a\\{id}"])
def test_a_pattern_that_would_collide_or_not_fit_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        Identifiers(KEY, pattern=pattern)


@given(st.text(min_size=1, max_size=12).filter(lambda text: text.strip(" \0")))
def test_an_offset_lies_in_its_window_and_keeps_weekdays_if_asked(patient_id: str) -> None:
    patient = Patient("", patient_id, "")
    assert -3650 <= Identifiers(KEY).offset(patient) <= -1
    weeks = Identifiers(KEY, window=Window(30, 400, 7)).offset(patient)
    assert weeks % 7 == 0
    assert -400 <= weeks <= -30


def test_a_window_without_an_offset_is_refused() -> None:
    with pytest.raises(BadRequest, match="No offset"):
        Identifiers(KEY, window=Window(1, 6, 7))


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "project.key"
    KEY.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Key.read(path).fingerprint == KEY.fingerprint
    with pytest.raises(BadRequest):
        Key.generate().write(path)


def test_a_key_is_not_shown() -> None:
    assert KEY.text() not in repr(KEY)


def test_what_is_no_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no key file"):
        Key.read(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BadRequest, match="holds no key"):
        Key.read(tmp_path / "text")
    (tmp_path / "cut").write_text(KEY.text()[:-10])
    with pytest.raises(BadRequest, match="holds no key"):
        Key.read(tmp_path / "cut")
