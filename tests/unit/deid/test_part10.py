"""Part 10 files as de-identification writes them: what nobody changed stays as it stood."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from isocenter.deid import Deidentifier, Key
from isocenter.deid.part10 import opened, write
from isocenter.dicom.header import read_header


def _file(syntax: str) -> bytes:
    """An object with short and long, empty, numeric and unknown values, and Pixel Data."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.ImageComments = "of odd length"
    dataset.PatientID = ""
    dataset.SliceThickness = "0.50"
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 2, 3, 8
    dataset.TextValue = "long " * 20_000  # UT: more than two bytes of length
    dataset.add_new(0x00091010, "UN", b"\1\2\3\4")
    dataset.add_new(0x00090010, "LO", "SOMEBODY")
    dataset.PixelData = bytes(range(6))
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    made = BytesIO()
    pydicom.dcmwrite(made, dataset, enforce_file_format=True)
    return made.getvalue()


def _data_set(raw: bytes) -> bytes:
    return raw[read_header(raw).data_set_offset :]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_elements_nobody_changed_are_written_byte_for_byte(syntax: str) -> None:
    before, after = _file(syntax), BytesIO()
    with opened(BytesIO(before)) as source:
        write(after, source, source.dataset)
    assert _data_set(after.getvalue()) == _data_set(before)


def test_an_ambiguous_vr_is_no_vr_to_write() -> None:
    after = BytesIO()
    with opened(BytesIO(_file(ExplicitVRLittleEndian))) as source:
        source.dataset[0x00280010] = source.dataset.get_item(0x00280010)._replace(VR="US or SS")
        with pytest.raises(ValueError, match="ambiguous"):
            write(after, source, source.dataset)


def test_the_file_meta_are_ours_and_readable_by_others() -> None:
    after = BytesIO()
    with opened(BytesIO(_file(ExplicitVRLittleEndian))) as source:
        write(after, source, source.dataset)
    meta = pydicom.dcmread(BytesIO(after.getvalue())).file_meta
    assert meta.MediaStorageSOPClassUID == CTImageStorage
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.ImplementationVersionName == "ISOCENTER_1"
    assert after.getvalue()[:128] == bytes(128)


@pytest.mark.parametrize("uid", [None, "", ["1.2.3", "1.2.4"]])
def test_an_object_without_one_sop_instance_uid_is_kept_back(tmp_path: Path, uid: object) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    if uid is None:
        del dataset.SOPInstanceUID
    else:
        dataset.SOPInstanceUID = uid
    (tmp_path / "in").mkdir()
    dataset.save_as(tmp_path / "in" / "one.dcm")
    done = Deidentifier(Key(bytes(32))).folder(tmp_path / "in", tmp_path / "out")
    assert (done.out, done.quarantined) == (0, 1)
    assert "SOP Instance UID" in (tmp_path / "out-quarantine" / "left.jsonl").read_text()
