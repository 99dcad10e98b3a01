"""dicomweb-client, a foreign client, against the live server: store, search, retrieve, metadata, frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from live_archive import LiveArchive, serving
from web_answers import pydicom_file

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
NAMES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "color3d_jpeg_baseline.dcm", "rtplan.dcm")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    folder: Path = tmp_path_factory.mktemp("archive")
    with serving(folder / "data") as start:
        yield start(datasets={"lab": {"ae_title": "LAB"}})


@pytest.fixture(scope="module")
def sent() -> dict[str, pydicom.Dataset]:
    return {name: pydicom.dcmread(io.BytesIO(pydicom_file(name))) for name in NAMES}


@pytest.fixture(scope="module")
def client(web: LiveArchive, sent: dict[str, pydicom.Dataset]) -> DICOMwebClient:
    """A client that has stored all files, in one request."""
    made = DICOMwebClient(web.url + "/dicom-web")
    told = made.store_instances(list(sent.values()))
    assert len(told.ReferencedSOPSequence) == len(sent)
    assert "FailedSOPSequence" not in told
    return made


def uids(one: pydicom.Dataset) -> tuple[str, str, str]:
    return one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID


def test_one_study_is_stored_under_its_own_uid(web: LiveArchive, sent: dict[str, Any]) -> None:
    lab = DICOMwebClient(web.url + "/datasets/lab/dicom-web")
    one = sent["MR_small.dcm"]
    told = lab.store_instances([one], study_instance_uid=one.StudyInstanceUID)
    assert told.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    with pytest.raises(requests.HTTPError, match="409"):
        lab.store_instances([one], study_instance_uid="1.2.3")
    assert len(lab.search_for_studies()) == 1


def test_studies_series_and_instances_are_found(client: DICOMwebClient, sent: dict[str, Any]) -> None:
    one = sent["CT_small.dcm"]
    studies = client.search_for_studies(
        search_filters={"PatientID": one.PatientID}, fields=["StudyDescription"]
    )
    study = pydicom.Dataset.from_json(studies[0])
    assert study.StudyInstanceUID == one.StudyInstanceUID
    assert str(study.PatientName) == str(one.PatientName)
    (series,) = client.search_for_series(one.StudyInstanceUID, search_filters={"Modality": "CT"})
    assert pydicom.Dataset.from_json(series).SeriesInstanceUID == one.SeriesInstanceUID
    (found,) = client.search_for_instances(one.StudyInstanceUID, one.SeriesInstanceUID)
    assert pydicom.Dataset.from_json(found).SOPInstanceUID == one.SOPInstanceUID
    assert len(client.search_for_instances()) == len(sent)
    assert len(client.search_for_studies(limit=2)) == 2
    assert len(client.search_for_studies(limit=2, get_remaining=True)) == len(
        {uids(x)[0] for x in sent.values()}
    )
    assert client.search_for_studies(search_filters={"PatientName": "nobody"}) == []
    (fuzzy,) = client.search_for_studies(
        search_filters={"PatientName": "CompresedSampels CT1"}, fuzzymatching=True
    )
    assert pydicom.Dataset.from_json(fuzzy).StudyInstanceUID == one.StudyInstanceUID


def test_any_attribute_is_searched_by_and_comes_with_the_results(
    client: DICOMwebClient, sent: dict[str, Any]
) -> None:
    one = sent["CT_small.dcm"]
    (found,) = client.search_for_instances(search_filters={"KVP": "120"}, fields=["ConvolutionKernel"])
    told = pydicom.Dataset.from_json(found)
    assert (told.SOPInstanceUID, told.KVP) == (one.SOPInstanceUID, one.KVP)
    assert told.ConvolutionKernel == one.ConvolutionKernel


@pytest.mark.parametrize("name", NAMES)
def test_instances_come_back_as_they_were(client: DICOMwebClient, sent: dict[str, Any], name: str) -> None:
    was = sent[name]
    as_stored = client.retrieve_instance(*uids(was), media_types=(("application/dicom", "*"),))
    syntax = was.file_meta.TransferSyntaxUID
    assert as_stored.file_meta.TransferSyntaxUID == (EXPLICIT if syntax == IMPLICIT else syntax)
    assert as_stored.to_json_dict() == was.to_json_dict()
    plain = client.retrieve_instance(*uids(was), media_types=(("application/dicom", EXPLICIT),))
    assert plain.file_meta.TransferSyntaxUID == EXPLICIT
    if "PixelData" in was:
        assert np.array_equal(plain.pixel_array, was.pixel_array)


def test_whole_studies_and_series_come_and_can_be_iterated(
    client: DICOMwebClient, sent: dict[str, Any]
) -> None:
    study, series, instance = uids(sent["CT_small.dcm"])
    assert [one.SOPInstanceUID for one in client.retrieve_study(study)] == [instance]
    assert [one.SOPInstanceUID for one in client.retrieve_series(study, series)] == [instance]
    assert [one.SOPInstanceUID for one in client.iter_series(study, series)] == [instance]


@pytest.mark.parametrize("name", NAMES)
def test_metadata_reads_back(client: DICOMwebClient, sent: dict[str, Any], name: str) -> None:
    study, series, instance = uids(sent[name])
    for document in (
        client.retrieve_study_metadata(study)[0],
        client.retrieve_series_metadata(study, series)[0],
        client.retrieve_instance_metadata(study, series, instance),
    ):
        got = pydicom.Dataset.from_json(document, bulk_data_uri_handler=lambda *_: b"")
        assert uids(got) == (study, series, instance)
        assert got.PatientName == sent[name].PatientName


@pytest.mark.parametrize("name", NAMES[:4])
def test_frames_stored_and_decoded(client: DICOMwebClient, sent: dict[str, Any], name: str) -> None:
    was = sent[name]
    numbers = [1] if was.get("NumberOfFrames", 1) == 1 else [3, 1]
    syntax = was.file_meta.TransferSyntaxUID
    kind = {"JPEG2000.dcm": "image/jp2", "color3d_jpeg_baseline.dcm": "image/jpeg"}.get(name)
    if kind:
        got = client.retrieve_instance_frames(
            *uids(was), frame_numbers=numbers, media_types=((kind, syntax),)
        )
        stored = list(
            pydicom.encaps.generate_frames(was.PixelData, number_of_frames=int(was.get("NumberOfFrames", 1)))
        )
        assert got == [stored[number - 1] for number in numbers]
    octets = (("application/octet-stream", EXPLICIT),)
    got = client.retrieve_instance_frames(*uids(was), frame_numbers=numbers, media_types=octets)
    pixels = was.pixel_array if was.get("NumberOfFrames", 1) == 1 else was.pixel_array[numbers[0] - 1]
    assert got[0][: pixels.nbytes] == pixels.tobytes()


def test_bulk_data_by_the_uri_of_the_metadata(client: DICOMwebClient, sent: dict[str, Any]) -> None:
    was = sent["CT_small.dcm"]
    document = client.retrieve_instance_metadata(*uids(was))
    (value,) = client.retrieve_bulkdata(document["7FE00010"]["BulkDataURI"])
    assert value == was.PixelData


def test_a_token_is_sent_as_a_header(web: LiveArchive, sent: dict[str, Any], client: DICOMwebClient) -> None:
    secret, made = web.context.tokens.create("viewer")
    try:
        with pytest.raises(requests.HTTPError, match="401"):
            client.search_for_studies()
        allowed = DICOMwebClient(web.url + "/dicom-web", headers={"Authorization": f"Bearer {secret}"})
        assert allowed.search_for_studies()
        with pytest.raises(requests.HTTPError, match="403"):
            allowed.store_instances([sent["CT_small.dcm"]])
    finally:
        web.context.tokens.revoke(made.id)
