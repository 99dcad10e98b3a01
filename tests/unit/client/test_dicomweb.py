"""`archive.dicomweb` is a `DICOMClient`: the same code runs with it and with dicomweb-client's own, alike."""

from __future__ import annotations

import http.server
import inspect
import threading
from typing import Any

import dicomweb_client
import pydicom
import pytest
from dicomweb_client import DICOMClient, DICOMwebClient
from live_archive import instance
from pydicom.data import get_testdata_file

import isocenter
from isocenter.client.parts import parts
from isocenter.client.transport import Transport
from isocenter.errors import BadRequest, NotFound, Unavailable

CT = "CT_small.dcm"
FRAMES = "examples_ybr_color.dcm"


@pytest.fixture(scope="module", autouse=True)
def _stored(web: Any, real: Any) -> None:
    web.store(*(instance(n, study="1.2.3", PatientID="P1") for n in (1, 2, 3)))
    real.store([get_testdata_file(CT), get_testdata_file(FRAMES)], progress=False).raise_for_failures()


@pytest.fixture(params=["ours", "dicomweb-client"])
def client(request: Any, real: Any) -> DICOMClient:
    if request.param == "ours":
        return real.dicomweb
    return DICOMwebClient(f"{real.url}/dicom-web")


def uids_of(name: str) -> tuple[str, str, str]:
    told = pydicom.dcmread(get_testdata_file(name), stop_before_pixels=True)
    return str(told.StudyInstanceUID), str(told.SeriesInstanceUID), str(told.SOPInstanceUID)


def test_it_is_a_dicom_client(client):
    assert isinstance(client, DICOMClient)


def test_it_takes_the_arguments_of_the_protocol(real):
    for name, method in inspect.getmembers(DICOMClient, inspect.isfunction):
        if not name.startswith("_"):
            ours = list(inspect.signature(getattr(type(real.dicomweb), name)).parameters)
            asked = list(inspect.signature(method).parameters)
            assert ours[: len(asked)] == asked, name
    assert dicomweb_client.__version__


def test_search(client):
    (study,) = client.search_for_studies(search_filters={"PatientID": "P1"}, fields=["StudyDescription"])
    assert study["0020000D"]["Value"] == ["1.2.3"]
    assert len(client.search_for_series("1.2.3")) == 1
    assert len(client.search_for_instances("1.2.3", "1.2.3.1", limit=2, offset=1)) == 2
    assert len(client.search_for_instances("1.2.3", limit=2, get_remaining=True)) == 3
    assert client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "nobody"}) == []


def test_metadata(client):
    assert [one["00080018"]["Value"][0] for one in client.retrieve_series_metadata("1.2.3", "1.2.3.1")]
    assert len(client.retrieve_study_metadata("1.2.3")) == 3
    assert client.retrieve_instance_metadata(*uids_of(CT))["00080060"]["Value"] == ["CT"]


def test_data_sets(client):
    stored = pydicom.dcmread(get_testdata_file(CT))
    assert client.retrieve_instance(*uids_of(CT)) == stored
    assert [one.SOPInstanceUID for one in client.retrieve_series("1.2.3", "1.2.3.1")]
    assert len(client.retrieve_study("1.2.3")) == 3
    assert len(list(client.iter_study("1.2.3"))) == len(list(client.iter_series("1.2.3", "1.2.3.1"))) == 3
    wanted = (("application/dicom", "*"),)
    if not isinstance(client, DICOMwebClient):  # which knows no `*`
        told = client.retrieve_instance(*uids_of(FRAMES), media_types=wanted)
        assert told.file_meta.TransferSyntaxUID.is_compressed


def test_frames(client):
    stored = pydicom.dcmread(get_testdata_file(CT))
    assert client.retrieve_instance_frames(*uids_of(CT), [1]) == [stored.PixelData]
    frames = client.retrieve_instance_frames(*uids_of(FRAMES), [3, 1])
    header = pydicom.dcmread(get_testdata_file(FRAMES), stop_before_pixels=True)
    assert [len(one) for one in frames] == [header.Rows * header.Columns * 3] * 2
    assert list(client.iter_instance_frames(*uids_of(FRAMES), [1])) == frames[1:]
    jpeg = client.retrieve_instance_frames(*uids_of(FRAMES), [1], media_types=("image/jpeg",))
    assert jpeg[0].startswith(b"\xff\xd8")


