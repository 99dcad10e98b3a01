"""A file in, a file out: nothing of what was around the data set, Pixel Data byte by byte; or quarantine."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.deid import Deidentifier, Documents, Key, Policies, Residual, Uncleared
from isocenter.deid.files import End
from isocenter.deid.pixels import Pixels
from isocenter.deid.rules import Rule, RuleAction

KEY = Key(bytes(range(32)))


def deidentifier(**more: object) -> Deidentifier:
    return Deidentifier(KEY, **more)  # type: ignore[arg-type]


def known(name: str) -> Path:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return Path(path)


def ct() -> Dataset:
    return pydicom.dcmread(known("CT_small.dcm"))


def saved(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "JPEG2000.dcm",
        "image_dfl.dcm",
        "rtdose.dcm",
    ],
)
def test_pixel_data_and_syntax_stay_as_they_are(name: str, tmp_path: Path) -> None:
    source, target = known(name), tmp_path / "out.dcm"
    done = deidentifier(policies=Policies(uncleared=Uncleared.KEEP)).file(source, target)
    assert (done.end, done.reason) == (End.OUT, "")
    before, after = pydicom.dcmread(source), pydicom.dcmread(target)
    assert after.PixelData == before.PixelData
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert after.PatientID != before.PatientID
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID != before.SOPInstanceUID


def test_preamble_and_file_meta_are_ours(tmp_path: Path) -> None:
    dataset = ct()
    dataset.preamble = b"CANARY in the preamble".ljust(128, b".")
    dataset.file_meta.SourceApplicationEntityTitle = "CANARY_AE"
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    dataset.file_meta.PrivateInformation = b"CANARY private"
    deidentifier().file(saved(dataset, tmp_path / "in.dcm"), tmp_path / "out.dcm")
    written = (tmp_path / "out.dcm").read_bytes()
    assert written[:128] == bytes(128)
    assert b"CANARY" not in written


def test_what_stands_behind_the_pixel_data_is_de_identified_too(tmp_path: Path) -> None:
    dataset = ct()
    dataset.add(DataElement(0xFFFCFFFC, "OB", b"CANARY padding"))
    dataset.private_block(0x7FE3, "CANARY CREATOR", create=True).add_new(1, "LO", "CANARY private")
    signature = Dataset()
    signature.CertificateOfSigner = b"CANARY certificate"
    dataset.DigitalSignaturesSequence = Sequence([signature])
    done = deidentifier().file(saved(dataset, tmp_path / "in.dcm"), tmp_path / "out.dcm")
    assert done.end is End.OUT
    assert b"CANARY" not in (tmp_path / "out.dcm").read_bytes()
    assert pydicom.dcmread(tmp_path / "out.dcm").PixelData == dataset.PixelData


def test_zeros_behind_the_data_set_are_left_out_and_other_bytes_are_not_trusted(tmp_path: Path) -> None:
    whole = known("CT_small.dcm").read_bytes()
    (tmp_path / "padded.dcm").write_bytes(whole + bytes(512))
    assert deidentifier().file(tmp_path / "padded.dcm", tmp_path / "out.dcm").end is End.OUT
    (tmp_path / "followed.dcm").write_bytes(whole + b"Jane Doe, born 1970")
    done = deidentifier().file(tmp_path / "followed.dcm", tmp_path / "none.dcm")
    assert done.end is End.QUARANTINED
    assert not (tmp_path / "none.dcm").exists()


def test_more_pixel_data_than_the_image_has_is_quarantined(tmp_path: Path) -> None:
    dataset = ct()
    dataset.PixelData += b"Jane Doe was here ok"
    done = deidentifier().file(saved(dataset, tmp_path / "in.dcm"), tmp_path / "out.dcm")
    assert done.end is End.QUARANTINED
    assert "longer than the image" in done.reason


@pytest.mark.parametrize("cut", [200, 700, 5_000, 30_000])
def test_a_file_that_is_cut_off_is_quarantined(cut: int, tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(known("CT_small.dcm").read_bytes()[:cut])
    done = deidentifier().file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert done.end is End.QUARANTINED
    assert list(tmp_path.iterdir()) == [tmp_path / "in.dcm"]


def test_what_is_no_dicom_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Jane Doe")
    assert deidentifier().file(tmp_path / "notes.txt", tmp_path / "out").end is End.SKIPPED


def test_clean_pixels_and_header_say_that_identity_is_removed(tmp_path: Path) -> None:
    done = deidentifier().file(known("CT_small.dcm"), tmp_path / "out.dcm")
    assert done.cleared
    assert pydicom.dcmread(tmp_path / "out.dcm").PatientIdentityRemoved == "YES"


def risky(**attributes: str) -> Dataset:
    dataset = ct()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"Modality": "US"},
        {"Modality": ""},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_risky_pixels_are_quarantined_or_leave_without_the_promise(
    attributes: dict[str, str], tmp_path: Path
) -> None:
    path = saved(risky(**attributes), tmp_path / "in.dcm")
    done = deidentifier().file(path, tmp_path / "out.dcm")
    assert done.end is End.QUARANTINED
    assert done.reason.startswith("its pixels are not cleared: ")
    kept = deidentifier(policies=Policies(uncleared=Uncleared.KEEP)).file(path, tmp_path / "out.dcm")
    assert (kept.end, kept.cleared) == (End.OUT, False)
    assert pydicom.dcmread(tmp_path / "out.dcm").PatientIdentityRemoved == "NO"
    assert [finding.kind for finding in kept.findings] == ["uncleared"]


def test_burned_in_annotation_no_clears_a_risky_class_if_it_is_believed(tmp_path: Path) -> None:
    path = saved(risky(Modality="OT", BurnedInAnnotation="NO"), tmp_path / "in.dcm")
    assert deidentifier().file(path, tmp_path / "out.dcm").end is End.QUARANTINED
    trusting = deidentifier(judge=Pixels(trust_burned_in=True))
    assert trusting.file(path, tmp_path / "out.dcm").cleared


def test_an_overlay_in_unused_bits_is_no_clean_image(tmp_path: Path) -> None:
    dataset = ct()
    dataset.add(DataElement(0x60000010, "US", 128))
    dataset.add(DataElement(0x60000102, "US", 12))
    done = deidentifier().file(saved(dataset, tmp_path / "in.dcm"), tmp_path / "out.dcm")
    assert "unused bits" in done.reason


def test_an_overlay_plane_that_is_kept_is_not_cleared(tmp_path: Path) -> None:
    dataset = ct()
    for tag, vr, value in (
        (0x60000010, "US", 128),
        (0x60000011, "US", 128),
        (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]),
        (0x60000100, "US", 1),
        (0x60000102, "US", 0),
        (0x60003000, "OW", bytes(128 * 16)),
    ):
        dataset.add(DataElement(tag, vr, value))
    path = saved(dataset, tmp_path / "in.dcm")
    assert deidentifier().file(path, tmp_path / "without.dcm").cleared
    assert 0x60003000 not in pydicom.dcmread(tmp_path / "without.dcm")
    done = deidentifier(options=["clean-graphics"]).file(path, tmp_path / "out.dcm")
    assert (done.end, "overlay plane" in done.reason) == (End.QUARANTINED, True)


def document() -> Dataset:
    dataset = ct()
    del dataset.PixelData
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF CANARY"
    return dataset


@pytest.mark.parametrize(
    ("policy", "end", "identity_removed"),
    [
        (Documents.REFUSE, End.QUARANTINED, None),
        (Documents.DROP, End.OUT, "YES"),
        (Documents.KEEP, End.OUT, "NO"),
    ],
)
def test_a_document_is_refused_dropped_or_kept(
    policy: Documents, end: End, identity_removed: str | None, tmp_path: Path
) -> None:
    path = saved(document(), tmp_path / "in.dcm")
    done = deidentifier(policies=Policies(documents=policy)).file(path, tmp_path / "out.dcm")
    assert done.end is end
    if identity_removed is not None:
        assert pydicom.dcmread(tmp_path / "out.dcm").PatientIdentityRemoved == identity_removed
        assert (b"CANARY" in (tmp_path / "out.dcm").read_bytes()) is (policy is Documents.KEEP)


def test_a_deflated_file_is_deflated_again(tmp_path: Path) -> None:
    deidentifier(policies=Policies(uncleared=Uncleared.KEEP)).file(
        known("image_dfl.dcm"), tmp_path / "out.dcm"
    )
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "out.dcm")
    body = (tmp_path / "out.dcm").read_bytes()[144 + int(meta.FileMetaInformationGroupLength) :]
    assert zlib.decompress(body, -zlib.MAX_WBITS)


def test_a_data_set_in_memory_obeys_the_same_rules() -> None:
    outcome = deidentifier().apply(risky(BurnedInAnnotation="YES"))
    assert outcome.dataset is None
    assert "Burned In" in outcome.quarantined
    clean = deidentifier().apply(ct()).dataset
    assert clean is not None
    assert clean.PatientIdentityRemoved == "YES"
    clean.file_meta = ct().file_meta
    stream = io.BytesIO()
    clean.save_as(stream)
    assert b"1CT1" not in stream.getvalue()


def test_a_rule_that_keeps_who_the_patient_is_takes_the_promise_away(tmp_path: Path) -> None:
    rule = Rule(RuleAction.KEEP, path=(0x00100020,))
    done = deidentifier(rules=[rule]).file(known("CT_small.dcm"), tmp_path / "out.dcm")
    after = pydicom.dcmread(tmp_path / "out.dcm")
    assert (after.PatientID, after.PatientIdentityRemoved) == (ct().PatientID, "NO")
    assert not done.cleared
    assert "identity-kept" in {finding.kind for finding in done.findings}


def leaking() -> Dataset:
    """A CT in which the name of the patient lies where no text belongs."""
    dataset = ct()
    dataset.add(DataElement(0x00281201, "OW", b"..CompressedSamples."))
    return dataset


def test_a_result_that_holds_a_value_of_the_original_is_quarantined(tmp_path: Path) -> None:
    path = saved(leaking(), tmp_path / "in.dcm")
    done = deidentifier().file(path, tmp_path / "out.dcm")
    assert (done.end, done.target) == (End.QUARANTINED, None)
    assert "value of the original" in done.reason
    assert "residual" in {finding.kind for finding in done.findings}
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.dcm"]


def test_a_residual_value_leaves_only_by_policy_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    saved(leaking(), tmp_path / "in" / "a.dcm")
    keeping = deidentifier(policies=Policies(residual=Residual.KEEP))
    kept = keeping.folder(tmp_path / "in", tmp_path / "kept")
    assert (kept.out, kept.residual) == (1, 1)
    done = deidentifier().folder(tmp_path / "in", tmp_path / "out")
    assert (done.out, done.quarantined, done.residual) == (0, 1, 0)
    assert done.report is not None
    assert "residual" in {finding["kind"] for finding in done.report.to_json()["findings"]}
