"""Identifiers packed by hand: the bytes are those of pydicom's writer, in the character set that fits."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from isocenter.dicom import uids
from isocenter.network.identifiers import Form, Key

EXPLICIT, IMPLICIT = uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN
BOTH = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])

STUDY = {
    "StudyDate": "20260131",
    "StudyTime": "101530.25",
    "AccessionNumber": "",
    "QueryRetrieveLevel": "STUDY",
    "RetrieveAETitle": "ISOCENTER",
    "InstanceAvailability": "ONLINE",
    "ModalitiesInStudy": "CT\\SR",
    "StudyDescription": "Head",
    "PatientName": "Doe^John",
    "PatientID": "1234567",
    "PatientBirthDate": "",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.12",
    "NumberOfStudyRelatedInstances": "120",
}


def by_pydicom(data_set: Dataset, syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT, True
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def made(values: dict[str, Any]) -> Dataset:
    data_set = Dataset()
    for name, value in values.items():
        setattr(data_set, name, value)
    return data_set


def read(data: bytes, syntax: str = EXPLICIT) -> Dataset:
    data_set = read_dataset(BytesIO(data), syntax == IMPLICIT, True)
    data_set.decode()
    return data_set


@BOTH
def test_a_match_has_pydicoms_bytes(syntax: str) -> None:
    expected = by_pydicom(made({k: v.split("\\") if "\\" in v else v for k, v in STUDY.items()}), syntax)
    assert Form(reversed(STUDY), syntax).pack(STUDY) == expected


@BOTH
def test_numbers_tags_and_every_kind_of_text_have_pydicoms_bytes(syntax: str) -> None:
    text = {
        "Rows": "512",
        "NumberOfFrames": "3",
        "PixelSpacing": "0.5\\0.25",
        "FrameIncrementPointer": "00181063",
        "SmallestImagePixelValue": "7",
        "ExposureTimeInms": "1.5",
        "PatientComments": "one \\ comment",
        "SimpleFrameList": "1\\2",
        "DiffusionBValue": "2.5",
        "LongCodeValue": "a long code",
        "URNCodeValue": "urn:x",
        "AcquisitionDateTime": "20260131101530",
        "PatientAge": "041Y",
    }
    data_set = made(
        {
            "Rows": 512,
            "NumberOfFrames": "3",
            "PixelSpacing": ["0.5", "0.25"],
            "FrameIncrementPointer": Tag(0x00181063),
            "SmallestImagePixelValue": 7,
            "ExposureTimeInms": 1.5,
            "PatientComments": "one \\ comment",
            "SimpleFrameList": [1, 2],
            "DiffusionBValue": 2.5,
            "LongCodeValue": "a long code",
            "URNCodeValue": "urn:x",
            "AcquisitionDateTime": "20260131101530",
            "PatientAge": "041Y",
        }
    )
    data_set[0x00280106] = DataElement(0x00280106, "US", 7)
    assert Form(text, syntax).pack(text) == by_pydicom(data_set, syntax)


@BOTH
def test_sequences_have_pydicoms_bytes(syntax: str) -> None:
    key = Key("RequestAttributesSequence", (Key("ScheduledProcedureStepID"), Key("RequestedProcedureID")))
    items = [
        {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
        {"ScheduledProcedureStepID": "S22"},
    ]
    one = made({"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"})
    two = made({"ScheduledProcedureStepID": "S22", "RequestedProcedureID": ""})
    form = Form([key], syntax)
    assert form.pack({"RequestAttributesSequence": items}) == by_pydicom(
        made({"RequestAttributesSequence": [one, two]}), syntax
    )
    assert form.pack({}) == by_pydicom(made({"RequestAttributesSequence": []}), syntax)


def test_only_what_the_form_names_is_written() -> None:
    assert read(Form(["PatientID"], EXPLICIT).pack(STUDY)).to_json_dict().keys() == {"00100020"}


def test_numbers_of_the_index_are_written_as_text() -> None:
    packed = read(
        Form(["NumberOfStudyRelatedInstances"], EXPLICIT).pack({"NumberOfStudyRelatedInstances": 7})
    )
    assert packed.NumberOfStudyRelatedInstances == 7


CHARSETS = [
    ("ISO_IR 100", "Buc^Jérôme"),
    ("ISO_IR 101", "Wałęsa"),
    ("ISO_IR 144", "Люкceмбypг"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 166", "นามสกุล"),
]


@BOTH
@pytest.mark.parametrize(("terms", "name"), CHARSETS)
def test_text_in_the_requests_character_set_has_pydicoms_bytes(syntax: str, terms: str, name: str) -> None:
    keys = ["SpecificCharacterSet", "PatientName", "PatientID"]
    packed = Form(keys, syntax, [terms]).pack({"PatientName": name, "PatientID": "1"})
    data_set = made({"SpecificCharacterSet": terms, "PatientName": name, "PatientID": "1"})
    assert packed == by_pydicom(data_set, syntax)


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO 2022 IR 100\\ISO 2022 IR 126", "Buc^Jérôme^Διονυσιος"),
    ],
)
def test_code_extensions_are_read_back_by_pydicom(terms: str, name: str) -> None:
    packed = read(Form(["PatientName"], EXPLICIT, [terms]).pack({"PatientName": name}))
    assert "\\".join(packed.SpecificCharacterSet) == terms
    assert packed.PatientName == name


@pytest.mark.parametrize(
    ("name", "sets", "answered"),
    [
        ("Doe", ["ISO_IR 100", "ISO_IR 192"], None),
        ("Jérôme", ["ISO_IR 100", None], "ISO_IR 100"),
        ("王", ["ISO_IR 100", "GB18030"], "GB18030"),
        ("王", ["ISO_IR 100", None], "ISO_IR 192"),
        ("Jérôme", ["", "ISO_IR 144"], "ISO_IR 192"),
        ("Jérôme", ["NO SUCH SET", "ISO_IR 100"], "ISO_IR 100"),
        ("Jérôme", ["ISO-IR 100"], "ISO_IR 100"),
    ],
)
def test_the_character_set_is_none_then_the_requests_then_the_peers_then_utf_8(
    name: str, sets: list[str | None], answered: str | None
) -> None:
    packed = read(Form(["PatientName"], EXPLICIT, sets).pack({"PatientName": name}))
    assert packed.get("SpecificCharacterSet") == answered
    assert packed.PatientName == name


@pytest.mark.filterwarnings("ignore:The (PN component|value) length")
@given(
    st.dictionaries(
        st.sampled_from(
            ["PatientName", "StudyDescription", "PatientID", "PatientComments", "OtherPatientIDs"]
        ),
        st.text(
            st.characters(min_codepoint=0x20, exclude_characters="\\^=\x7f", exclude_categories=["Cs", "Cc"])
        ),
    ),
    st.sampled_from([EXPLICIT, IMPLICIT]),
)
def test_any_text_is_read_back_by_pydicom(values: dict[str, str], syntax: str) -> None:
    packed = read(Form([*values, "StudyDate"], syntax).pack(values), syntax)
    for name, value in values.items():
        assert str(packed[name].value or "").rstrip(" ") == value.rstrip(" ")


def test_a_value_too_long_for_its_vr_goes_as_un() -> None:
    packed = Form(["StudyDescription"], EXPLICIT).pack({"StudyDescription": "x" * 70_000})
    assert packed[4:6] == b"UN"
    assert len(read(packed).StudyDescription) == 70_000
