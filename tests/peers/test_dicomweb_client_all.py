"""dicomweb-client, what the tests beside this one leave: iterators, ranges, pages, media types, deletion.

The last test says that no method of the client is left out in any of them.
"""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from foreign_decoders import decoded_by_another
from live_archive import LiveArchive, instance, serving
from web_answers import pydicom_file

EXPLICIT = "1.2.840.10008.1.2.1"
TRANSCODED = {
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
}
STORED = {
    "JPEG2000.dcm": "image/jp2",
    "JPEG-LL.dcm": "image/jpeg",
    "color3d_jpeg_baseline.dcm": "image/jpeg",
    "MR_small_RLE.dcm": "image/dicom-rle",
    "emri_small_jpeg_ls_lossless.dcm": "image/jls",
}
CT = "CT_small.dcm"
STUDY, SERIES = "1.2.3", ("1.2.3.1", "1.2.3.2")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    folder: Path = tmp_path_factory.mktemp("archive")
    with serving(folder / "data") as start:
        web = start(datasets={"lab": {"ae_title": "LAB"}, "bin": {"ae_title": "BIN"}})
        small = [instance(n, series=s[-1], pixels=bytes(64)) for s in SERIES for n in (1, 2, 3)]
        assert web.store(*small, path="/datasets/lab/dicom-web/studies").status_code == 200
        yield web


@pytest.fixture(scope="module")
def client(web: LiveArchive) -> DICOMwebClient:
    """A client of files of all kinds, sent in pieces of 10 kB."""
    made = DICOMwebClient(web.url + "/dicom-web")
    made.set_chunk_size(10_000)
    told = made.store_instances([read(name) for name in (CT, *STORED, "rtplan.dcm")])
    assert "FailedSOPSequence" not in told
    return made


@pytest.fixture(scope="module")
def lab(web: LiveArchive) -> DICOMwebClient:
    """A client of one study with two series of three instances."""
    return DICOMwebClient(web.url + "/datasets/lab/dicom-web")


def read(name: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(pydicom_file(name)))


def uids(one: pydicom.Dataset) -> tuple[str, str, str]:
    return one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID


def values(found: list[dict[str, Any]], keyword: str) -> list[Any]:
    return [pydicom.Dataset.from_json(one)[keyword].value for one in found]


# --- search


@pytest.mark.parametrize(
    ("search", "keyword", "expected"),
    [
        (lambda c, **o: c.search_for_studies(**o), "StudyInstanceUID", [STUDY]),
        (lambda c, **o: c.search_for_series(**o), "SeriesInstanceUID", [*SERIES]),
        (lambda c, **o: c.search_for_series(STUDY, **o), "SeriesInstanceUID", [*SERIES]),
        (
            lambda c, **o: c.search_for_instances(**o),
            "SOPInstanceUID",
            [f"{s}.{n}" for s in SERIES for n in (1, 2, 3)],
        ),
        (
            lambda c, **o: c.search_for_instances(STUDY, **o),
            "SOPInstanceUID",
            [f"{s}.{n}" for s in SERIES for n in (1, 2, 3)],
        ),
        (
            lambda c, **o: c.search_for_instances(STUDY, SERIES[1], **o),
            "SOPInstanceUID",
            [f"{SERIES[1]}.{n}" for n in (1, 2, 3)],
        ),
    ],
)
def test_every_search_in_pages_with_fields_and_extra_parameters(
    lab: DICOMwebClient, search: Callable[..., list[Any]], keyword: str, expected: list[str]
) -> None:
    found = values(search(lab), keyword)
    assert sorted(found) == expected
    pages = [values(search(lab, limit=1, offset=n), keyword) for n in range(len(expected) + 1)]
    assert pages == [*([uid] for uid in found), []]
    assert values(search(lab, limit=1, get_remaining=True), keyword) == found
    assert values(search(lab, offset=1, get_remaining=True), keyword) == found[1:]
    assert values(search(lab, fields=["PatientName", "StudyDate"]), "PatientName")[0] == "Doe^Jane"
    assert search(lab, search_filters={"PatientID": "P1", "StudyDate": "20240101-20241231"})
    assert search(lab, search_filters={"PatientID": "other"}) == []
    assert search(lab, fuzzymatching=True, search_filters={"PatientName": "Jain Do"})
    assert search(lab, additional_params={"StudyDate": "20250101-"}) == []
    assert all(a < b for a, b in pairwise(expected))


# --- files


def test_a_study_and_a_series_as_lists_and_as_iterators(lab: DICOMwebClient) -> None:
    for get, count in [
        (lambda **o: lab.retrieve_study(STUDY, **o), 6),
        (lambda **o: lab.iter_study(STUDY, **o), 6),
        (lambda **o: lab.retrieve_series(STUDY, SERIES[0], **o), 3),
        (lambda **o: lab.iter_series(STUDY, SERIES[0], **o), 3),
    ]:
        for syntax in ("*", EXPLICIT):
            found = list(get(media_types=(("application/dicom", syntax),)))
            assert len({one.SOPInstanceUID for one in found}) == count
            assert all(one.PixelData == bytes(64) for one in found)
        assert len(list(get())) == count


def test_who_stops_iterating_disturbs_nobody(lab: DICOMwebClient) -> None:
    for _ in range(5):
        iterator = lab.iter_study(STUDY)
        assert next(iterator).StudyInstanceUID == STUDY
        iterator.close()  # type: ignore[attr-defined]
    assert len(lab.retrieve_study(STUDY)) == 6


