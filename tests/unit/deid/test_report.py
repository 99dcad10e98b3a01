"""A report says what a run did and left, holds no identifier, is merged over workers and signed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from pydicom.dataset import Dataset
from tests.unit.deid.test_structured import IDENTIFIERS
from tests.unit.deid.test_verify import BEFORE, cleaned, original, packed

from isocenter.deid.engine import Engine
from isocenter.deid.key import Key
from isocenter.deid.profile import Profile
from isocenter.deid.report import MOST_VALUES, Report, read_report
from isocenter.deid.signature import check_person, read_signer
from isocenter.deid.verify import Examined, Verifier
from isocenter.errors import BadRequest

KEY = IDENTIFIERS.key


def report(*results: Dataset, unlocked: bool = False) -> Report:
    made = Report(Profile(), KEY, title="Thin CT", unlocked=unlocked)
    outcome = Engine(Profile(), IDENTIFIERS).apply(original())
    for number, result in enumerate(results):
        made.add(outcome, Verifier(Profile()).examine(BEFORE, packed(result)), uid=f"2.25.{number}")
    return made


def leaking() -> Dataset:
    result = cleaned()
    result.SeriesDescription = "chest Winterbottom"
    return result


def test_every_file_is_counted_at_its_end() -> None:
    made = report(cleaned(), cleaned())
    made.leave("quarantined", "the SOP class is not known")
    made.leave("skipped", "no DICOM")
    counts = made.to_json()["counts"]
    assert counts["files"] == counts["out"] + counts["quarantined"] + counts["skipped"] == 4
    assert (counts["patients"], counts["studies"]) == (1, 1)
    assert made.to_json()["reasons"]["quarantined"] == {"the SOP class is not known": 1}


def test_what_was_done_is_told_with_its_row_of_the_table() -> None:
    actions = {one["attribute"]: one for one in report(cleaned()).to_json()["actions"]}
    assert actions["InstitutionName"]["why"].startswith("E.1-1")
    assert actions["PatientID"]["action"] == "pseudonym"


def test_no_identifier_is_in_a_report_even_if_one_is_in_a_result() -> None:
    made = report(leaking())
    text = json.dumps(made.to_json()) + made.to_html()
    assert not [told for told in ("Winterbottom", "4711") if told in text]
    (value,) = [one for one in made.to_json()["values"] if one["attribute"] == "SeriesDescription"]
    assert (value["withheld"], value["values"]) == (1, [])


def test_an_unlocked_report_shows_what_was_found() -> None:
    assert "chest Winterbottom" in report(leaking(), unlocked=True).to_html()


def test_a_finding_leads_to_an_object() -> None:
    (finding,) = report(leaking()).to_json()["findings"]
    assert (finding["kind"], finding["attribute"], finding["examples"]) == (
        "residual",
        "SeriesDescription",
        ["2.25.0"],
    )


def test_reports_of_workers_merge_to_the_report_of_one() -> None:
    one, other, both = report(cleaned()), report(leaking()), report(cleaned(), leaking())
    one.merge(other)
    dropped = {"made": "", "findings": []}
    assert one.to_json() | dropped == both.to_json() | dropped


def test_distinct_values_beyond_the_limit_do_not_depend_on_who_saw_them() -> None:
    outcome = Engine(Profile(), IDENTIFIERS).apply(original())
    halves, whole = [Report(Profile(), KEY), Report(Profile(), KEY)], Report(Profile(), KEY)
    for number in range(MOST_VALUES + 100):
        examined = Examined(values=(((0x0008103E,), f"series {number}"),))
        halves[number % 2].add(outcome, examined)
        whole.add(outcome, examined)
    halves[1].merge(halves[0])
    assert sorted(halves[1].to_json()["values"][0]["values"]) == sorted(
        whole.to_json()["values"][0]["values"]
    )


def test_reports_of_two_keys_do_not_merge() -> None:
    with pytest.raises(BadRequest, match="Only reports of one key"):
        report().merge(Report(Profile(), Key(bytes(32))))


def test_a_signed_report_that_was_changed_is_found_out() -> None:
    signed = report(cleaned()).sign(KEY)
    assert read_report(json.dumps(signed, indent=2), KEY)["title"] == "Thin CT"
    signed["counts"]["out"] = 7
    with pytest.raises(BadRequest, match="changed after it was signed"):
        read_report(json.dumps(signed), KEY)
    with pytest.raises(BadRequest, match="not by"):
        read_report(json.dumps(signed), Key(bytes(32)))


def test_a_person_vouches_by_a_key_of_their_own() -> None:
    person = Ed25519PrivateKey.generate()
    public = person.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = report(cleaned()).sign(KEY, person)
    check_person(signed, public)
    signed["title"] = "x"
    with pytest.raises(BadRequest, match="somebody else"):
        check_person(signed, public)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "wbr", "br"):
            self.open.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_is_well_formed() -> None:
    made = report(leaking())
    made.title = "<script>alert(1)</script>"
    text = made.to_html(made.sign(KEY))
    tags = _Tags()
    tags.feed(text)
    assert (tags.open, tags.fetched) == ([], [])
    assert "<script" not in text
    assert "Not clean." in text
    assert re.search(r"HMAC-SHA-256 [0-9a-f]{64}", text)


def test_the_page_says_when_nothing_was_found() -> None:
    assert "Nothing found." in report(cleaned()).to_html()


def test_the_page_does_not_praise_what_nobody_has_read() -> None:
    made = Report(Profile(), KEY)
    made.add(Engine(Profile(), IDENTIFIERS).apply(original()))
    assert "1 object that the second reader did not read" in made.to_html()
    assert "Nothing came out." in Report(Profile(), KEY).to_html()


def test_private_attributes_are_one_line_of_the_page() -> None:
    source = original()
    for element in range(0x10, 0x40):
        source.add_new(0x00091000 + element, "LO", "x")
    made = Report(Profile(), KEY)
    made.add(Engine(Profile(), IDENTIFIERS).apply(source))
    assert "48 private attributes" in made.to_html()
    assert "(0009,1012)" not in made.to_html()


def test_a_signer_is_an_ed25519_key_and_may_have_a_password(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "me.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    assert read_signer(tmp_path / "me.pem", lambda: "secret").public_key() == key.public_key()
    with pytest.raises(BadRequest, match="no private key that opens"):
        read_signer(tmp_path / "me.pem", lambda: "wrong")
