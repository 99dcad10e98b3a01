"""Rows of the index as DICOM JSON."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicom.levels import Level
from isocenter.dicomweb.paths import Target
from isocenter.dicomweb.results import element, element_set, names_of

ROOT = "http://here/dicom-web"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PatientID", "A", {"vr": "LO", "Value": ["A"]}),
        ("PatientID", None, {"vr": "LO"}),
        ("PatientID", "", {"vr": "LO"}),
        ("PatientName", "Doe^Jo=X", {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jo", "Ideographic": "X"}]}),
        ("PatientName", "=X", {"vr": "PN", "Value": [{"Ideographic": "X"}]}),
        ("InstanceNumber", "3 ", {"vr": "IS", "Value": [3]}),
        ("InstanceNumber", "3.0x", {"vr": "IS", "Value": ["3.0x"]}),
        ("NumberOfStudyRelatedInstances", 12, {"vr": "IS", "Value": [12]}),
        ("Rows", "512", {"vr": "US", "Value": [512]}),
        ("Rows", "many", {"vr": "US"}),
        ("PatientWeight", "70.5", {"vr": "DS", "Value": [70.5]}),
        ("PatientWeight", "inf", {"vr": "DS", "Value": ["inf"]}),
        ("ImageType", "ORIGINAL\\PRIMARY", {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]}),
        ("ImageType", "ORIGINAL\\\\X\\", {"vr": "CS", "Value": ["ORIGINAL", None, "X"]}),
        ("ModalitiesInStudy", "CT\\SR", {"vr": "CS", "Value": ["CT", "SR"]}),
        ("ModalitiesInStudy", ["CT", "SR"], {"vr": "CS", "Value": ["CT", "SR"]}),
        ("PatientComments", "a\\b", {"vr": "LT", "Value": ["a\\b"]}),
    ],
)
def test_values(name: str, value: object, expected: dict[str, Any]) -> None:
    assert element(name, value) == expected


def test_values_inside_sequences_are_items() -> None:
    row = {
        "StudyInstanceUID": "1.2",
        "RequestAttributesSequence.ScheduledProcedureStepID": "A\\B",
        "RequestAttributesSequence.RequestedProcedureID": "X",
    }
    names = [name for name in row if "." in name]
    made = element_set(row, Level.STUDY, names, ROOT)
    assert made["00400275"] == {
        "vr": "SQ",
        "Value": [
            {"00400009": {"vr": "SH", "Value": ["A"]}, "00401001": {"vr": "SH", "Value": ["X"]}},
            {"00400009": {"vr": "SH", "Value": ["B"]}},
        ],
    }


def test_an_instance_says_where_and_in_what_it_can_be_had() -> None:
    row = {
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.3",
        "SOPInstanceUID": "1.2.3.4",
        "_transfer_syntax": "1.2.840.10008.1.2.1",
    }
    made = element_set(row, Level.INSTANCE, ["SOPInstanceUID"], ROOT)
    assert made["00081190"]["Value"] == [f"{ROOT}/studies/1.2/series/1.2.3/instances/1.2.3.4"]
    assert made["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert made["00080056"]["Value"] == ["ONLINE"]
    assert list(made) == sorted(made)


def test_a_relational_search_returns_the_levels_above_that_the_path_does_not_fix() -> None:
    everywhere = names_of(Level.SERIES, Target(), [])
    inside = names_of(Level.SERIES, Target("1.2"), [])
    assert {"PatientName", "StudyDate", "Modality", "StudyInstanceUID"} <= set(everywhere)
    assert "PatientName" not in inside
    assert {"Modality", "StudyInstanceUID", "SeriesInstanceUID"} <= set(inside)
    assert "PatientName" in names_of(Level.SERIES, Target("1.2"), [], everything=True)
    assert "PatientAge" in names_of(Level.STUDY, Target(), ["PatientAge"])
