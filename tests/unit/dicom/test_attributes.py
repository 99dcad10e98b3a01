"""Attributes: lookups by every name, levels, Arrow types, and hints for misspelt names."""

import pyarrow as pa
import pytest
from pydicom.datadict import DicomDictionary

from isocenter.dicom import attributes
from isocenter.dicom.attributes import COMPUTED, INDEX, arrow_type, lookup
from isocenter.dicom.levels import Level
from isocenter.errors import UnknownAttribute


@pytest.mark.parametrize("name", ["PatientID", "00100020", "(0010,0020)", "0010,0020", "(0010, 0020)"])
def test_an_attribute_is_found_by_keyword_and_tag(name):
    found = lookup(name)
    assert (found.tag, found.keyword, found.vr, found.vm) == (0x00100020, "PatientID", "LO", "1")
    assert found.tag_text == "00100020"


def test_every_keyword_of_pydicom_is_found():
    for tag, (vr, vm, _, _, keyword) in DicomDictionary.items():
        if keyword:
            assert lookup(keyword) == attributes.Attribute(tag, keyword, vr, vm)


@pytest.mark.parametrize("element", ["0c", "0C", "xx0c"])
def test_a_private_attribute_is_named_by_its_creator_without_block(element):
    found = lookup(f"0019,SIEMENS MR HEADER,{element}")
    assert (found.tag, found.creator) == (0x0019000C, "SIEMENS MR HEADER")
    assert found.name == "0019,SIEMENS MR HEADER,0c"


def test_repeating_groups_have_their_entry():
    assert lookup("60020010").vr == "US"
    assert arrow_type(lookup("60020010")) is None


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("patientid", "PatientID"), ("Slice Thicknes", "SliceThickness"), ("study_date", "StudyDate")],
)
def test_a_misspelt_keyword_is_answered_with_the_nearest(wrong, right):
    with pytest.raises(UnknownAttribute, match=right):
        lookup(wrong)


@pytest.mark.parametrize("wrong", ["", "xyzzy", "0018,SIEMENS,0c", "0019,SIEMENS,0", "12345"])
def test_what_is_no_name_is_refused(wrong):
    with pytest.raises(UnknownAttribute):
        lookup(wrong)


def test_index_holds_the_keys_the_standard_requires_at_their_level():
    """PS3.4 C.6.1.1 and C.6.2.1 (unique and required keys), PS3.18 10.6.1."""
    assert {"PatientID", "PatientName", "PatientBirthDate", "PatientSex"} <= set(INDEX[Level.PATIENT])
    assert {"StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"} <= set(
        INDEX[Level.STUDY]
    )
    assert {"ReferringPhysicianName", "TimezoneOffsetFromUTC"} <= set(INDEX[Level.STUDY])
    assert {"SeriesInstanceUID", "Modality", "SeriesNumber"} <= set(INDEX[Level.SERIES])
    assert {
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
    } <= set(INDEX[Level.SERIES])
    assert {"SOPInstanceUID", "SOPClassUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated"} <= set(
        INDEX[Level.INSTANCE]
    )


def test_every_name_of_the_index_is_known_and_belongs_to_one_level():
    seen = [name for level in Level for name in (*INDEX[level], *COMPUTED[level])]
    assert len(seen) == len(set(seen))
    for name in seen:
        *outer, last = (lookup(part) for part in attributes.path_of(name))
        assert all(sequence.vr == "SQ" for sequence in outer)
        assert last.vr != "SQ"
    assert attributes.level_of("Modality") is Level.SERIES
    assert attributes.level_of("ModalitiesInStudy") is Level.STUDY
    assert attributes.level_of("SliceThickness") is None
    assert attributes.is_indexed("StudyDate")


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("StudyDate", "date32"),
        ("StudyTime", "int64"),
        ("AcquisitionDateTime", "timestamp[us]"),
        ("InstanceNumber", "int32"),
        ("SliceThickness", "double"),
        ("ImagePositionPatient", "list<double>"),
        ("ImageType", "list<string>"),
        ("PatientName", "string"),
        ("SmallestImagePixelValue", "int32"),
        ("FrameIncrementPointer", "list<string>"),
        ("PatientComments", "string"),
        ("PixelData", None),
        ("RequestAttributesSequence", None),
    ],
)
def test_arrow_types_follow_the_dictionary(keyword, expected):
    assert arrow_type(lookup(keyword)) == expected


def test_arrow_types_are_names_that_arrow_knows():
    for keyword in (entry[4] for entry in DicomDictionary.values() if entry[4]):
        name = arrow_type(lookup(keyword))
        if name is not None:
            inner = name.removeprefix("list<").removesuffix(">")
            assert isinstance(pa.type_for_alias(inner), pa.DataType)


def test_a_private_creator_with_dots_is_one_name():
    assert attributes.path_of("0019,GEMS.A,0c") == ("0019,GEMS.A,0c",)
    assert attributes.path_of("A.B") == ("A", "B")


@pytest.mark.parametrize(("name", "ours"), [("_seq", True), ("slice_spacing", True), ("Modality", False)])
def test_our_columns_are_told_from_keywords(name, ours):
    assert attributes.is_own_column(name) is ours
