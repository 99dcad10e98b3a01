"""Metadata over the web, and the bulk data that it points to."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from web_answers import parts_of, pydicom_file, stored

from isocenter.dicom.levels import Level
from isocenter.dicom.xml_model import from_xml

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
        answer = web.web.get(uri, timeout=60)
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
        assert web.web.get(uri, timeout=60).content == bytes(4096)
    (found,) = web.search("/instances", StudyInstanceUID="1.2.3")
    assert web.web.get(found["00081190"]["Value"][0] + "/metadata", timeout=60).status_code == 200


def test_bulk_data_is_had_in_ranges_and_in_parts_and_nowhere_else(web: Any, make: Make) -> None:
    pixels = bytes(range(256)) * 16
    path = stored(web, make(1, pixels=pixels, Rows=64, Columns=64, BitsAllocated=8))
    (document,) = web.get(path + "/metadata").json()
    uri = document["7FE00010"]["BulkDataURI"]
    part = web.web.get(uri, headers={"Range": "bytes=10-19"}, timeout=60)
    assert (part.status_code, part.content) == (206, pixels[10:20])
    several = web.web.get(
        uri, headers={"Accept": "multipart/related; type=application/octet-stream"}, timeout=60
    )
    assert [body for _, body in parts_of(several)] == [pixels]
    assert web.web.get(uri, headers={"Accept": "image/png"}, timeout=60).status_code == 406
    for wrong, status in [("offset=0", 404), ("offset=x", 400), ("offset=99999999", 404)]:
        assert web.get(f"{path}/bulkdata?{wrong}").status_code == status


SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.1"


def kept(web: Any) -> list[Path]:
    return sorted((web.archive.data / "cache" / "metadata").glob("*/*.gz"))


def test_metadata_of_a_series_is_prepared_once_and_sent_compressed(web: Any, make: Make) -> None:
    web.store(*(make(n) for n in range(1, 6)))
    first = web.get(SERIES + "/metadata", headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    (file,) = kept(web)
    assert int(first.headers["Content-Length"]) == file.stat().st_size
    assert json.loads(gzip.decompress(file.read_bytes())) == first.json()
    file.write_bytes(gzip.compress(b"[]"))  # what is kept is what is sent
    again = web.get(SERIES + "/metadata", headers={"Accept-Encoding": "gzip"})
    assert again.json() == []
    plain = web.get(SERIES + "/metadata", headers={"Accept-Encoding": "identity"})
    assert (plain.content, "Content-Encoding" in plain.headers) == (b"[]", False)
    assert plain.headers["ETag"] != again.headers["ETag"]
    assert "Accept-Encoding" in again.headers["Vary"]


def test_every_change_of_a_series_is_another_answer(web: Any, make: Make) -> None:
    web.store(make(1), make(2), make(3))

    def told() -> tuple[int, str]:
        answer = web.get(SERIES + "/metadata")
        return len(answer.json()), answer.headers["ETag"]

    seen = [told()]
    web.main.delete(Level.INSTANCE, "1.2.3.1.2")
    seen.append(told())
    web.store(make(2, PatientID="Z"))
    seen.append(told())
    assert [count for count, _ in seen] == [3, 2, 3]
    assert len({etag for _, etag in seen}) == 3


def test_each_address_of_the_server_has_its_own_links(web: Any, make: Make) -> None:
    web.store(make(1, pixels=bytes(4096), Rows=64, Columns=64))
    secret, _ = web.context.tokens.create("behind a proxy")
    for host in ("localhost", "pacs.example"):
        headers = {"Authorization": f"Bearer {secret}", "Forwarded": f"host={host};proto=https"}
        answer = web.get(SERIES + "/metadata", headers=headers)
        assert answer.json()[0]["7FE00010"]["BulkDataURI"].startswith(f"https://{host}/dicom-web/")
    assert len(kept(web)) == 2


def test_the_folder_stays_below_its_size(serve: Any, make: Make) -> None:
    web = serve(dicomweb={"metadata_cache": 10_000})
    for n in range(12):
        web.store(make(1, study=f"1.{n}"))
        assert len(web.get(f"/dicom-web/studies/1.{n}/metadata").json()) == 1
    assert 0 < sum(path.stat().st_size for path in kept(web)) <= 10_000
    none = serve(dicomweb={"metadata_cache": 0})
    before = kept(none)
    assert len(none.get("/dicom-web/studies/1.5/series/1.5.1/metadata").json()) == 1
    assert kept(none) == before


def test_a_date_says_that_nothing_is_new(web: Any, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.dicomweb.metadata._SETTLED", 0.0)
    path = stored(web, make(1))
    for at in (SERIES, path):
        first = web.get(at + "/metadata")
        date = first.headers["Last-Modified"]
        assert web.get(at + "/metadata", headers={"If-Modified-Since": date}).status_code == 304
        old = {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
        assert web.get(at + "/metadata", headers=old).status_code == 200
        both = {"If-None-Match": '"other"', "If-Modified-Since": date}
        assert web.get(at + "/metadata", headers=both).status_code == 200
    web.main.delete(Level.INSTANCE, "1.2.3.1.1")
    web.store(make(2))
    web.main.delete(Level.INSTANCE, "1.2.3.1.2")
    assert web.get(SERIES + "/metadata").status_code in (404, 410)


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm"])
def test_metadata_is_xml_for_who_asks(web: Any, name: str) -> None:
    path = stored(web, pydicom_file(name))
    accept = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    for at in (path, path.partition("/instances/")[0], path.partition("/series/")[0]):
        answer = web.get(at + "/metadata", headers=accept)
        ((kind, body),) = parts_of(answer)
        assert kind == "application/dicom+xml"
        assert from_xml(body) == web.get(at + "/metadata").json()[0]
        same = {**accept, "If-None-Match": answer.headers["ETag"]}
        assert web.get(at + "/metadata", headers=same).status_code == 304
        assert parts_of(web.get(at + "/metadata", headers={**accept, "Accept-Encoding": "identity"}))


def test_head_of_metadata_tells_its_length(web: Any, make: Make) -> None:
    web.store(make(1))
    head = web.web.head(web.url + SERIES + "/metadata", headers={"Accept-Encoding": "gzip"}, timeout=60)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == kept(web)[0].stat().st_size


def test_metadata_of_what_is_not_there_is_404(web: Any, make: Make) -> None:
    web.store(make(1))
    for path in ("/studies/9", "/studies/1.2.3/series/9", "/studies/9/series/1.2.3.1"):
        assert web.get(f"/dicom-web{path}/metadata").status_code == 404


def test_metadata_is_sent_also_where_it_cannot_be_kept(web: Any, make: Make) -> None:
    web.store(make(1), make(2))
    (web.archive.data / "cache").mkdir(exist_ok=True)
    (web.archive.data / "cache" / "metadata").write_text("in the way")
    assert len(web.get(SERIES + "/metadata").json()) == 2
