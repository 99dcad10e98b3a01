"""Query text: what it says, and how it tells mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicates import instances, trees

from isocenter.dicom import predicate as p
from isocenter.dicom.expression import parse
from isocenter.dicom.wording import to_text
from isocenter.errors import BadRequest, InvalidQuery, InvalidValue, UnknownAttribute


def test_the_example_of_the_manual():
    assert parse('Modality=CT and SliceThickness<2 and PatientName~"doe*"') == p.And(
        (
            p.Equal(("Modality",), "CT"),
            p.Range(("SliceThickness",), None, 2, high_open=True),
            p.Like(("PatientName",), "doe*"),
        )
    )


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", p.Everything()),
        ("  ", p.Everything()),
        ("Modality == CT", p.Equal(("Modality",), "CT")),
        ("Modality <> CT", p.Not(p.Equal(("Modality",), "CT"))),
        ("Modality = 'a''b'", p.Equal(("Modality",), "a'b")),
        ('Modality = "a ""b"""', p.Equal(("Modality",), 'a "b"')),
        ("00080060=CT", p.Equal(("Modality",), "CT")),
        ("(0008,0060)=CT", p.Equal(("Modality",), "CT")),
        ("((0008,0060)=CT)", p.Equal(("Modality",), "CT")),
        ("Modality NOT IN (CT, 'MR')", p.Not(p.OneOf(("Modality",), ("CT", "MR")))),
        ("Rows between 1 and 5", p.Range(("Rows",), 1, 5)),
        ("Rows between >1 and <5", p.Range(("Rows",), 1, 5, True, True)),
        ("Rows not between 1 and 5", p.Not(p.Range(("Rows",), 1, 5))),
        ("SliceThickness>=-1.5e-3", p.Range(("SliceThickness",), -0.0015, None)),
        ("PatientID !~ A*", p.Not(p.Like(("PatientID",), "A*"))),
        ("PatientID not like A*", p.Not(p.Like(("PatientID",), "A*"))),
        ("PatientID ilike a*", p.Like(("PatientID",), "a*", fold=True)),
        ("PatientID is not null", p.Not(p.IsNull(("PatientID",)))),
        ("PatientID = ''", p.IsNull(("PatientID",))),
        ("PatientID != ''", p.Not(p.IsNull(("PatientID",)))),
        ("StudyDate > 2020-01-31", p.Range(("StudyDate",), "20200131", None, low_open=True)),
        ("StudyTime = 10:30", p.Equal(("StudyTime",), "1030")),
        ("StudyInstanceUID = 1.2.3", p.Equal(("StudyInstanceUID",), "1.2.3")),
        ("FrameIncrementPointer = (0018,1063)", p.Equal(("FrameIncrementPointer",), "00181063")),
        ("[0019,A.B,0C] = 5", p.Equal(("0019,A.B,0c",), 5)),
        ("_size > 5", p.Range(("_size",), 5, None, low_open=True)),
        ("not not Rows = 1", p.Equal(("Rows",), 1)),
    ],
)
def test_what_a_text_says(text, tree):
    assert parse(text) == tree


def test_and_binds_tighter_than_or_and_not_tightest():
    a, b, c = (p.Equal(("Rows",), n) for n in (1, 2, 3))
    assert parse("Rows=1 or Rows=2 and not Rows=3") == p.Or((a, p.And((b, p.Not(c)))))
    assert parse("(Rows=1 or Rows=2) and Rows=3") == p.And((p.Or((a, b)), c))


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("Modality", 8, "comparison"),
        ("Modality =", 10, "value for Modality"),
        ("Modality = CT)", 13, "end"),
        ("(Modality = CT", 14, r"\)"),
        ("Modality = CT Rows = 1", 14, "and"),
        ("= CT", 0, "name"),
        ("Modality in CT", 12, r"\("),
        ("Modality in (CT", 15, r"\)"),
        ('Modality = "CT', 11, "not closed"),
        ("Modality is CT", 12, "null"),
        ("Rows between 1 or 2", 15, "and"),
        ("PatientName = doe*", 14, "wild cards"),
        ("StudyDate ~ 2020*", 12, "Wild cards do not apply"),
        ("PatientName.PatientID = 1", 0, "no sequence"),
        ("Rows has (Columns=1)", 9, "no sequence"),
        ("StudyDate+StudyTime = 2020", 20, "between"),
        ("and", 0, "name"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, position, says):
    with pytest.raises(InvalidQuery, match=says) as told:
        parse(text)
    assert told.value.detail["position"] == position


def test_an_unknown_name_is_answered_with_the_nearest_and_its_place():
    with pytest.raises(UnknownAttribute, match="SliceThickness") as told:
        parse("Modality=CT and SliceThicknes<2")
    assert told.value.detail["position"] == 16


@pytest.mark.parametrize(
    "text", ["SliceThickness < thin", "StudyDate = 20201301", "StudyTime > 25", "PatientAge > 45"]
)
def test_a_value_that_does_not_fit_names_the_attribute(text):
    with pytest.raises(InvalidValue, match=text.split()[0]):
        parse(text)


def test_endless_parentheses_are_refused_and_not_a_crash():
    with pytest.raises(InvalidQuery, match="deeper"):
        parse("(" * 5000 + "Rows=1" + ")" * 5000)


@given(st.text(alphabet="abRows=<>()'\"[],.~! 019+-*", max_size=30))
def test_any_text_is_a_query_or_a_bad_request(text):
    try:
        found = parse(text)
    except BadRequest as error:
        found = error.detail
    assert isinstance(found, p.Predicate) or "position" in found


@given(trees, instances)
def test_a_tree_in_words_means_the_same(tree, instance):
    assert p.matches(parse(to_text(tree)), instance) == p.matches(tree, instance)
