"""Storing folders, files, zips and data sets, with a result for every file."""

import io
import zipfile

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

import isocenter
from isocenter.client import store as store_module
from isocenter.client.sources import sop_instance_of, uploads
from isocenter.errors import BadRequest, IsocenterError, NotFound, Unauthorized, Unavailable


def made(uid: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = uid
    dataset.PatientName = "Müller^Jörg"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return dataset


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "studies"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for n in range(5):
        made(f"1.2.{n}").save_as(root / "deep" / f"{n}.dcm", enforce_file_format=True)
    made("1.2.13").save_as(root / "deep" / "er" / "refused", enforce_file_format=True)
    made("1.2.99").save_as(root / ".hidden" / "x.dcm", enforce_file_format=True)
    (root / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00")
    (root / "notes.txt").write_text("not an image")
    (root / "empty").touch()
    (root / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    return root


def outcomes(report):
    return {result.name.rpartition("/")[2]: result.outcome for result in report.results}


def test_a_folder_tells_what_became_of_each_file(archive, server, folder):
    report = archive.store(folder, progress=False)
    assert outcomes(report) == {
        **{f"{n}.dcm": "stored" for n in range(5)},
        "refused": "failed",
        "broken.dcm": "failed",
        "notes.txt": "skipped",
        "empty": "skipped",
        "DICOMDIR": "skipped",
    }
    reasons = {result.name.rpartition("/")[2]: result.reason for result in report.results}
    assert reasons["refused"] == "no space [A700H]"
    assert reasons["broken.dcm"] == "not readable [C000H]"
    assert reasons["notes.txt"] == "not DICOM"
    assert sorted(server.stored) == [f"1.2.{n}" for n in range(5)]


def test_bytes_arrive_unchanged(archive, server, folder):
    archive.store(folder / "deep" / "0.dcm", progress=False)
    assert server.stored["1.2.0"] == (folder / "deep" / "0.dcm").read_bytes()


def test_a_report_is_a_table_and_can_raise(archive, folder):
    report = archive.store([folder / "deep" / "0.dcm", folder / "deep" / "er"], progress=False)
    assert report.to_pandas().outcome.tolist() == ["stored", "failed"]
    assert "1 stored, 1 failed, 0 skipped" in repr(report)
    assert "no space" in report._repr_html_()
    with pytest.raises(IsocenterError, match="no space"):
        report.raise_for_failures()
    good = archive.store(folder / "deep" / "0.dcm", progress=False)
    assert good.raise_for_failures() is good


def test_zips_and_lists(archive, server, folder, tmp_path):
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for n in range(3):
            target.write(folder / "deep" / f"{n}.dcm", f"a/{n}.dcm")
        target.writestr("a/readme.txt", "hello")
    report = archive.store([packed, str(folder / "deep" / "4.dcm")], progress=False)
    assert outcomes(report) == {**{f"{n}.dcm": "stored" for n in (0, 1, 2, 4)}, "readme.txt": "skipped"}


def test_a_damaged_zip(archive, folder, tmp_path):
    damaged = folder / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(BadRequest, match="damaged"):
        archive.store(damaged, progress=False)
    assert outcomes(archive.store(folder, progress=False))["damaged.zip"] == "skipped"


def test_data_sets_and_bytes(archive, server):
    dataset = made("1.2.50")
    data = io.BytesIO()
    pydicom.dcmwrite(data, made("1.2.51"), enforce_file_format=True)
    data.seek(0)
    report = archive.store([dataset, data.getvalue(), data], progress=False)
    assert [result.sop_instance_uid for result in report.stored] == ["1.2.50", "1.2.51", "1.2.51"]
    assert "MediaStorageSOPInstanceUID" not in dataset.file_meta  # the caller's object is left alone
    stored = pydicom.dcmread(io.BytesIO(server.stored["1.2.50"]))
    assert str(stored.PatientName) == "Müller^Jörg"


def test_a_data_set_that_was_read_keeps_its_transfer_syntax(archive, server):
    dataset = pydicom.dcmread(get_testdata_file("JPEG2000.dcm"))
    archive.store(dataset, progress=False).raise_for_failures()
    stored = pydicom.dcmread(io.BytesIO(server.stored[dataset.SOPInstanceUID]))
    assert stored.file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
    assert stored.PixelData == dataset.PixelData


def test_a_data_set_without_file_meta_is_written_too(archive, server):
    dataset = made("1.2.60")
    del dataset.file_meta
    archive.store(dataset, progress=False).raise_for_failures()
    assert "1.2.60" in server.stored


def test_many_files_go_in_batches(archive, server, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BATCH_FILES", 4)
    for n in range(30):
        made(f"1.2.{n + 100}").save_as(tmp_path / f"{n}.dcm", enforce_file_format=True)
    seen = []
    report = archive.store(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert len(report.stored) == 30
    assert sum(path.endswith("/studies") for _, path, _, _ in server.requests) == 8
    total = sum(path.stat().st_size for path in tmp_path.glob("*.dcm"))
    assert seen[-1] == (total, total)


def test_the_dataset_is_in_the_path(archive, server):
    archive.dataset("ct-lab").store(made("1.2.70"), progress=False)
    assert server.requests[-1][1] == "/datasets/ct-lab/dicom-web/studies"


def test_a_file_that_changes_while_it_is_sent_spoils_no_other(archive, server, folder, monkeypatch):
    original = store_module._blocks

    def shrinking(one):
        if one.name.endswith("2.dcm"):
            one = type(one)(one.name, one.size + 100, one.open, one.uid)
        return original(one)

    monkeypatch.setattr(store_module, "_blocks", shrinking)
    report = archive.store(folder / "deep", progress=False)
    assert outcomes(report) == {
        "0.dcm": "stored",
        "1.dcm": "stored",
        "2.dcm": "failed",
        "3.dcm": "stored",
        "4.dcm": "stored",
        "refused": "failed",
    }
    assert "changed while it was sent" in next(r.reason for r in report.failed if r.name.endswith("2.dcm"))


def test_what_is_not_there_and_what_cannot_be_stored(archive, tmp_path):
    with pytest.raises(NotFound, match="nowhere"):
        archive.store(tmp_path / "nowhere")
    with pytest.raises(BadRequest, match="int"):
        archive.store(5)
    with pytest.raises(BadRequest, match="cannot be written"):
        archive.store(Dataset())


def test_nothing_to_store(archive, tmp_path):
    assert archive.store(tmp_path).results == ()


def test_a_refusal_of_everything_is_an_error(archive, server, folder):
    server.token = "secret"
    with pytest.raises(Unauthorized):
        archive.store(folder, progress=False)


def test_a_server_that_goes_away_is_an_error(folder, tmp_path):
    from isocenter.client.archive import Archive
    from isocenter.client.transport import Transport

    with pytest.raises(Unavailable):
        Archive(Transport("http://127.0.0.1:1")).store(folder, progress=False)


def test_the_uid_in_the_first_bytes_of_real_files():
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "ExplVR_BigEnd.dcm", "JPEG-LL.dcm"):
        path = get_testdata_file(name)
        with open(path, "rb") as file:
            assert sop_instance_of(file.read(4096)) == str(pydicom.dcmread(path).SOPInstanceUID)
    assert sop_instance_of(b"") == ""


def test_progress_in_a_terminal(archive, folder, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", screen)
    archive.store(folder)
    assert "Storing: " in screen.getvalue()
    monkeypatch.setattr(isocenter.options, "progress", False)
    screen.truncate(0)
    archive.store(folder)
    assert screen.getvalue() == ""


def test_uploads_come_in_a_stable_order(folder):
    names = [upload.name for upload in uploads(folder)]
    assert names == [upload.name for upload in uploads(folder)]
    assert not any(".hidden" in name for name in names)
