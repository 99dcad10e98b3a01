"""Names of downloaded files: what a template says, and what no value can do."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.client.file_names import Template, distinct
from isocenter.errors import BadRequest, UnknownAttribute

ROW: dict[str, Any] = {
    "PatientID": "P1",
    "StudyDate": "2024-01-05",
    "StudyTime": 36_615_000_000,
    "InstanceNumber": 7,
    "SliceThickness": 2.5,
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "SOPInstanceUID": "1.2.3",
    "SeriesDescription": None,
}


def name(template: str, **values: Any) -> str:
    return str(Template(template).path(ROW | values))


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{PatientID}/{StudyDate}_{StudyTime}/{InstanceNumber:04}.dcm", "P1/20240105_101015/0007.dcm"),
        ("{PatientID}/", "P1/1.2.3.dcm"),
        ("{SOPInstanceUID}", "1.2.3.dcm"),
        ("{ImageType}_{SliceThickness}.DCM", "ORIGINAL-PRIMARY_2.5.DCM"),
        ("{SeriesDescription}/{SOPInstanceUID}.dcm", "none/1.2.3.dcm"),
    ],
)
def test_a_template_of_keywords(template, told):
    assert name(template) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("..", "_"),
        ("/root", "_root"),
        ("a\\b:c*d?e", "a_b_c_d_e"),
        ("CON", "_CON"),
        ("aux.1", "_aux.1"),
        (".hidden", "_hidden"),
        ("ends. ", "ends"),
        ("line\nbreak\0", "line_break_"),
        ("Müller^Jürgen", "Müller^Jürgen"),
        ("", "_"),
    ],
)
def test_a_value_is_one_safe_name(value, told):
    assert name("{PatientID}/{SOPInstanceUID}.dcm", PatientID=value) == f"{told}/1.2.3.dcm"


def test_what_is_too_long_is_cut_and_stays_distinct():
    one, other = (name("{PatientID}", PatientID="x" * 300 + end) for end in "ab")
    assert len(one) == len(other) == 120
    assert one != other
    assert one.endswith(".dcm")
    assert len(name("{PatientID}", PatientID="ü" * 200).encode()) <= 120


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_value_leaves_its_folder(one, other):
    path = Template("{PatientID}/{StudyID}.dcm").path({"PatientID": one, "StudyID": other})
    assert len(path.parts) == 2
    assert not path.is_absolute()
    assert not set(path.parts) & {".", "..", ""}
    assert all(len(part.encode()) <= 120 for part in path.parts)


@pytest.mark.parametrize(
    "template",
    [
        "/etc/{PatientID}",
        "../{PatientID}",
        "a//b",
        "C:\\{PatientID}",
        "C:/{PatientID}",
        "{",
        "{}",
        "{PatientID!r}",
    ],
)
def test_a_template_stays_below_the_folder(template):
    with pytest.raises(BadRequest, match="no template"):
        Template(template)


def test_a_wrong_keyword_is_named():
    with pytest.raises(UnknownAttribute, match="did you mean PatientID"):
        Template("{PatientId}/")
    with pytest.raises(BadRequest, match="form '04d'"):
        name("{PatientID:04d}")


def test_names_that_some_file_system_takes_for_one_are_told_apart():
    given = [
        (PurePosixPath("a/x.dcm"), "1.1"),
        (PurePosixPath("A/X.dcm"), "1.2"),
        (PurePosixPath("b.dcm"), "1.3"),
    ]
    assert [str(path) for path in distinct(given)] == ["a/x_1.1.dcm", "A/X_1.2.dcm", "b.dcm"]
