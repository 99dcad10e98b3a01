"""Objects over the web in other forms: other transfer syntaxes, single files, zips; what a cache may keep."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from foreign_decoders import by_dcmtk
from pydicom.fileset import FileSet
from pydicom.pixels import get_decoder
from web_answers import EXPLICIT, data_set_of, parts_of, pydicom_file, stored

Make = Callable[..., bytes]
J2K, JLS, JPEG, RLE = (f"1.2.840.10008.1.2.{end}" for end in ("4.90", "4.80", "4.70", "5"))
DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.mark.parametrize("syntax", [J2K, JLS, JPEG, RLE, DEFLATED])
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "image_dfl.dcm", "emri_small.dcm"]
)
def test_an_object_in_a_transfer_syntax_that_it_is_not_stored_in(web: Any, name: str, syntax: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    accept = f"application/dicom; transfer-syntax={syntax}"
    answer = web.get(path, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == accept
    got = pydicom.dcmread(io.BytesIO(answer.content))
    assert got.file_meta.TransferSyntaxUID == syntax
    assert got.SOPInstanceUID == was.SOPInstanceUID
    found = by_dcmtk(got)
    if found is None:
        plugin = {RLE: "pydicom", J2K: "gdcm", JLS: "gdcm"}.get(syntax, "")
        found = get_decoder(got.file_meta.TransferSyntaxUID).as_array(got, decoding_plugin=plugin)[0]
    assert np.array_equal(found, was.pixel_array)
    ((kind, body),) = parts_of(web.get(path, headers={"Accept": f"multipart/related; type={accept}"}))
    assert kind == accept
    assert data_set_of(body) == data_set_of(answer.content)


def test_what_cannot_be_compressed_is_406_alone_and_explicit_among_others(web: Any, make: Make) -> None:
    report = make(2)
    web.store(make(1, Rows=64, Columns=64, BitsAllocated=8, BitsStored=8, pixels=bytes(4096)), report)
    accept = {"Accept": f"multipart/related; type=application/dicom; transfer-syntax={J2K}"}
    kinds = [kind for kind, _ in parts_of(web.get("/dicom-web/studies/1.2.3", headers=accept))]
    assert [kind.rpartition("=")[2] for kind in kinds] == [J2K, EXPLICIT]
    alone = web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.2", headers=accept)
    assert alone.status_code == 406


def test_head_tells_the_same_as_get(web: Any) -> None:
    path = stored(web, pydicom_file("MR_small_RLE.dcm"))
    for accept in ("application/dicom", "application/dicom; transfer-syntax=*", "application/octet-stream"):
        got = web.get(path, headers={"Accept": accept})
        head = web.web.head(web.url + path, headers={"Accept": accept}, timeout=60)
        told = ("Content-Type", "Content-Length", "ETag", "Last-Modified", "Accept-Ranges")
        assert [head.headers[name] for name in told] == [got.headers[name] for name in told]
        assert int(head.headers["Content-Length"]) == len(got.content)
    for accept in ("multipart/related; type=application/dicom", "application/zip"):
        head = web.web.head(web.url + path, headers={"Accept": accept}, timeout=60)
        assert (head.status_code, "Content-Length" in head.headers) == (200, False)


def test_the_etag_names_what_is_really_sent(web: Any) -> None:
    """12-bit JPEG has no decoder: the stored file goes in its place."""
    path = stored(web, pydicom_file("JPGExtended.dcm"))
    answer = web.get(path, headers={"Accept": "application/dicom"})
    assert answer.headers["Content-Type"].endswith("1.2.840.10008.1.2.4.51")
    assert answer.headers["ETag"].endswith('-1.2.840.10008.1.2.4.51"')
    head = web.web.head(web.url + path, headers={"Accept": "application/dicom"}, timeout=60)
    assert head.headers["ETag"] == answer.headers["ETag"]
    again = web.get(path, headers={"Accept": "application/dicom", "If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_a_decoded_file_comes_in_ranges_too(web: Any) -> None:
    path = stored(web, pydicom_file("MR_small_RLE.dcm"))
    whole = web.get(path, headers={"Accept": "application/dicom"})
    for first, last in [(0, 99), (1500, 1600), (2000, 3000)]:
        headers = {
            "Accept": "application/dicom",
            "Range": f"bytes={first}-{last}",
            "If-Range": whole.headers["ETag"],
        }
        part = web.get(path, headers=headers)
        assert (part.status_code, part.content) == (206, whole.content[first : last + 1])
    past = web.get(path, headers={"Accept": "application/dicom", "Range": "bytes=9999999-"})
    assert (past.status_code, past.headers["Content-Range"]) == (416, f"bytes */{len(whole.content)}")


@pytest.mark.parametrize("accept", ["multipart/related; type=application/dicom", "application/zip"])
def test_a_study_that_did_not_change_is_304_until_it_grows(web: Any, make: Make, accept: str) -> None:
    web.store(make(1), make(2))
    first = web.get("/dicom-web/studies/1.2.3", headers={"Accept": accept})
    since = {"Accept": accept, "If-Modified-Since": first.headers["Last-Modified"]}
    same = {"Accept": accept, "If-None-Match": first.headers["ETag"]}
    assert web.get("/dicom-web/studies/1.2.3", headers=since).status_code == 304
    assert web.get("/dicom-web/studies/1.2.3", headers=same).status_code == 304
    old = {"Accept": accept, "If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}
    assert web.get("/dicom-web/studies/1.2.3", headers=old).status_code == 200
    odd = {"Accept": accept, "If-Modified-Since": "yesterday"}
    assert web.get("/dicom-web/studies/1.2.3", headers=odd).status_code == 200
    web.store(make(3))
    assert web.get("/dicom-web/studies/1.2.3", headers=same).status_code == 200


def test_a_zip_of_a_study_holds_what_was_stored_under_its_uids(web: Any, make: Make) -> None:
    sent = [make(1, pixels=bytes(5000)), make(2), make(1, series="2", SOPInstanceUID="1.2/3 ../4")]
    web.store(*sent)
    answer = web.get("/dicom-web/studies/1.2.3", headers={"Accept": "application/zip"})
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="1.2.3.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = sorted(archive.namelist())
        assert names[:2] == ["1.2.3/1.2.3.1/1.2.3.1.1.dcm", "1.2.3/1.2.3.1/1.2.3.1.2.dcm"]
        assert all(".." not in name.split("/") for name in names)
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert [data_set_of(archive.read(name)) for name in names[:2]] == [
            data_set_of(raw) for raw in sent[:2]
        ]
    short = web.get("/dicom-web/studies/1.2.3?names=short", headers={"Accept": "application/zip"})
    with zipfile.ZipFile(io.BytesIO(short.content)) as archive:
        assert archive.namelist()[0] == "DICOM/ST000001/SE000001/IM000001"


def test_a_zip_with_a_dicomdir_is_a_file_set(web: Any, make: Make, tmp_path: Path) -> None:
    for name in ("CT_small.dcm", "rtplan.dcm", "rtdose.dcm", "test-SR.dcm", "MR_small_RLE.dcm"):
        one = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
        one.StudyInstanceUID, one.PatientID, one.PatientName = "1.2.3", "P1", "Doe^Jane"
        raw = io.BytesIO()
        one.save_as(raw)
        assert web.store(raw.getvalue()).status_code == 200
    web.store(make(7), make(8))
    answer = web.get(
        "/dicom-web/studies/1.2.3?dicomdir=true",
        headers={"Accept": f"application/zip; transfer-syntax={EXPLICIT}"},
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    files = FileSet(tmp_path / "DICOMDIR")
    files._stage["t"].cleanup()  # its own, which it never removes
    assert len(files) == 7
    assert files.find_values("PatientID") == ["P1"]
    assert {one.load().SOPInstanceUID for one in files} == {one.SOPInstanceUID for one in files}
    records = pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    kinds = [record.DirectoryRecordType for record in records]
    assert kinds[:2] == ["PATIENT", "STUDY"]
    assert sorted(set(kinds[2:])) == ["IMAGE", "RT DOSE", "RT PLAN", "SERIES", "SR DOCUMENT"]
    if shutil.which("dcmmkdir") is None:
        pytest.skip("dcmmkdir (Debian dcmtk) is not installed: DCMTK was not asked for its opinion")
    extra = tmp_path / "DICOM" / "EXTRA"
    extra.write_bytes(make(9, study="1.2.9", StudyTime="1200", StudyID="1", SeriesNumber=1))
    command = ["dcmmkdir", "+A", "-Pgp", "+D", "DICOMDIR", "DICOM/EXTRA"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence) > len(records)


def test_what_was_deleted_is_gone_in_every_form(web: Any) -> None:
    path = stored(web, pydicom_file("CT_small.dcm"))
    assert web.web.delete(web.url + path, timeout=60).status_code == 204
    for end in ("", "/frames/1", "/bulkdata", "/bulkdata/PixelData", "/pixeldata"):
        assert web.get(path + end).status_code == 410
    assert web.get(path, headers={"Accept": "application/zip"}).status_code == 410
