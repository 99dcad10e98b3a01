"""What the operators of the query tree mean, on one instance: every engine is held to this."""

import pytest

from isocenter.dicom.expression import parse
from isocenter.dicom.predicate import Equal, Exists, Like, OneOf, Range, matches

INSTANCE = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY", "AXIAL"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    "00080020": {"vr": "DA", "Value": ["20200131"]},
    "00080021": {"vr": "DA", "Value": ["2020.02.01"]},
    "00080030": {"vr": "TM", "Value": ["103015.5"]},
    "0008002A": {"vr": "DT", "Value": ["20200131103015.5+0100"]},
    "00080050": {"vr": "SH"},
    "00080060": {"vr": "CS", "Value": ["CT "]},
    "0008103E": {"vr": "LO", "Value": ["T2* Étude"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg", "Ideographic": "山田^太郎"}]},
    "00101010": {"vr": "AS", "Value": ["006M"]},
    "00180050": {"vr": "DS", "Value": [1.5]},
    "00181151": {"vr": "IS", "Value": ["100"]},
    "00190010": {"vr": "LO", "Value": ["OTHER"]},
    "00190011": {"vr": "LO", "Value": ["SIEMENS MR HEADER"]},
    "0019110C": {"vr": "IS", "Value": ["1000"]},
    "0019100C": {"vr": "IS", "Value": ["5"]},
    "00200032": {"vr": "DS", "Value": [0, -1.5, 30]},
    "00400275": {
        "vr": "SQ",
        "Value": [
            {"00400009": {"vr": "SH", "Value": ["A"]}, "00401001": {"vr": "SH", "Value": ["1"]}},
            {"00400009": {"vr": "SH", "Value": ["B"]}, "00401001": {"vr": "SH", "Value": ["2"]}},
        ],
    },
    "00420011": {"vr": "OB", "BulkDataURI": "?offset=1"},
    "7FE00010": {"vr": "OW", "InlineBinary": "AAAA"},
    "_size": 524288,
    "_source_aet": "SCANNER",
}


@pytest.mark.parametrize(
    "text",
    [
        "Modality = CT",
        "Modality in (MR, CT)",
        "Modality != MR",
        'ImageType = "PRIMARY"',
        "ImageType in (SECONDARY, AXIAL)",
        "SOPInstanceUID = 1.2.3",
        "StudyDate = 20200131",
        "SeriesDate = 20200201",
        "StudyDate between 20200101 and 2020-01-31",
        "StudyDate >= 2020.01.31 and StudyDate <= 20200131",
        "StudyTime = 10",
        "StudyTime = 1030",
        "StudyTime = 103015.5",
        "StudyTime <= 1030",
        "StudyTime > 1029",
        "AcquisitionDateTime = 20200131",
        "AcquisitionDateTime between 2020 and 202002",
        "AcquisitionDateTime >= 20200131103015",
        "StudyDate+StudyTime between 202001311030 and 20200201",
        "StudyDate+StudyTime >= 202001311030",
        "SeriesDate+SeriesTime >= 2020020123",
        "SliceThickness = 1.50",
        "SliceThickness > 1 and SliceThickness <= 1.5",
        "XRayTubeCurrent = 100",
        "XRayTubeCurrent between 99.5 and 100",
        "ImagePositionPatient = 30",
        "ImagePositionPatient < -1",
        "PatientAge < 001Y",
        "PatientAge > 170D",
        "PatientName = MULLER^JORG",
        "PatientName = 山田^太郎",
        'PatientName = "müller^jörg=山田^太郎"',
        "PatientName like mul*",
        "PatientName like *^JORG",
        "PatientName like 山田*",
        "PatientName like M?LLER^*",
        'SeriesDescription = "T2* Étude"',
        'SeriesDescription like "T2*"',
        'SeriesDescription ilike "t2* etude"',
        "AccessionNumber is null",
        "BodyPartExamined is null",
        "not (Modality is null)",
        "PixelData is not null",
        "EncapsulatedDocument is not null",
        "RequestAttributesSequence is not null",
        "RequestAttributesSequence.ScheduledProcedureStepID = B",
        "RequestAttributesSequence has (ScheduledProcedureStepID=A and RequestedProcedureID=1)",
        "RequestAttributesSequence has ()",
        "[0019,SIEMENS MR HEADER,0c] = 1000",
        "[0019,SIEMENS MR HEADER,0c] > 999.5",
        '[0019,SIEMENS MR HEADER,0c] = "1000"',
        "[0019,OTHER,0c] = 5",
        "_size > 500000",
        "_source_aet = SCANNER",
        "BodyPartExamined != HEAD",
    ],
)
def test_holds(text):
    assert matches(parse(text), INSTANCE)


@pytest.mark.parametrize(
    "text",
    [
        "Modality = ct",
        "Modality = C",
        "Modality like c*",
        "StudyDate < 20200131",
        "StudyDate > 20200131",
        "StudyTime < 1030",
        "StudyTime > 1030",
        "StudyTime = 103016",
        "AcquisitionDateTime > 2020",
        "StudyDate+StudyTime >= 202001311031",
        "StudyDate+StudyTime <= 202001311029",
        "AcquisitionDate+AcquisitionTime >= 19000101",
        "SliceThickness < 1.5",
        "PatientAge > 001Y",
        "PatientName = müller",
        "PatientName like jorg*",
        'SeriesDescription like "t2*"',
        'SeriesDescription = "T2 Etude"',
        "BodyPartExamined = HEAD",
        "BodyPartExamined like *",
        "SpacingBetweenSlices < 100",
        "RequestAttributesSequence has (ScheduledProcedureStepID=A and RequestedProcedureID=2)",
        "RequestAttributesSequence is null",
        "ProcedureCodeSequence has ()",
        "[0019,SIEMENS MR HEADER,0c] = 5",
        "[0019,NOBODY,0c] is not null",
        "_size < 500000",
    ],
)
def test_does_not_hold(text):
    assert not matches(parse(text), INSTANCE)


def test_a_stored_value_that_is_no_number_or_date_matches_no_comparison():
    broken = {"00180050": {"vr": "DS", "Value": ["thin"]}, "00080020": {"vr": "DA", "Value": ["soon"]}}
    assert not matches(Range(("SliceThickness",), None, 10), broken)
    assert not matches(Equal(("StudyDate",), "20200131"), broken)
    assert not matches(parse("StudyDate+StudyTime >= 1900"), broken)


def test_folding_of_other_text_is_asked_for():
    assert matches(Equal(("SeriesDescription",), "t2* ETUDE", fold=True), INSTANCE)
    assert matches(OneOf(("SeriesDescription",), ("x", "t2* etude"), fold=True), INSTANCE)
    assert matches(Like(("SeriesDescription",), "*ETUDE", fold=True), INSTANCE)
    assert not matches(OneOf(("SeriesDescription",), ("t2* etude",)), INSTANCE)


def test_ranges_of_text_and_names_are_alphabetical():
    assert matches(Range(("PatientName",), "m", "n"), INSTANCE)
    assert not matches(Range(("Modality",), "D", None), INSTANCE)


def test_wild_cards_span_line_breaks_and_take_other_signs_literally():
    note = {"00104000": {"vr": "LT", "Value": ["first (line)\r\nsecond"]}}
    assert matches(Like(("PatientComments",), "first (line)*second"), note)
    assert not matches(Like(("PatientComments",), "first .line.*second"), note)


def test_nested_sequences():
    instance = {
        "00400275": {
            "vr": "SQ",
            "Value": [{"00321064": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["X"]}}]}}],
        }
    }
    path = ("RequestAttributesSequence", "RequestedProcedureCodeSequence")
    assert matches(Equal((*path, "CodeValue"), "X"), instance)
    assert matches(Exists(path, Equal(("CodeValue",), "X")), instance)
    assert not matches(Exists(path, Equal(("CodeValue",), "Y")), instance)
