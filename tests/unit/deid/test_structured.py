"""A structured report stays a report: codes, numbers and references as they were, people and dates not."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.deid.engine import Engine
from isocenter.deid.identifiers import Identifiers
from isocenter.deid.key import Key
from isocenter.deid.outcome import Outcome
from isocenter.deid.profile import Profile

IDENTIFIERS = Identifiers(Key(bytes(range(32))))
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def item(kind: str, concept: str, scheme: str = "DCM", meaning: str = "x", **values: object) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", kind
    made.ConceptNameCodeSequence = Sequence([coded(concept, scheme, meaning)])
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def number(value: str, unit: str) -> Sequence:
    made = Dataset()
    made.NumericValue = value
    made.MeasurementUnitsCodeSequence = Sequence([coded(unit, "UCUM", unit)])
    return Sequence([made])


def report(*items: Dataset) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.StudyInstanceUID = COMPREHENSIVE_SR, "1.2.3", "1.2.4"
    made.PatientID, made.PatientName, made.PatientBirthDate = "HOSP-4711", "Winterbottom^Ada", "19510203"
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = Sequence([coded("126000", "DCM", "Imaging Measurement Report")])
    made.ContentSequence = Sequence(list(items))
    return made


def run(source: Dataset, *options: str) -> Outcome:
    outcome = Engine(Profile.of(["clean-structured-content", *options]), IDENTIFIERS).apply(source)
    assert outcome.quarantined == ""
    return outcome


def content(source: Dataset, *options: str) -> list[Dataset]:
    result = run(source, *options).dataset
    assert result is not None
    return list(result.ContentSequence)


def test_codes_numbers_and_the_order_of_items_stay() -> None:
    inner = item("NUM", "410668003", "SCT", "Length", MeasuredValueSequence=number("12.5", "mm"))
    group = item("CONTAINER", "125007", "DCM", "Measurement Group", ContinuityOfContent="SEPARATE")
    finding = coded("4147007", "SCT", "Mass")
    group.ContentSequence = Sequence(
        [item("CODE", "121071", "DCM", "Finding", ConceptCodeSequence=Sequence([finding])), inner]
    )
    (kept,) = content(report(group))
    assert [one.ValueType for one in kept.ContentSequence] == ["CODE", "NUM"]
    assert kept.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Mass"
    assert kept.ContentSequence[1].MeasuredValueSequence[0].NumericValue == 12.5


def test_a_text_loses_the_patient_and_keeps_its_words() -> None:
    said = "Mrs. Winterbottom, born 03.02.1951: mass of 12 mm in the left lobe, seen by Dr. Smith"
    (kept,) = content(report(item("TEXT", "121071", meaning="Finding", TextValue=said)))
    assert "mass of 12 mm in the left lobe" in kept.TextValue
    assert not [word for word in ("Winterbottom", "1951", "Smith") if word in kept.TextValue]


def test_a_text_of_which_nothing_is_left_is_not_empty() -> None:
    (kept,) = content(report(item("TEXT", "121071", meaning="Finding", TextValue="Winterbottom")))
    assert kept.TextValue == "ANONYMIZED"


def test_a_long_text_is_told_to_whoever_reviews() -> None:
    outcome = run(report(item("TEXT", "121071", TextValue="a homogeneous mass without calcification " * 3)))
    assert [finding.kind for finding in outcome.findings] == ["free-text"]


def test_observers_are_nobody_and_the_subject_is_the_pseudonym() -> None:
    observer, subject = content(
        report(
            item("PNAME", "121008", meaning="Person Observer Name", PersonName="Smith^John"),
            item("PNAME", "121029", meaning="Subject Name", PersonName="Winterbottom^Ada"),
        )
    )
    result = run(report()).dataset
    assert result is not None
    assert observer.PersonName == "Anonymized^Anonymized"
    assert str(subject.PersonName) == str(result.PatientName)


@pytest.mark.parametrize(
    ("concept", "scheme", "meaning", "option"),
    [
        ("121009", "DCM", "Person Observer's Organization Name", "retain-institution-identity"),
        ("121016", "DCM", "Device Observer Serial Number", "retain-device-identity"),
    ],
)
def test_devices_and_institutions_are_kept_by_their_options_alone(
    concept: str, scheme: str, meaning: str, option: str
) -> None:
    source = report(item("TEXT", concept, scheme, meaning, TextValue="Mercy General"))
    assert content(source)[0].TextValue == "ANONYMIZED"
    assert content(source, option)[0].TextValue == "Mercy General"


def test_a_local_code_that_means_a_physician_is_no_finding() -> None:
    source = report(item("TEXT", "REF", "99HOSP", "Referring Physician", TextValue="Eleanor Vance"))
    assert content(source)[0].TextValue == "ANONYMIZED"


def test_dates_move_with_the_patient_but_not_the_birth_date() -> None:
    source = report(
        item("DATE", "111060", meaning="Study Date", Date="20240115"),
        item("DATE", "121031", meaning="Subject Birth Date", Date="19510203"),
        item("DATETIME", "111526", meaning="DateTime Started", DateTime="20240115101500"),
    )
    result = run(source, "modified-dates").dataset
    assert result is not None
    moved, born, moment = result.ContentSequence
    assert moved.Date not in ("20240115", "19000101")
    assert born.Date == "19000101"
    assert moment.DateTime == moved.Date + "101500"


def test_references_point_to_where_the_images_went() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.99",
    )
    image, uid = content(
        report(
            item("IMAGE", "121112", ReferencedSOPSequence=Sequence([reference])),
            item("UIDREF", "121018", meaning="Procedure Study Instance UID", UID="1.2.4"),
        )
    )
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == IDENTIFIERS.uid("1.2.99")
    assert image.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert IDENTIFIERS.uid("1.2.4") == uid.UID


def test_what_the_patient_is_stays_by_option_and_ages_end_at_90() -> None:
    source = report(
        item("NUM", "121033", meaning="Subject Age", MeasuredValueSequence=number("97", "a")),
        item("CODE", "121032", meaning="Sex", ConceptCodeSequence=Sequence([coded("F", "DCM", "Female")])),
    )
    age, sex = content(source)
    assert len(age.MeasuredValueSequence) == 0
    assert sex.ConceptCodeSequence[0].CodeMeaning == "Undetermined sex"
    age, sex = content(source, "patient-characteristics")
    assert age.MeasuredValueSequence[0].NumericValue == 90
    assert sex.ConceptCodeSequence[0].CodeMeaning == "Female"


def test_the_accession_number_in_the_tree_is_the_one_outside() -> None:
    source = report(item("TEXT", "121022", meaning="Accession Number", TextValue="A-77001"))
    source.AccessionNumber = "A-77001"
    result = run(source).dataset
    assert result is not None
    assert result.ContentSequence[0].TextValue == result.AccessionNumber


def test_clean_graphics_keeps_what_an_annotation_says_and_no_name() -> None:
    text = Dataset()
    text.UnformattedTextValue = "Winterbottom 12 mm"
    annotation = Dataset()
    annotation.GraphicLayer, annotation.TextObjectSequence = "L", Sequence([text])
    state = report()
    state.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.1"
    state.GraphicAnnotationSequence = Sequence([annotation])
    result = run(state, "clean-graphics").dataset
    assert result is not None
    assert result.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue == "12 mm"


def test_retained_uids_are_retained_within_content_too() -> None:
    tracked = item("UIDREF", "112040", meaning="Tracking Unique Identifier", UID="1.2.3.77")
    image = item("IMAGE", "121112", meaning="Source")
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = COMPREHENSIVE_SR, "1.2.3.78"
    image.ReferencedSOPSequence = Sequence([reference])
    kept = content(report(tracked, image), "uids")
    assert kept[0].UID == "1.2.3.77"
    assert kept[1].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.78"
    assert IDENTIFIERS.uid("1.2.3.77") == content(report(tracked))[0].UID
