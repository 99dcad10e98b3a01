"""Storing metadata with bulk data: what WADO-RS gives can be sent back, as JSON and as XML."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from web_answers import pydicom_file, stored

from isocenter.dicom.xml_model import from_xml, to_xml

Make = Callable[..., bytes]
Part = tuple[dict[str, str], bytes]
JSON, XML = "application/dicom+json", "application/dicom+xml"
LAB = "/datasets/lab/dicom-web"


@pytest.fixture
def two(serve: Any) -> Any:
    """A server of two datasets: what is had from `main` is stored into `lab`."""
    return serve(datasets={"lab": {"ae_title": "LAB"}})


def send(web: Any, kind: str, parts: list[Part], path: str = f"{LAB}/studies", **headers: str) -> Any:
    body = b""
    for told, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        body += b"--b\r\n" + lines.encode() + b"\r\n" + content + b"\r\n"
    content_type = {"Content-Type": f'multipart/related; type="{kind}"; boundary=b'}
    return web.post(path, data=body + b"--b--\r\n", headers=content_type | headers)


def bulk_of(web: Any, document: dict[str, Any]) -> list[Part]:
    """Every bulk value of the metadata, fetched."""
    found = []
    for element in document.values():
        if "BulkDataURI" in element:
            uri = element["BulkDataURI"]
            answer = web.web.get(uri, timeout=60, headers={"Accept": "*/*"})
            assert answer.status_code == 200
            found.append(
                ({"Content-Type": "application/octet-stream", "Content-Location": uri}, answer.content)
            )
        for item in element.get("Value") or () if element["vr"] == "SQ" else ():
            found.extend(bulk_of(web, item))
    return found


def in_lab(web: Any) -> pydicom.Dataset:
    dataset = web.archive.datasets["lab"]
    (instance,) = dataset.instances()
    with dataset.open(instance) as file:
        return pydicom.dcmread(io.BytesIO(file.read()))


@pytest.mark.parametrize("kind", [JSON, XML])
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "rtplan.dcm", "reportsi.dcm", "MR_small.dcm", "examples_overlay.dcm"]
)
def test_what_is_retrieved_can_be_stored(two: Any, kind: str, name: str) -> None:
    sent = pydicom_file(name)
    path = stored(two, sent)
    (document,) = two.get(path + "/metadata").json()
    metadata = json.dumps([document]).encode() if kind == JSON else to_xml(document)
    answer = send(two, kind, [({"Content-Type": kind}, metadata), *bulk_of(two, document)])
    assert answer.status_code == 200, answer.text
    was, now = pydicom.dcmread(io.BytesIO(sent)), in_lab(two)
    assert now.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert now.get("PixelData") == was.get("PixelData")
    again = two.get(path.replace("/dicom-web", LAB, 1) + "/metadata").json()[0]
    assert _without_links(again) == _without_links(document)


def _without_links(document: dict[str, Any]) -> dict[str, Any]:
    return {
        tag: {**element, "Value": [_without_links(item) for item in element.get("Value", ())]}
        if element["vr"] == "SQ"
        else element
        for tag, element in document.items()
        if "BulkDataURI" not in element
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("JPEG2000.dcm", "image/jp2"),
        ("JPEG-lossy.dcm", "image/jpeg"),
        ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg"),
        ("MR_small_RLE.dcm", "image/dicom-rle"),
        ("emri_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("emri_small_jpeg_2k_lossless.dcm", "image/jp2"),
    ],
)
def test_compressed_frames_are_encapsulated_in_their_syntax(two: Any, name: str, kind: str) -> None:
    sent = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
    path = stored(two, pydicom_file(name))
    (document,) = two.get(path + "/metadata").json()
    frames = list(
        pydicom.encaps.generate_frames(sent.PixelData, number_of_frames=sent.get("NumberOfFrames", 1))
    )
    document["7FE00010"] = {"vr": "OB", "BulkDataURI": "pixels"}
    others = bulk_of(two, _without_pixels(document))
    parts = [({"Content-Type": kind, "Content-Location": "pixels"}, frame) for frame in frames]
    metadata = ({"Content-Type": JSON}, json.dumps([document]).encode())
    answer = send(two, JSON, [metadata, *parts, *others])
    assert answer.status_code == 200, answer.text
    now = in_lab(two)
    assert now.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    kept = pydicom.encaps.generate_frames(now.PixelData, number_of_frames=len(frames))
    assert [frame.rstrip(b"\0") for frame in kept] == [frame.rstrip(b"\0") for frame in frames]


def _without_pixels(document: dict[str, Any]) -> dict[str, Any]:
    return {tag: element for tag, element in document.items() if tag != "7FE00010"}


IMAGE = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3.4"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3.1"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg", "Ideographic": "山田"}]},
}


def test_several_instances_each_with_its_result(two: Any) -> None:
    documents = [{**IMAGE, "00080018": {"vr": "UI", "Value": [f"1.2.3.{n}"]}} for n in range(3)]
    documents[1] = {**documents[1], "7FE00010": {"vr": "OW", "BulkDataURI": "nowhere"}}
    answer = send(two, JSON, [({"Content-Type": JSON}, json.dumps(documents).encode())])
    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081155"]["Value"] == ["1.2.3.1"]
    assert failed["00081197"]["Value"] == [0xC000]
    assert "nowhere" in failed["00000902"]["Value"][0]
    assert len(two.archive.datasets["lab"].instances()) == 2


def test_text_is_unicode_and_bulk_data_of_any_vr_and_depth_is_taken(two: Any) -> None:
    document = {
        **IMAGE,
        "00189461": {"vr": "FL", "BulkDataURI": "numbers"},
        "0040A730": {"vr": "SQ", "Value": [{"0040A160": {"vr": "UT", "BulkDataURI": "a%20text"}}]},
        "00091001": {"vr": "OB", "BulkDataURI": "<odd>"},
        "00090010": {"vr": "LO", "Value": ["ME"]},
    }
    parts = [
        ({}, json.dumps([document]).encode()),
        ({"Content-Location": "a text"}, "größer".encode()),
        ({"Content-Location": "numbers", "Content-Type": "application/octet-stream"}, b"\0\0\x80?" * 2),
        ({"Content-Location": "odd", "Content-Type": "application/octet-stream"}, b"abc"),
    ]
    answer = send(two, JSON, parts)
    assert answer.status_code == 200, answer.text
    now = in_lab(two)
    assert now.SpecificCharacterSet == "ISO_IR 192"
    assert str(now.PatientName) == "Müller^Jörg=山田"
    assert now.ContentSequence[0].TextValue == "größer"
    assert list(now[0x00189461].value) == [1.0, 1.0]
    assert now[0x00091001].value == b"abc\0"


def test_only_the_study_of_the_path_is_taken(two: Any) -> None:
    metadata = [({"Content-Type": JSON}, json.dumps([IMAGE]).encode())]
    answer = send(two, JSON, metadata, f"{LAB}/studies/9.9")
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC002]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (JSON, b"{"),
        (JSON, b"[1]"),
        (JSON, b"[]"),
        (XML, b"<a/>"),
        (JSON, b'[{"00100010": 1}]'),
        (JSON, b"[{}]"),
    ],
)
def test_what_is_no_metadata_is_400(two: Any, kind: str, content: bytes) -> None:
    assert send(two, kind, [({"Content-Type": kind}, content)]).status_code == 400


def test_metadata_alone_needs_no_parts(two: Any) -> None:
    for kind, body in ((JSON, json.dumps(IMAGE).encode()), (XML, to_xml(IMAGE))):
        answer = two.post(f"{LAB}/studies", data=body, headers={"Content-Type": kind, "Accept": XML})
        assert answer.status_code == 200
        assert "00081199" in from_xml(answer.content)


def test_nothing_stays_in_the_scratch_folder(two: Any) -> None:
    send(
        two, JSON, [({"Content-Type": JSON}, json.dumps([IMAGE]).encode()), ({"Content-Location": "x"}, b"y")]
    )
    send(two, JSON, [({"Content-Type": JSON}, b"{")])
    assert list(two.context.scratch.glob("*.bulk")) + list(two.context.scratch.glob("*.assembled")) == []
