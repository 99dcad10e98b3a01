"""Storing folders, files, zips and data sets, with a result for every file."""

import errno
import gc
import io
import os
import random
import weakref
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


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("where", ["at its start", "behind what is looked at first", "cut"])
def test_a_damaged_member_of_a_zip_spoils_no_other(archive, tmp_path, method, where):
    noise = random.Random(0).randbytes(100_000)
    dataset = made("1.2.80")
    dataset.add_new("PixelData", "OB", noise)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", method) as target:
        target.writestr("bad.dcm", buffer.getvalue())
        buffer.truncate(0)
        buffer.seek(0)
        made("1.2.81").save_as(buffer, enforce_file_format=True)
        target.writestr("good.dcm", buffer.getvalue(), zipfile.ZIP_STORED)
    _damage(packed, where)
    report = archive.store(tmp_path, progress=False)
    assert outcomes(report)["good.dcm"] == "stored"
    assert outcomes(report)["bad.dcm"] in ("failed", "skipped")


def _damage(packed, where):
    data = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        entry = archive.getinfo("bad.dcm")
    start = 30 + len(entry.filename)
    if where == "cut":  # its directory says that it is smaller than it was packed
        at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
        data[at + 20 : at + 24] = (entry.compress_size // 2).to_bytes(4, "little")
    else:
        at = start + 20 if where == "at its start" else start + entry.compress_size // 2
        data[at : at + 64] = bytes(64)
    packed.write_bytes(data)


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


def test_data_sets_are_encoded_when_their_turn_comes(archive, monkeypatch):
    monkeypatch.setattr(store_module, "BATCH_FILES", 1)
    made_so_far, most = [], 0

    def many():
        nonlocal most
        for n in range(40):
            dataset = made(f"1.2.{n + 200}")
            made_so_far.append(weakref.ref(dataset))
            most = max(most, sum(one() is not None for one in made_so_far))
            yield dataset
            del dataset
            gc.collect()

    gc.collect()
    gc.freeze()  # what was there before need not be looked through forty times
    try:
        report = archive.store(many(), progress=False)
    finally:
        gc.unfreeze()
    assert len(report.stored) == 40
    assert most < 15


def test_a_data_set_that_cannot_be_written_stops_no_other(archive):
    report = archive.store([made("1.2.55"), Dataset(), made("1.2.56")], progress=False)
    assert [result.outcome for result in report.results] == ["stored", "failed", "stored"]
    assert "cannot be written" in report.failed[0].reason


def test_progress_of_data_sets_ends_at_its_total(archive):
    seen = []
    archive.store([made("1.2.57"), made("1.2.58")], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0


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


def test_what_is_left_out_of_a_folder_is_told(archive, folder, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "locked").mkdir()
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("/locked"):  # root, who may run the tests, is refused nothing
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = archive.store(folder, progress=False)
    reasons = {result.name.rpartition("/")[2]: result.reason for result in report.skipped}
    assert reasons["linked"] == "a link to a folder: name it to store it"
    assert reasons["locked"] == "Permission denied"
    assert reasons["gone"] == "No such file or directory"
    assert reasons["pipe"] == "no regular file"


@pytest.mark.parametrize("status", [500, 503, 507])
def test_a_server_that_can_store_nothing_says_so_of_each_file(archive, server, folder, status):
    server.full = status
    report = archive.store(folder / "deep", progress=False)
    assert {result.reason for result in report.results} == {"no space [A700H]"}
    assert len(report.failed) == 6


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


def test_a_zip_within_a_zip_is_left_out(archive, folder, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as target:
        target.write(folder / "deep" / "0.dcm", "0.dcm")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as target:
        target.writestr("inner.zip", inner.getvalue())
        target.write(folder / "deep" / "1.dcm", "1.dcm")
    report = archive.store(tmp_path / "outer.zip", progress=False)
    assert outcomes(report) == {"inner.zip": "skipped", "1.dcm": "stored"}
    assert report.skipped[0].reason == "a zip within a zip"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_a_zip_of_one_name_are_both_stored(archive, server, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as target:
        for n in range(2):
            target.write(folder / "deep" / f"{n}.dcm", "IM001")
    assert len(archive.store(tmp_path / "packed.zip", progress=False).stored) == 2
    assert set(server.stored) == {"1.2.0", "1.2.1"}


def test_a_zip_bomb_does_not_go_off(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("isocenter.client.sources._UNPACKED", 1_000_000)
    dataset = made("1.2.90")
    dataset.add_new("PixelData", "OB", bytes(900_000))
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as target:
        for name in "abc":
            target.writestr(name, buffer.getvalue())
    report = archive.store(tmp_path / "bomb.zip", progress=False)
    assert list(outcomes(report).values()) == ["stored", "skipped", "skipped"]
    assert "unpack it yourself" in report.skipped[0].reason


def test_a_frame_of_another_archive_is_copied_byte_for_byte(archive, server, real):
    real.store(get_testdata_file("CT_small.dcm"), progress=False).raise_for_failures()
    report = archive.store(real.series.where(Modality="CT"), progress=False)
    (uid,) = report.uids
    with real[uid].open() as file:
        assert server.stored[uid] == file.read()


def test_what_is_no_path_here_or_opened_as_text_says_so(archive, folder, tmp_path):
    with pytest.raises(NotFound, match="WSL"):
        archive.store("C:\\studies\\ct", progress=False)
    with pytest.raises(NotFound, match="pattern"):
        archive.store(folder / "*.dcm", progress=False)
    (tmp_path / "text").write_text("a")
    with open(tmp_path / "text") as text:
        report = archive.store(text, progress=False)
    assert "'rb'" in report.failed[0].reason
    with open(folder / "deep" / "0.dcm", "rb") as file:
        assert archive.store([file, folder / "deep" / "1.dcm"], progress=False).stored[0].name == file.name
