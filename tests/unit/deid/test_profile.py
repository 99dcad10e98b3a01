"""What the table and the options ask for, and what a file of rules may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from isocenter.deid import Deidentifier, Key
from isocenter.deid.iod import is_known, type_of
from isocenter.deid.profile import Option, Profile, option_of
from isocenter.deid.rules import RuleAction, read_rules
from isocenter.errors import BadRequest, NotFound

CT, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4"


def tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("keyword", "options", "letters"),
    [
        ("PatientName", [], "Z"),
        ("StudyDate", [], "Z"),
        ("StudyDate", ["full-dates"], "K"),
        ("StudyDate", ["modified-dates"], "C"),
        ("StudyInstanceUID", [], "U"),
        ("StudyInstanceUID", ["uids"], "K"),
        ("SeriesDescription", [], "X"),
        ("SeriesDescription", ["clean-descriptors"], "C"),
        ("Rows", [], None),
    ],
)
def test_options_change_what_the_table_asks_for(
    keyword: str, options: list[str], letters: str | None
) -> None:
    assert Profile.of(options).letters(tag(keyword)) == letters


@pytest.mark.parametrize("group", [0x6000, 0x6002, 0x60FE])
def test_repeating_groups_have_the_row_of_their_pattern(group: int) -> None:
    assert Profile().letters(group << 16 | 0x3000) == "X"
    assert Profile.of(["clean-graphics"]).letters(group << 16 | 0x3000) == "C"


def test_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(BadRequest, match="exclude each other"):
        Profile.of(["full-dates", "modified-dates"])


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(BadRequest) as caught:
        option_of("clean-descriptor")
    assert "clean-descriptors" in (caught.value.hint or "")


def test_every_option_has_its_code() -> None:
    codes = Profile(frozenset(set(Option) - {Option.RETAIN_LONG_FULL_DATES})).codes()
    assert codes[0][0] == "113100"
    assert len({code for code, _ in codes}) == len(Option)


def test_types_follow_the_iod_and_the_sequence() -> None:
    assert type_of(CT, None, tag("StudyDate")) == "2"
    assert type_of(CT, None, tag("SOPInstanceUID")) == "1"
    assert type_of(SEG, None, tag("ContentDate")) == "1"
    assert type_of(CT, tag("ReferencedImageSequence"), tag("ReferencedSOPInstanceUID")) == "1"
    assert type_of(CT, None, tag("Rows")) == "3"


def test_a_private_sop_class_is_not_known_and_a_retired_one_is() -> None:
    assert not is_known("1.2.3.4")
    assert is_known("1.2.840.10008.5.1.4.1.1.6")


RULES = """
version = 1
name = "our trial"
options = ["modified-dates"]
[[rule]]
match = "StudyDescription"
action = "keep"
[[rule]]
match = "RequestAttributesSequence.(0040,0007)"
action = "replace"
value = "TRIAL"
[[rule]]
match = "private:ACME"
action = "remove"
"""


def test_rules_fit_a_keyword_anywhere_a_path_or_a_private_creator(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(RULES)
    read = read_rules(tmp_path / "trial.toml")
    keep, replace, private = read.rules
    anywhere = (tag("RequestAttributesSequence"), tag("StudyDescription"))
    assert (keep.action, keep.fits(anywhere, "")) == (RuleAction.KEEP, True)
    assert replace.fits((tag("RequestAttributesSequence"), 0x00400007), "")
    assert not replace.fits((0x00400007, 0x00400007), "")
    assert private.fits((0x00291010,), "ACME")
    assert not private.fits((0x00291010,), "OTHER")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2", "version"),
        ("version = 1\nprofile = 1", "'profile' is not known"),
        ('version = 1\n[[rule]]\naction = "keep"', "rule 1: match is missing"),
        (
            'version = 1\n[[rule]]\nmatch = "PatientNam"\naction = "keep"',
            "rule 1: There is no DICOM attribute",
        ),
        ('version = 1\n[[rule]]\nmatch = "PatientName"\naction = "drop"', "there is no action 'drop'"),
        ('version = 1\n[[rule]]\nmatch = "PatientName"\naction = "replace"', "value"),
        ("version = ", "TOML"),
    ],
)
def test_a_file_that_cannot_be_understood_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(BadRequest, match=message):
        read_rules(tmp_path / "rules.toml")


def test_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_rules(tmp_path / "none.toml")


@pytest.mark.parametrize("options", [["safe-private"], ["safe-private", "uids"]])
def test_a_safe_private_uid_names_the_series_afterwards_too(options: list[str]) -> None:
    before = Dataset()
    before.SOPClassUID, before.SOPInstanceUID, before.PatientID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", "P"
    before.SeriesInstanceUID = "1.2.3.4"
    before.private_block(0x0099, "NQHeader", create=True).add_new(0x02, "UI", "1.2.3.4")
    after = Deidentifier(Key(bytes(range(32))), options=options).apply(before).dataset
    assert after is not None
    assert after.private_block(0x0099, "NQHeader")[0x02].value == after.SeriesInstanceUID
