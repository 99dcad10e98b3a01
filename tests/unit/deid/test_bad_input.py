"""What is not what it says it is: sequences as UN, names as numbers, text in no known character set."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.deid import Deidentifier, Key
from isocenter.deid.outcome import Outcome

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

DEID = Deidentifier(Key(bytes(range(32))), options=["clean-descriptors"])


def header() -> Dataset:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    del dataset.PixelData, dataset.DataSetTrailingPadding
    dataset.PatientName = "Doe^Jane"
    return dataset


def with_element(tag: int, vr: bytes, value: bytes, charset: str | None = "") -> Dataset:
    """A data set as read from a file with this element, encoded just so."""
    dataset = header()
    if charset != "":
        dataset.SpecificCharacterSet = charset
    if tag in dataset:
        del dataset[tag]
    stream = io.BytesIO()
    dataset.save_as(stream)
    whole = pydicom.dcmread(io.BytesIO(stream.getvalue()))
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"UN", b"SQ", b"OB")
    head += struct.pack("<xxI", len(value)) if long else struct.pack("<H", len(value))
    alone = pydicom.filereader.read_dataset(io.BytesIO(head + value), False, True)
    whole[tag] = alone.get_item(tag)
    return whole


def text(outcome: Outcome) -> str:
    assert outcome.dataset is not None, outcome.quarantined
    return str(outcome.dataset)


def implicit(items: list[Dataset]) -> bytes:
    dataset = Dataset()
    dataset.ReferencedStudySequence = Sequence(items)
    stream = pydicom.filebase.DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = True, True
    pydicom.filewriter.write_dataset(stream, dataset)
    return stream.getvalue()[8:]


@pytest.mark.parametrize("number", [1, 900])
def test_a_sequence_sent_as_un_is_treated_as_one(number: int) -> None:
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3.4.5"
    item.PatientName = "CANARY^Jane"
    item.InstitutionName = "CANARY".ljust(60, "Y")
    source = with_element(0x00082218, b"UN", implicit([item] * number))
    outcome = DEID.apply(source)
    assert "CANARY" not in text(outcome)
    assert outcome.dataset is not None
    items = outcome.dataset[0x00082218].value
    assert len(items) == number
    assert items[0].ReferencedSOPInstanceUID.startswith("2.25.")
    outcome.dataset.file_meta = source.file_meta
    stream = io.BytesIO()
    outcome.dataset.save_as(stream, enforce_file_format=True)
    again = pydicom.dcmread(io.BytesIO(stream.getvalue()))
    assert again[0x00082218].VR == "SQ"
    assert again.AnatomicRegionSequence[0].ReferencedSOPInstanceUID == items[0].ReferencedSOPInstanceUID


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00180050, b"DS", b"CANARY"),
        (0x00200013, b"IS", b"CANARY"),
        (0x00280010, b"LO", b"CANARY"),
        (0x00281052, b"LO", b"CANARY"),
        (0x00080016 + 2, b"UI", b"1.2.840.10008.CANARY"),
    ],
)
def test_a_name_in_the_place_of_a_number_goes(tag: int, vr: bytes, value: bytes) -> None:
    assert "CANARY" not in text(DEID.apply(with_element(tag, vr, value)))


def test_a_sequence_where_a_number_belongs_is_quarantined() -> None:
    item = Dataset()
    item.PatientName = "CANARY^Jane"
    source = header()
    source.add(DataElement(0x00280106, "SQ", Sequence([item])))
    assert "is a sequence" in DEID.apply(source).quarantined


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        (None, "Müller".encode("latin-1")),
        ("ISO_IR 999", "Müller".encode("latin-1")),
        ("ISO_IR 192", "Müller".encode("latin-1")),
    ],
)
def test_text_that_cannot_be_decoded_is_quarantined(charset: str | None, value: bytes) -> None:
    source = with_element(0x00081030, b"LO", value, charset)
    assert "cannot be decoded" in DEID.apply(source).quarantined


def test_text_of_its_character_set_is_kept() -> None:
    source = with_element(0x00081030, b"LO", "Schädel".encode(), "ISO_IR 192")
    outcome = DEID.apply(source)
    assert outcome.dataset is not None
    assert outcome.dataset.StudyDescription == "Schädel"


def test_a_name_in_an_escape_sequence_is_found() -> None:
    dataset = header()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田太郎^太郎"
    dataset.StudyDescription = "山田太郎 CT"
    stream = io.BytesIO()
    dataset.save_as(stream)
    read = pydicom.dcmread(io.BytesIO(stream.getvalue()))
    assert "山田" not in text(DEID.apply(read))


def test_pixels_inside_of_sequences_and_foreign_groups_go() -> None:
    source = header()
    item = Dataset()
    item.add(DataElement(0x7FE00010, "OW", b"CANARY"))
    source.add(DataElement(0x00082218, "SQ", Sequence([item])))
    source.add(DataElement(0x00041130, "CS", "CANARY"))
    source.add(DataElement(0x00080001, "UL", 77))
    outcome = DEID.apply(source)
    assert "CANARY" not in text(outcome)
    assert outcome.dataset is not None
    assert 0x00080001 not in outcome.dataset
    assert 0x00041130 not in outcome.dataset


def test_references_stay_and_get_the_new_uids() -> None:
    source, item = header(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, "1.2.3.4"
    source.ReferencedImageSequence = source.SourceImageSequence = Sequence([item])
    outcome = DEID.apply(source)
    assert outcome.dataset is not None
    for keyword in ("ReferencedImageSequence", "SourceImageSequence"):
        assert outcome.dataset[keyword].value[0].ReferencedSOPInstanceUID == DEID.identifiers.uid("1.2.3.4")
