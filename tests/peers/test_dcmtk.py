"""DCMTK's tools as peers: echo, store, find, move, get, over TCP and TLS."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from certificates import Authority
from foreign import CHARSETS, FILES, Run
from live_dicom import LiveServer, live
from pydicom import Dataset, dcmread

from isocenter.dicom.header import read_header
from isocenter.dicom.levels import Level

pytestmark = [pytest.mark.dcmtk, pytest.mark.filterwarnings("ignore::UserWarning")]

CT_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
STORED = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "test-SR.dcm", "MR_small_RLE.dcm")


def stored(server: LiveServer) -> set[str]:
    return {each.SOPInstanceUID for each in server.dataset.index.reader.instances()}


def data_set_bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        header = read_header(file)
    return path.read_bytes()[header.data_set_offset :]


def to(server: LiveServer) -> tuple[str, ...]:
    return ("-aec", "ISOCENTER", "127.0.0.1", str(server.port))


def send(server: LiveServer, dcmtk: Run, *names: str) -> None:
    dcmtk("dcmsend", *to(server), *(FILES / name for name in names or STORED))


def find(
    server: LiveServer, dcmtk: Run, folder: Path, level: str, *keys: str, root: str = "-S"
) -> list[Dataset]:
    """The answers of findscu, as files that pydicom reads."""
    folder.mkdir(exist_ok=True)
    told = [part for key in (f"QueryRetrieveLevel={level}", *keys) for part in ("-k", key)]
    dcmtk("findscu", root, "-X", "-od", folder, *told, *to(server))
    found = [dcmread(path) for path in sorted(folder.glob("rsp*.dcm"))]
    for each in found:
        each.decode()
    return found


# -- echo and store -----------------------------------------------------------------------------------


def test_echoscu_is_answered(server: LiveServer, dcmtk: Run) -> None:
    assert "Success" in dcmtk("echoscu", "-v", "--repeat", 3, *to(server)).stderr


def test_echoscu_is_refused_under_a_wrong_title(server: LiveServer, dcmtk: Run) -> None:
    done = dcmtk("echoscu", "-aec", "WRONG", "127.0.0.1", server.port, check=False)
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stderr


def test_storescu_stores(server: LiveServer, dcmtk: Run) -> None:
    dcmtk("storescu", *to(server), FILES / "CT_small.dcm", FILES / "MR_small.dcm")
    assert len(stored(server)) == 2


def test_dcmsend_stores_every_file_as_it_is(server: LiveServer, dcmtk: Run, tmp_path: Path) -> None:
    sent = {}
    for path in sorted(FILES.glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = dcmread(path, force=True)
        told = data_set.get("SOPInstanceUID")
        if told and data_set.get("StudyInstanceUID") and data_set.get("SOPClassUID"):
            sent.setdefault(str(told), path)
    report = tmp_path / "report.txt"
    dcmtk("dcmsend", "-nh", "-nuc", "-dn", "+crf", report, *to(server), *sent.values(), check=False)
    told = report.read_text()
    statuses = [line.partition(":")[2].strip() for line in told.splitlines() if "DIMSE Status" in line]
    assert set(statuses) <= {"0x0000 (Success)", "<not sent>"}
    assert statuses.count("<not sent>") <= 1  # a file that DCMTK itself cannot send
    arrived = {each.SOPInstanceUID: each for each in server.dataset.index.reader.instances()}
    assert len(arrived) == statuses.count("0x0000 (Success)") > 30
    unchanged = 0
    for uid, path in sent.items():
        if uid not in arrived:
            continue
        with server.dataset.open(arrived[uid]) as file:
            copy = dcmread(file)
        original = dcmread(path, force=True)
        if copy.file_meta.TransferSyntaxUID == original.file_meta.get("TransferSyntaxUID"):
            assert copy.get("PixelData") == original.get("PixelData")
            unchanged += 1
    assert unchanged > 25


def test_bytes_arrive_untouched_when_the_sender_leaves_them(server: LiveServer, dcmtk: Run) -> None:
    # DCMTK writes what it sends anew: files that it wrote itself come out the same.
    for name in ("SC_rgb_jpeg_dcmtk.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        dcmtk("dcmsend", "-dn", *to(server), FILES / name)
    by_size = {each.size: each for each in server.dataset.index.reader.instances()}
    assert len(by_size) == 2
    for instance in by_size.values():
        with server.dataset.open(instance) as file:
            whole = file.read()
        assert whole[:128] == bytes(128)
        assert instance.size == len(whole)


# -- find ---------------------------------------------------------------------------------------------


def test_findscu_finds_at_every_level(server: LiveServer, dcmtk: Run, tmp_path: Path) -> None:
    send(server, dcmtk)
    patients = find(server, dcmtk, tmp_path / "p", "PATIENT", "PatientID", "PatientName=*", root="-P")
    assert "1CT1" in {each.PatientID for each in patients}
    studies = find(server, dcmtk, tmp_path / "s", "STUDY", "StudyInstanceUID", "ModalitiesInStudy=CT")
    assert CT_STUDY in {each.StudyInstanceUID for each in studies}
    series = find(
        server,
        dcmtk,
        tmp_path / "e",
        "SERIES",
        f"StudyInstanceUID={CT_STUDY}",
        "SeriesInstanceUID",
        "Modality",
    )
    (one,) = series
    assert one.Modality == "CT"
    path = (f"StudyInstanceUID={CT_STUDY}", f"SeriesInstanceUID={one.SeriesInstanceUID}")
    (image,) = find(server, dcmtk, tmp_path / "i", "IMAGE", *path, "SOPInstanceUID", "Rows")
    assert image.Rows == 128


def test_findscu_cancels(server: LiveServer, dcmtk: Run) -> None:
    send(server, dcmtk)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
    told = dcmtk("findscu", "-v", "-S", "--cancel", 2, *keys, *to(server)).stderr
    assert "Final Find Response" in told


CHARSET_QUERIES = [
    ("chrFren.dcm", "ISO_IR 100"),
    ("chrRuss.dcm", "ISO_IR 144"),
    ("chrX1.dcm", "ISO_IR 192"),
    ("chrX2.dcm", "GB18030"),
    ("chrH31.dcm", "\\ISO 2022 IR 87"),
    ("chrI2.dcm", "\\ISO 2022 IR 149"),
]


@pytest.mark.parametrize(("name", "terms"), CHARSET_QUERIES)
def test_findscu_asks_and_is_answered_in_many_character_sets(
    server: LiveServer, dcmtk: Run, tmp_path: Path, name: str, terms: str
) -> None:
    original = dcmread(CHARSETS / name)
    dcmtk("dcmsend", *to(server), CHARSETS / name)
    query = Dataset()
    query.SpecificCharacterSet = terms.split("\\") if "\\" in terms else terms
    query.QueryRetrieveLevel, query.PatientName, query.StudyInstanceUID = "STUDY", original.PatientName, ""
    query.save_as(tmp_path / "query.dcm", implicit_vr=False, little_endian=True)
    folder = tmp_path / "answers"
    folder.mkdir()
    dcmtk("findscu", "-S", "-X", "-od", folder, *to(server), tmp_path / "query.dcm")
    (answer,) = [dcmread(path) for path in folder.glob("rsp*.dcm")]
    answer.decode()
    assert str(answer.PatientName).rstrip("=") == str(original.PatientName).rstrip("=")
    told = answer.SpecificCharacterSet
    assert ("\\".join(told) if not isinstance(told, str) else told) == terms


# -- move and get -------------------------------------------------------------------------------------


def test_movescu_brings_a_study_to_itself(
    server: LiveServer, dcmtk: Run, tmp_path: Path, free_port: int
) -> None:
    send(server, dcmtk)
    out = tmp_path / "out"
    out.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={CT_STUDY}")
    arguments = ("-v", "-S", "-aet", "DST", "-aem", "DST", "+P", free_port, "-od", out, *keys, *to(server))
    assert "Received Final Move Response (Success)" in dcmtk("movescu", *arguments).stderr
    (moved,) = out.iterdir()
    assert np.array_equal(dcmread(moved).pixel_array, dcmread(FILES / "CT_small.dcm").pixel_array)


def test_movescu_gets_compressed_objects_decompressed_when_it_takes_nothing_else(
    server: LiveServer, dcmtk: Run, tmp_path: Path, free_port: int
) -> None:
    send(server, dcmtk, "MR_small_RLE.dcm")
    study = dcmread(FILES / "MR_small_RLE.dcm").StudyInstanceUID
    out = tmp_path / "out"
    out.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    dcmtk(
        "movescu", "-S", "+xi", "-aet", "DST", "-aem", "DST", "+P", free_port, "-od", out, *keys, *to(server)
    )
    (moved,) = out.iterdir()
    copy = dcmread(moved)
    assert not copy.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(copy.pixel_array, dcmread(FILES / "MR_small_RLE.dcm").pixel_array)


def test_movescu_is_told_of_an_unknown_destination(server: LiveServer, dcmtk: Run) -> None:
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.3")
    done = dcmtk("movescu", "-v", "-S", "-aem", "NOWHERE", *keys, *to(server), check=False)
    assert "MoveDestinationUnknown" in done.stderr


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm"])
def test_getscu_gets_a_study(server: LiveServer, dcmtk: Run, tmp_path: Path, name: str) -> None:
    send(server, dcmtk)
    original = dcmread(FILES / name)
    out = tmp_path / "out"
    out.mkdir()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={original.StudyInstanceUID}")
    told = dcmtk("getscu", "-v", "-S", "-od", out, *keys, *to(server)).stderr
    assert "Received C-GET Response (Success)" in told
    (got,) = out.iterdir()
    assert dcmread(got).SOPInstanceUID == original.SOPInstanceUID


def test_getscu_by_patient(server: LiveServer, dcmtk: Run, tmp_path: Path) -> None:
    send(server, dcmtk)
    keys = ("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=1CT1")
    dcmtk("getscu", "-P", "-od", tmp_path, *keys, *to(server))
    assert [path for path in tmp_path.iterdir() if path.name.startswith("CT.")]


# -- TLS ----------------------------------------------------------------------------------------------


def test_tls_with_a_certificate_of_the_peer(tmp_path: Path, dcmtk: Run) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    own, own_key = authority.issue("ct1")
    stranger, stranger_key = authority.issue("mr1")
    tls = {
        "certificate": certificate,
        "key": key,
        "ca": authority.file,
        "client_certificate": "required",
        "ae_of_certificate": {"ct1": "CT1"},
    }
    with live(tmp_path / "data", dicom__tls=tls) as server:
        secure = ("-aec", "ISOCENTER", "127.0.0.1", str(server.tls_port))
        shown = ("+tls", own_key, own, "+cf", authority.file)
        dcmtk("echoscu", *shown, "-aet", "CT1", *secure)
        dcmtk("storescu", *shown, "-aet", "CT1", *secure, FILES / "CT_small.dcm")
        assert len(stored(server)) == 1
        other = ("+tls", stranger_key, stranger, "+cf", authority.file)
        refused = dcmtk("echoscu", *other, "-aet", "CT1", *secure, check=False)
        assert "Calling AE Title Not Recognized" in refused.stderr
        plain = dcmtk("echoscu", "-to", 3, "-ta", 3, *secure, check=False)
        assert plain.returncode != 0
        assert next(iter(server.dataset.find(Level.STUDY, _everything())))["PatientID"] == "1CT1"


def _everything() -> object:
    from isocenter.dicom.predicate import Everything

    return Everything()


def test_anonymous_tls(tmp_path: Path, dcmtk: Run) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    with live(tmp_path / "data", dicom__tls={"certificate": certificate, "key": key}) as server:
        dcmtk("echoscu", "+tla", "+cf", authority.file, "-aec", "ISOCENTER", "127.0.0.1", server.tls_port)
