"""WADO-URI with `anonymize=yes`: de-identified or refused, never the original."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
import requests
from live_archive import LiveArchive
from pydicom.data import get_testdata_file

from isocenter.deid.key_ring import KeyRing
from isocenter.deid.recipe import Recipe
from isocenter.security import Role

STUDY = "1.2.3.4.5001"
ORIGINALS = (b"Mustermann", b"PID-7788123", b"1.2.3.4.5001", b"20040119")


def ct(**more: Any) -> bytes:
    made = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    made.PatientName, made.PatientID = "Mustermann^Erika", "PID-7788123"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = STUDY, f"{STUDY}.2", f"{STUDY}.2.1"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    for keyword, value in more.items():
        setattr(made, keyword, value)
    stream = io.BytesIO()
    made.save_as(stream)
    return stream.getvalue()


def ask(web: LiveArchive, **more: Any) -> requests.Response:
    keys = {"requestType": "WADO", "studyUID": STUDY, "seriesUID": f"{STUDY}.2", "objectUID": f"{STUDY}.2.1"}
    headers = more.pop("headers", {})
    return web.get("/wado", params={**keys, "anonymize": "yes", **more}, headers=headers)


@pytest.fixture
def web(serve: Callable[..., LiveArchive]) -> LiveArchive:
    made = serve()
    assert made.store(ct()).status_code == 200
    return made


def test_a_file_is_de_identified_and_has_new_uids(web: LiveArchive) -> None:
    answer = ask(web, contentType="application/dicom")
    assert answer.status_code == 200, answer.text
    assert not any(value in answer.content for value in ORIGINALS)
    made = pydicom.dcmread(io.BytesIO(answer.content))
    key = KeyRing.of(web.archive.data).get("default")
    sink = io.BytesIO()
    Recipe().deidentifier(key).stream(io.BytesIO(ct()), sink)
    sink.seek(0)
    assert made == pydicom.dcmread(sink)
    assert made.PatientIdentityRemoved == "YES"
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID


def test_it_is_there_in_other_transfer_syntaxes(web: LiveArchive) -> None:
    answer = ask(web, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.90")
    assert answer.status_code == 200, answer.text
    assert not any(value in answer.content for value in ORIGINALS)
    made = pydicom.dcmread(io.BytesIO(answer.content))
    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"


def test_a_picture_shows_the_pseudonym_only(web: LiveArchive) -> None:
    plain = ask(web, contentType="image/png")
    assert (plain.status_code, plain.content[:4]) == (200, b"\x89PNG")
    told = ask(web, contentType="image/png", imageAnnotation="patient")
    assert told.status_code == 200
    assert told.content != plain.content
    assert (
        told.content != ask(web, contentType="image/png", imageAnnotation="patient", anonymize="no").content
    )


@pytest.mark.parametrize("kind", ["application/dicom", "image/jpeg"])
def test_what_may_hold_text_in_its_pixels_is_refused(serve: Callable[..., LiveArchive], kind: str) -> None:
    web = serve()
    assert web.store(ct(BurnedInAnnotation="YES")).status_code == 200
    for _ in range(2):
        answer = ask(web, contentType=kind)
        assert (answer.status_code, "pixels are not cleared" in answer.text) == (409, True)


def test_it_takes_more_than_leave_to_read(web: LiveArchive) -> None:
    tokens = web.context.tokens
    reader, _ = tokens.create("reader", role=Role.READER)
    other, _ = tokens.create("other", role=Role.DEIDENTIFIER)
    for secret, status in ((reader, 403), (other, 200)):
        headers = {"Authorization": f"Bearer {secret}"}
        assert ask(web, contentType="application/dicom", headers=headers).status_code == status


def test_where_a_review_is_wanted_nothing_leaves(serve: Callable[..., LiveArchive]) -> None:
    web = serve(deid={"review": True})
    assert web.store(ct()).status_code == 200
    assert ask(web).status_code == 409


def test_no_presentation_state_with_it(web: LiveArchive) -> None:
    answer = ask(web, contentType="image/png", presentationUID="1.2", presentationSeriesUID="1.3")
    assert (answer.status_code, "state" in answer.text) == (400, True)


def test_without_a_cache_too(serve: Callable[..., LiveArchive]) -> None:
    web = serve(cache={"size": 0})
    assert web.store(ct()).status_code == 200
    assert ask(web, contentType="application/dicom").status_code == 200
