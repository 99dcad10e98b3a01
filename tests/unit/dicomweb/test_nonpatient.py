"""Non-patient instances over HTTP (PS3.18 chapter 12): color palettes and their like."""

from __future__ import annotations

import base64
import io
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from web_answers import parts_of

from isocenter.security import Role

PALETTES = "/dicom-web/color-palettes"
DICOM = {"Content-Type": "application/dicom"}
EXPLICIT, IMPLICIT, BIG = (f"1.2.840.10008.1.2{more}" for more in (".1", "", ".2"))


def palette(uid: str = "1.2.3", *, syntax: str = EXPLICIT, label: str = "HOT_IRON", size: int = 512) -> bytes:
    """A color palette as pydicom writes it; more than 1 KiB of a table is not in its header."""
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.39.1"
    made.SOPInstanceUID = uid
    made.ContentLabel = label
    made.ContentDescription = "Black, red, yellow, white"
    for color in ("Red", "Green", "Blue"):
        made[f"{color}PaletteColorLookupTableDescriptor"] = pydicom.DataElement(
            f"{color}PaletteColorLookupTableDescriptor", "US", [size, 0, 8]
        )
        table = bytearray(bytes(range(256)) * (size // 256))
        if syntax == BIG:  # pydicom takes the bytes of OW as they are to be written
            table[::2], table[1::2] = table[1::2], table[::2]
        setattr(made, f"{color}PaletteColorLookupTableData", bytes(table))
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = uid
    out = io.BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def store(web: Any, raw: bytes, path: str = PALETTES, **headers: str) -> Any:
    return web.post(path, data=raw, headers=DICOM | headers)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("size", [256, 4096])
def test_what_is_stored_is_retrieved_as_file_and_as_json(web: Any, syntax: str, size: int) -> None:
    answer = store(web, palette(syntax=syntax, size=size))
    assert answer.status_code == 200
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081190"]["Value"] == [f"{web.url}{PALETTES}/1.2.3"]
    answer = web.get(PALETTES + "/1.2.3", headers={"Accept": "application/dicom"})
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    found = pydicom.dcmread(io.BytesIO(answer.content))
    table = bytes(range(256)) * (size // 256)
    assert (found.ContentLabel, found.RedPaletteColorLookupTableData) == ("HOT_IRON", table)
    (document,) = web.get(PALETTES + "/1.2.3").json()
    assert base64.b64decode(document["00281203"]["InlineBinary"]) == table


def test_as_multipart_and_xml(web: Any) -> None:
    store(web, palette())
    kind = 'multipart/related; type="application/dicom"'
    ((_, body),) = parts_of(web.get(PALETTES + "/1.2.3", headers={"Accept": kind}))
    assert pydicom.dcmread(io.BytesIO(body)).SOPInstanceUID == "1.2.3"
    assert b"HOT_IRON" in web.get(PALETTES + "/1.2.3", headers={"Accept": "application/dicom+xml"}).content
    wanted = f"application/dicom; transfer-syntax={IMPLICIT}"
    assert web.get(PALETTES + "/1.2.3", headers={"Accept": wanted}).status_code == 406


def test_search(web: Any) -> None:
    for uid, label in (("1.1", "HOT_IRON"), ("1.2", "PET"), ("1.3", "PET_20_STEP")):
        store(web, palette(uid, label=label))
    found = web.search("/color-palettes", ContentLabel="PET*")
    assert [one["00080018"]["Value"] for one in found] == [["1.2"], ["1.3"]]
    assert "00281201" not in found[0]
    assert len(web.search("/color-palettes", limit=1, offset=2)) == 1
    assert "00281201" in web.search("/color-palettes", includefield="all")[0]
    assert web.search("/hanging-protocols") == []


def test_several_in_one_request_each_with_its_result(web: Any) -> None:
    answer = web.store(palette("1.1"), b"no DICOM", palette("1.2"), path=PALETTES)
    assert answer.status_code == 200
    module = answer.json()
    assert (len(module["00081199"]["Value"]), len(module["0008119A"]["Value"])) == (2, 1)


def test_the_same_again_is_a_success_and_other_bytes_a_conflict(web: Any) -> None:
    assert [store(web, palette()).status_code for _ in range(2)] == [200, 200]
    assert store(web, palette(label="PET")).status_code == 409
    assert len(web.search("/color-palettes")) == 1


def test_what_does_not_belong_there(web: Any, make: Any) -> None:
    assert store(web, make(1)).status_code == 400
    assert store(web, palette(), "/dicom-web/hanging-protocols").status_code == 400
    assert store(web, palette("1.1"), PALETTES + "/1.2").status_code == 400
    assert store(web, palette("1.1"), PALETTES + "/1.1").status_code == 200
    assert store(web, b"{}", **{"Content-Type": "application/json"}).status_code == 415
    assert web.get("/dicom-web/hanging-protocols/1.1").status_code == 404
    assert web.search("/studies") == []


def test_deleted_by_a_curator_and_brought_back_by_a_reset(web: Any) -> None:
    store(web, palette())
    web.main.snapshot("exam")
    secrets = [
        web.context.tokens.create(role.value, role=role)[0] for role in (Role.CONTRIBUTOR, Role.CURATOR)
    ]
    answers = [
        web.web.delete(
            web.url + PALETTES + "/1.2.3", headers={"Authorization": f"Bearer {secret}"}, timeout=60
        ).status_code
        for secret in secrets
    ]
    assert answers == [403, 204]
    mine = {"Authorization": f"Bearer {secrets[1]}"}
    assert web.get(PALETTES + "/1.2.3", headers=mine).status_code == 404
    web.main.reset("exam")
    assert web.get(PALETTES + "/1.2.3", headers=mine).status_code == 200
