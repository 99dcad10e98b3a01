"""Person names and the folding that the index and matching share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.names import fold, fold_name, parse_name


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("DOE^JOHN", "doe^john"),
        (" Doe ", "doe"),
        ("Müller^Jörg", "muller^jorg"),
        ("Straße", "strasse"),
        ("Søren Łukasz Æsir", "soren lukasz aesir"),
        ("ÉTÉ", "ete"),
        ("Buc^Jérôme", "buc^jerome"),
        ("ЛЮКСЕМБУРГ", "люксембург"),
        ("ＡＢＣ", "abc"),
        ("山田^太郎", "山田^太郎"),
        ("がく", "がく"),
    ],
)
def test_case_and_accents_go(text, folded):
    assert fold(text) == folded


def test_a_voicing_mark_is_another_letter():
    assert fold("か") != fold("が")


def test_composed_and_decomposed_spellings_are_the_same():
    assert fold("é") == fold("e\u0301") == "e"
    assert fold("한") == fold("\u1112\u1161\u11ab")


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet="abcXYZéÖ^= "))
def test_a_folded_name_is_fenced_by_equal_signs(text):
    folded = fold_name(text)
    assert folded.startswith("=")
    assert folded.endswith("=")


def test_every_group_of_a_name_can_be_met():
    assert fold_name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "=yamada^tarou=山田^太郎=やまだ^たろう="
    assert fold_name("Doe^^^^") == "=doe="


def test_parts_of_a_name():
    name = parse_name("Yamada^Tarou^^Dr^=山田^太郎=")
    assert name.components == ("Yamada", "Tarou", "", "Dr", "")
    assert (name.family, name.ideographic, name.phonetic) == ("Yamada", "山田^太郎", "")
    assert str(name) == "Yamada^Tarou^^Dr=山田^太郎"


def test_four_groups_are_no_name():
    with pytest.raises(ValueError, match="three"):
        parse_name("a=b=c=d")
