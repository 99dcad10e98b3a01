"""Metadata over the web, and the bulk data that it points to."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from web_answers import parts_of, pydicom_file, stored

Make = Callable[..., bytes]
AS_PARTS = "multipart/related; type=application/octet-stream"


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtplan.dcm",
    "reportsi.dcm", "JPEG2000.dcm", "examples_overlay.dcm"])  # fmt: skip
def test_metadata_with_its_bulk_data_is_the_data_set(web: Any, name: str) -> None:
    sent = pydicom_file(name)
    path, was = stored(web, sent), pydicom.dcmread(io.BytesIO(sent))
    fetched = []

    def fetch(_tag: str, _vr: str, uri: str) -> bytes:
        assert uri.startswith(f"{web.url}{path}/bulkdata?")
        answer = web.web.get(uri, timeout=9)
        assert answer.status_code == 200, answer.text
        fetched.append(uri)
        return bytes(answer.content)

    for at in (path, path.partition("/instances/")[0], path.partition("/series/")[0]):
        (document,) = web.get(at + "/metadata").json()
        encapsulated = was.file_meta.TransferSyntaxUID.is_encapsulated
        if encapsulated:
            assert document.pop("7FE00010")["BulkDataURI"].startswith(f"{web.url}{path}/bulkdata?")
        got = pydicom.Dataset.from_json(document, bulk_data_uri_handler=fetch)
        assert got.get("PixelData") == (None if encapsulated else was.get("PixelData")) or "bigendian" in name
        last = 0x7FE00001 if encapsulated else 0x7FE00010  # what is behind Pixel Data is padding
        assert [one.tag for one in got] == [one.tag for one in was if one.tag.element and one.tag <= last]
    if "bigendian" in name:
        assert bytes(got.PixelData) == was.pixel_array.astype("<i2").tobytes()


def test_metadata_of_a_series_is_in_order_cached_and_forgotten_when_it_grows(web: Any, make: Make) -> None:
    web.store(*(make(n) for n in (3, 1, 2)))
    first = web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/metadata")
    assert [one["00200013"]["Value"][0] for one in first.json()] == [1, 2, 3]
    same = {"If-None-Match": first.headers["ETag"]}
    assert web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/metadata", headers=same).status_code == 304
    web.store(make(4))
    grown = web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/metadata", headers=same)
    assert len(grown.json()) == 4
    secret, _ = web.context.tokens.create("behind a proxy")
    proxied = {"Authorization": f"Bearer {secret}", "Forwarded": "host=pacs.example;proto=https", **same}
    assert web.get("/dicom-web/studies/1.2.3/series/1.2.3.1/metadata", headers=proxied).status_code == 200


def test_metadata_of_an_instance_whose_uid_holds_a_quote_is_json_and_its_links_work(
    web: Any, make: Make
) -> None:
    uid = '1.2.3"x y?z#'
    path = stored(web, make(1, SOPInstanceUID=uid, pixels=bytes(4096), Rows=64, Columns=64))
    for at in (path, path.partition("/instances/")[0]):
        (document,) = web.get(at + "/metadata").json()
        assert document["00080018"]["Value"] == [uid]
        uri = document["7FE00010"]["BulkDataURI"]
        assert web.web.get(uri, timeout=9).content == bytes(4096)
    (found,) = web.search("/instances", StudyInstanceUID="1.2.3")
    assert web.web.get(found["00081190"]["Value"][0] + "/metadata", timeout=9).status_code == 200


def test_bulk_data_is_had_in_ranges_and_in_parts_and_nowhere_else(web: Any, make: Make) -> None:
    pixels = bytes(range(256)) * 16
    path = stored(web, make(1, pixels=pixels, Rows=64, Columns=64, BitsAllocated=8))
    (document,) = web.get(path + "/metadata").json()
    uri = document["7FE00010"]["BulkDataURI"]
    part = web.web.get(uri, headers={"Range": "bytes=10-19"}, timeout=9)
    assert (part.status_code, part.content) == (206, pixels[10:20])
    several = web.web.get(
        uri, headers={"Accept": "multipart/related; type=application/octet-stream"}, timeout=9
    )
    assert [body for _, body in parts_of(several)] == [pixels]
    assert web.web.get(uri, headers={"Accept": "image/png"}, timeout=9).status_code == 406
    for wrong, status in [("offset=0", 404), ("offset=x", 400), ("", 400), ("offset=99999999", 404)]:
        assert web.get(f"{path}/bulkdata?{wrong}").status_code == status
