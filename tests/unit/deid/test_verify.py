"""A second reader finds what a de-identification left behind, wherever it lies."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless
from tests.unit.deid.canary import CT, canary
from tests.unit.deid.test_structured import IDENTIFIERS

from isocenter.deid.engine import Engine
from isocenter.deid.policies import Documents, Policies
from isocenter.deid.profile import Profile
from isocenter.deid.verify import RESIDUAL, Verifier
from isocenter.dicom.header import UnreadableHeader


def packed(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def original() -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.StudyInstanceUID = CT, "1.2.826.0.1.7", "1.2.826.0.1.8"
    made.PatientName, made.PatientID, made.PatientBirthDate = "Winterbottom^Ada", "HOSP-4711", "19510203"
    made.StudyDate, made.SeriesDate, made.AccessionNumber = "20240115", "20240116", "A-77001"
    made.StationName, made.InstitutionName, made.StudyID = "CTROOM1", "Mercy General", "1"
    made.Rows = made.Columns = 2
    made.BitsAllocated, made.SamplesPerPixel, made.PixelRepresentation = 8, 1, 0
    made.PixelData = b"\1\2\3\4"
    return made


def cleaned(*options: str, source: Dataset | None = None) -> Dataset:
    policies = Policies(documents=Documents.DROP)
    result = Engine(Profile.of(options), IDENTIFIERS, policies).apply(source or original()).dataset
    assert result is not None
    return result


def kinds(before: bytes, after: bytes, *options: str) -> set[str]:
    return {finding.kind for finding in Verifier(Profile.of(options)).check(before, after)}


BEFORE = packed(original())


@pytest.mark.parametrize("options", [(), ("modified-dates",), ("full-dates", "uids", "device-identity")])
def test_a_clean_result_has_nothing_to_find(options: tuple[str, ...]) -> None:
    assert kinds(BEFORE, packed(cleaned(*options)), *options) == set()


def test_the_canary_of_every_row_leaves_nothing() -> None:
    source = canary()
    assert RESIDUAL not in kinds(packed(source), packed(cleaned(source=source)))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SeriesDescription", "chest winterbottom"),
        ("ImageComments", "see A-77001."),
        ("StationName", "CTROOM1"),
        ("DeviceSerialNumber", "1.2.826.0.1.8"),
        ("ProtocolName", "19510203"),
    ],
)
def test_a_value_of_the_original_is_found_in_any_element(keyword: str, value: str) -> None:
    result = cleaned()
    setattr(result, keyword, value)
    assert RESIDUAL in kinds(BEFORE, packed(result))


def test_it_is_found_in_an_item_and_its_place_is_told() -> None:
    result, item = cleaned(), Dataset()
    item.CodeMeaning = "Winterbottom"
    result.AnatomicRegionSequence = Sequence([item])
    (found,) = Verifier(Profile()).check(BEFORE, packed(result))
    assert (found.kind, found.path) == (RESIDUAL, (0x00082218, 0x00080104))
    assert "Winterbottom" not in found.words


def test_it_is_found_in_preamble_meta_and_after_pixel_data() -> None:
    after = packed(cleaned())
    assert RESIDUAL in kinds(BEFORE, b"Winterbottom".ljust(128, b"\0") + after[128:])
    assert RESIDUAL in kinds(BEFORE, after + b"\xfc\xff\xfc\xffOB\0\0\x0c\0\0\0Winterbottom")


def test_it_is_found_in_a_deflated_file() -> None:
    result = cleaned()
    result.SeriesDescription = "Winterbottom"
    assert RESIDUAL in kinds(BEFORE, packed(result, DeflatedExplicitVRLittleEndian))


def test_a_uid_before_a_group_whose_tag_begins_with_a_digit_is_found() -> None:
    source, result = original(), cleaned()
    source.StudyInstanceUID = result.StudyInstanceUID = "1.2.826.0.1.81"  # of even length: nothing is between
    for element in [element for element in result if 0x0020000D < int(element.tag) < 0x00280000]:
        del result[element.tag]
    result.RequestedProcedureDescription = "x"  # (0032,1060): its first byte is the digit 2
    assert RESIDUAL in kinds(packed(source), packed(result))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("call 0761 270 3401", "phone"),
        ("eve@example.org", "e-mail"),
        ("MRN 12345", "number"),
        ("prior of 2019-03-04", "date"),
        ("prior of 20190304", "date"),
        ("Smith^John", "name"),
        ("seen by Dr. Smith", "name"),
    ],
)
def test_what_looks_like_an_identifier_of_anybody_is_found(text: str, kind: str) -> None:
    result = cleaned()
    result.SeriesDescription = text
    assert kind in kinds(BEFORE, packed(result))


def test_technical_text_is_no_identifier() -> None:
    result = cleaned()
    result.SeriesDescription = "AX T2 TSE 5.0 mm 512x512"
    result.SoftwareVersions, result.ProtocolName = "syngo.via VB10A", "1.1 Head 0.6 H31s"
    assert kinds(BEFORE, packed(result)) == set()


def test_another_persons_name_a_private_element_and_an_old_age_are_found() -> None:
    result = cleaned()
    result.OperatorsName = "Smith^John"
    result.PatientAge = "097Y"
    result.add_new(0x00091001, "LO", "x")
    assert kinds(BEFORE, packed(result)) == {"name", "age", "private"}


def test_dates_that_stayed_or_moved_unevenly_are_found() -> None:
    result = cleaned("modified-dates")
    result.StudyDate = "20240115"
    words = [found.words for found in Verifier(Profile.of(["modified-dates"])).check(BEFORE, packed(result))]
    assert words == ["did not move by days of the window", "dates moved by different numbers of days"]
    removed = cleaned()
    removed.StudyDate = "20230101"
    assert kinds(BEFORE, packed(removed)) == {"date"}


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BEFORE)
    (tmp_path / "b").write_bytes(packed(cleaned()))
    assert Verifier(Profile()).check(tmp_path / "a", tmp_path / "b") == []


def test_the_maker_of_a_device_is_no_institution() -> None:
    source, result = original(), cleaned()
    source.InstitutionName, source.Manufacturer = "ACME", "ACME Medical"
    result.Manufacturer = "ACME Medical"
    assert kinds(packed(source), packed(result)) == set()


def test_a_place_holder_or_a_code_is_nobodys_name() -> None:
    source, result = original(), cleaned()
    source.OperatorsName, source.ReferringPhysicianName = "Enter Text", "Axial^A"
    result.ImageType, result.SeriesDescription = ["ORIGINAL", "PRIMARY", "AXIAL"], "text"
    assert kinds(packed(source), packed(result)) == set()


def test_a_result_without_a_patient_id_has_no_finding() -> None:
    source = original()
    del source.PatientID
    assert kinds(packed(source), packed(cleaned(source=source))) == set()


def test_a_study_id_is_taken_out_of_labels_too() -> None:
    source = original()
    source.StudyID, source.ProtocolName = "sep30", "label sep30"
    options = ("clean-descriptors",)
    result = packed(cleaned(*options, source=source))
    assert kinds(packed(source), result, *options) == set()


def test_it_is_found_behind_compressed_frames_even_if_a_sequence_follows() -> None:
    result = cleaned()
    result.PixelData = encapsulate([b"\1\2\3\4"])
    result["PixelData"].is_undefined_length = True
    after = packed(result, RLELossless)
    padding = b"\xfc\xff\xfc\xffOB\0\0\x0c\0\0\0Winterbottom"
    sequence = b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0"
    assert RESIDUAL not in kinds(BEFORE, after + sequence)
    assert RESIDUAL in kinds(BEFORE, after + padding + sequence)


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UnreadableHeader):
        Verifier(Profile()).check(BEFORE, tmp_path / "empty")