@pytest.mark.parametrize("name", STORED)
def test_files_as_stored_and_decoded(client: DICOMwebClient, name: str) -> None:
    was = read(name)
    syntax = was.file_meta.TransferSyntaxUID
    told = [(("application/dicom", asked),) for asked in (syntax, "*")]
    for media_types in (None, *told):
        got = client.retrieve_instance(*uids(was), media_types=media_types)
        assert got.file_meta.TransferSyntaxUID == syntax
        assert got.PixelData == was.PixelData
    plain = client.retrieve_instance(*uids(was), media_types=(("application/dicom", EXPLICIT),))
    assert plain.file_meta.TransferSyntaxUID == EXPLICIT
    assert plain.pixel_array.shape == was.pixel_array.shape


# --- metadata


def test_metadata_of_every_level(lab: DICOMwebClient) -> None:
    assert len(lab.retrieve_study_metadata(STUDY)) == 6
    assert len(lab.retrieve_series_metadata(STUDY, SERIES[0])) == 3
    one = lab.retrieve_instance_metadata(STUDY, SERIES[0], SERIES[0] + ".2")
    assert pydicom.Dataset.from_json(one, bulk_data_uri_handler=lambda *_: b"").InstanceNumber == 2
    with pytest.raises(requests.HTTPError, match="404"):
        lab.retrieve_study_metadata("9.9.9")


# --- frames


@pytest.mark.parametrize("name", STORED)
def test_frames_in_the_media_type_they_are_stored_in(client: DICOMwebClient, name: str) -> None:
    was = read(name)
    count = int(was.get("NumberOfFrames", 1))
    stored = list(pydicom.encaps.generate_frames(was.PixelData, number_of_frames=count))
    numbers = list(dict.fromkeys((count, 1)))
    kind = ((STORED[name], was.file_meta.TransferSyntaxUID),)
    expected = [stored[number - 1] for number in numbers]
    assert client.retrieve_instance_frames(*uids(was), numbers, media_types=kind) == expected
    assert list(client.iter_instance_frames(*uids(was), numbers, media_types=kind)) == expected
    anything = client.retrieve_instance_frames(*uids(was), numbers, media_types=(("*/*", "*"),))
    assert anything == expected


@pytest.mark.parametrize("kind", TRANSCODED)
def test_frames_in_another_media_type_have_the_same_pixels(client: DICOMwebClient, kind: str) -> None:
    was = read(CT)
    asked = ((kind, TRANSCODED[kind]),)
    (frame,) = client.retrieve_instance_frames(*uids(was), [1], media_types=asked)
    assert list(client.iter_instance_frames(*uids(was), [1], media_types=asked)) == [frame]
    pixels = was.pixel_array
    assert np.array_equal(decoded_by_another(frame, TRANSCODED[kind], was, pixels), pixels)


def test_frames_as_octets_without_saying_so(client: DICOMwebClient) -> None:
    was = read("MR_small_RLE.dcm")
    (frame,) = client.retrieve_instance_frames(*uids(was), [1])
    assert frame == was.pixel_array.tobytes()
    with pytest.raises(requests.HTTPError, match="404"):
        client.retrieve_instance_frames(*uids(was), [2])


# --- bulk data


def test_bulk_data_whole_in_ranges_and_as_iterator(client: DICOMwebClient) -> None:
    was = read(CT)
    url = client.retrieve_instance_metadata(*uids(was))["7FE00010"]["BulkDataURI"]
    octets = (("application/octet-stream", EXPLICIT),)
    for get in (client.retrieve_bulkdata, client.iter_bulkdata):
        assert list(get(url)) == [was.PixelData]
        assert list(get(url, media_types=octets)) == [was.PixelData]
        (piece,) = get(url, media_types=octets, byte_range=(100, 199))
        assert piece == was.PixelData[100:200]


def test_every_bulk_data_uri_of_an_rt_plan_leads_somewhere(client: DICOMwebClient) -> None:
    document = client.retrieve_instance_metadata(*uids(read("rtplan.dcm")))
    for url in _uris(document):
        assert client.retrieve_bulkdata(url)
    assert json.dumps(document)


def _uris(document: dict[str, Any]) -> Iterator[str]:
    for element in document.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        elif element["vr"] == "SQ":
            for item in element.get("Value", []):
                yield from _uris(item)


# --- delete


def test_instances_series_and_studies_are_deleted(web: LiveArchive) -> None:
    files = [instance(n, series=s[-1]) for s in SERIES for n in (1, 2, 3)]
    web.store(*files, path="/datasets/bin/dicom-web/studies")
    bin_ = DICOMwebClient(web.url + "/datasets/bin/dicom-web")
    bin_.delete_instance(STUDY, SERIES[0], SERIES[0] + ".1")
    assert len(bin_.search_for_instances(STUDY)) == 5
    with pytest.raises(requests.HTTPError, match="410"):
        bin_.retrieve_instance(STUDY, SERIES[0], SERIES[0] + ".1")
    bin_.delete_series(STUDY, SERIES[0])
    assert values(bin_.search_for_series(), "SeriesInstanceUID") == [SERIES[1]]
    bin_.delete_study(STUDY)
    assert bin_.search_for_studies() == []
    with pytest.raises(requests.HTTPError, match="410"):
        bin_.delete_study(STUDY)
    with pytest.raises(requests.HTTPError, match="404"):
        bin_.delete_study("9.9.9")


def test_no_method_of_the_client_is_left_out() -> None:
    """In the tests of this folder; what only reads the dictionary or sets how often it retries aside."""
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_dicomweb_client*.py"))
    public = {name for name, _ in inspect.getmembers(DICOMwebClient, inspect.isfunction) if name[0] != "_"}
    aside = {"lookup_keyword", "lookup_tag", "set_http_retry_params"}
    assert [name for name in sorted(public - aside) if f".{name}" not in texts] == []