def test_rendered(client):
    jpeg = client.retrieve_instance_rendered(
        *uids_of(CT), media_types=("image/jpeg",), params={"quality": 50}
    )
    assert jpeg.startswith(b"\xff\xd8")
    assert client.retrieve_series_rendered(*uids_of(CT)[:2], media_types=("image/png",)).startswith(
        b"\x89PNG"
    )
    frame = client.retrieve_instance_frames_rendered(*uids_of(FRAMES), [2], media_types=("image/jpeg",))
    assert frame.startswith(b"\xff\xd8")


def test_bulk_data(client):
    stored = pydicom.dcmread(get_testdata_file(CT))
    uri = client.retrieve_instance_metadata(*uids_of(CT))["7FE00010"]["BulkDataURI"]
    assert client.retrieve_bulkdata(uri) == [stored.PixelData]
    assert list(client.iter_bulkdata(uri, byte_range=(10, 19))) == [stored.PixelData[10:20]]


def test_store_and_delete(client):
    one = pydicom.dcmread(get_testdata_file(CT))
    one.StudyInstanceUID, one.SeriesInstanceUID = "1.2.77", "1.2.77.1"
    others = []
    for number in range(3):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.77.1.{number}"
        others.append(pydicom.dcmread(pydicom.filebase.DicomBytesIO(isocenter.client.sources.encoded(one))))
    answer = client.store_instances(others, "1.2.77")
    assert len(answer.ReferencedSOPSequence) == 3
    client.delete_instance("1.2.77", "1.2.77.1", "1.2.77.1.0")
    assert len(client.search_for_instances("1.2.77")) == 2
    client.delete_series("1.2.77", "1.2.77.1")
    client.store_instances(others)
    client.delete_study("1.2.77")
    assert client.search_for_instances("1.2.77") == []


def test_our_errors_say_what_is_wrong(real):
    with pytest.raises(NotFound):
        real.dicomweb.retrieve_study_metadata("1.2.99")
    with pytest.raises(BadRequest, match="BulkDataURI"):
        real.dicomweb.retrieve_bulkdata("http://elsewhere/secret")


def test_another_dataset_is_below_its_own_root(real):
    client = real.dataset("lab").dicomweb
    assert (client.url_prefix, client.scheme, client.protocol) == ("/datasets/lab/dicom-web", "http", "http")


class Parts(http.server.BaseHTTPRequestHandler):
    """Answers in parts whose ends fall anywhere in what is received."""

    protocol_version = "HTTP/1.1"
    cut = False

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        body = b"preamble\r\n--b\r\nContent-Type: a/b\r\n\r\n" + b"\r\n-" * 100_000
        body += b"\r\n--b\r\n\r\n\r\n--b\r\nX: 1\r\n\r\n--b\r\n--b--\r\n"
        body = body[:200_000] if self.cut else body
        self.send_response(200)
        self.send_header("Content-Type", 'multipart/related; boundary="b"; type="a/b"')
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 7919):
            piece = body[at : at + 7919]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


@pytest.mark.parametrize("cut", [False, True])
def test_parts_are_told_apart_wherever_they_are_cut(monkeypatch, cut):
    monkeypatch.setattr(Parts, "cut", cut)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Parts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    transport = Transport(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        found = parts(transport.request("GET", "/"))
        if cut:
            with pytest.raises(Unavailable, match="middle"):
                list(found)
            return
        told = list(found)
        assert [len(one.content) for one in told] == [300_000, 0, 3]
        assert (told[0].headers, told[2].headers) == ({"content-type": "a/b"}, {"x": "1"})
    finally:
        transport.close()
        server.shutdown()
        thread.join()
        server.server_close()
