"""A real archive behind a Jupyter at /user/ada/: everything works there, and links lead back to the proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_jupyter import TOKEN, Answer, Jupyter, jupyter
from pydicom import dcmread
from pydicom.data import get_testdata_file
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from workitem_documents import workitem

from isocenter.explorer.packages import folder_of

FILE = Path(get_testdata_file("CT_small.dcm"))
WORKLIST = "1.2.840.10008.5.1.4.34.5"
DICOM_JSON = "application/dicom+json"


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """It supervises a server, which holds a CT image that was stored through the proxy."""
    options = ["--ServerApp.base_url=/user/ada/", "--Isocenter.mode=supervise"]
    with jupyter(tmp_path_factory.mktemp("home"), *options) as started:
        state = started.start()
        viewer = folder_of(Path(state["data"]), "ohif")
        viewer.mkdir(parents=True)
        (viewer / "index.html").write_text('<html><head></head><script src="/app.js"></script></html>')
        yield started


@pytest.fixture(scope="module")
def stored(ada: Jupyter) -> Any:
    """What the server says about storing FILE."""
    part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + FILE.read_bytes() + b"\r\n--x--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=x'
    told = ask(ada, "/dicom-web/studies", "POST", part, Content_Type=kind, Accept=DICOM_JSON)
    assert told.status == 200, told.body
    return told.json()


@pytest.fixture(scope="module")
def series(stored: Any) -> str:
    data_set = dcmread(FILE, stop_before_pixels=True)
    return f"/dicom-web/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"


def ask(ada: Jupyter, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    return ada.ask(f"isocenter/proxy{path}", method, body, {"Authorization": f"token {TOKEN}", **own})


def test_links_of_what_is_stored_lead_to_the_proxy(ada: Jupyter, stored: Any) -> None:
    assert stored["00081190"]["Value"][0].startswith(f"{ada.proxy}/dicom-web/studies/")


def test_links_to_bulk_data_lead_to_the_proxy_and_give_the_value(ada: Jupyter, series: str) -> None:
    (told,) = ask(ada, f"{series}/metadata", Accept=DICOM_JSON).json()
    link = told["7FE00010"]["BulkDataURI"]
    assert link.startswith(f"{ada.proxy}{series}/")
    value = ada.ask(link.removeprefix(ada.url), headers={"Authorization": f"token {TOKEN}"})
    assert value.status == 200
    assert dcmread(FILE).PixelData in value.body


def test_an_answer_is_the_same_as_without_the_proxy_and_304_when_it_is_known(
    ada: Jupyter, series: str
) -> None:
    first = ask(ada, f"{series}/metadata", Accept=DICOM_JSON, Accept_Encoding="gzip")
    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["Vary"]
    again = ask(
        ada,
        f"{series}/metadata",
        Accept=DICOM_JSON,
        Accept_Encoding="gzip",
        If_None_Match=first.headers["ETag"],
    )
    assert (again.status, again.body) == (304, b"")


def test_a_range_of_a_file_passes(ada: Jupyter, series: str) -> None:
    uid = dcmread(FILE, stop_before_pixels=True).SOPInstanceUID
    told = ask(ada, f"{series}/instances/{uid}", Accept="application/dicom", Range="bytes=128-131")
    assert (told.status, told.body) == (206, b"DICM")


def test_head_tells_the_length_of_what_get_sends(ada: Jupyter) -> None:
    whole = ask(ada, "/api/system")
    assert ask(ada, "/healthz", "HEAD").status == 200
    assert int(whole.headers["Content-Length"]) == len(whole.body)


def test_the_pages_of_a_viewer_name_the_proxy(ada: Jupyter) -> None:
    here = "/user/ada/isocenter/proxy/viewers/ohif/"
    assert ask(ada, "/viewers/ohif").headers["Location"] == here
    page = ask(ada, "/viewers/ohif/")
    assert f'<base href="{here}">' in page.body.decode()
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    settings = ask(ada, "/viewers/ohif/app-config.js").body.decode()
    assert '"wadoRoot": "/user/ada/isocenter/proxy/dicom-web"' in settings


async def test_worklist_events_come_through_the_websocket(ada: Jupyter) -> None:
    told = await asyncio.to_thread(
        ask, ada, f"/dicom-web/workitems/{WORKLIST}/subscribers/ADA", "POST", b"", Accept=DICOM_JSON
    )
    assert told.status == 201
    where = f"{ada.proxy.replace('http', 'ws', 1)}/dicom-web/subscribers/ADA"
    assert told.headers["Content-Location"] in (where, where.removeprefix("ws:"))
    channel = await websocket_connect(HTTPRequest(where, headers={"Authorization": f"token {TOKEN}"}))
    item = json.dumps(workitem()).encode()
    made = await asyncio.to_thread(
        ask, ada, "/dicom-web/workitems?1.2.3", "POST", item, Content_Type=DICOM_JSON, Accept=DICOM_JSON
    )
    assert made.status == 201
    event = json.loads(await asyncio.wait_for(channel.read_message(), 60) or "{}")
    assert event["00001000"]["Value"] == ["1.2.3"]
    channel.close()


async def test_a_websocket_that_the_data_server_does_not_open_is_closed(ada: Jupyter) -> None:
    where = f"{ada.proxy.replace('http', 'ws', 1)}/dicom-web/studies"
    channel = await websocket_connect(HTTPRequest(where, headers={"Authorization": f"token {TOKEN}"}))
    assert await asyncio.wait_for(channel.read_message(), 60) is None
    assert channel.close_code == 1011
    channel.close()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "token wrong"}, {"Authorization": f"token {TOKEN}", "Origin": "http://evil"}],
)
async def test_a_websocket_needs_a_login_and_the_same_origin(ada: Jupyter, headers: dict[str, str]) -> None:
    where = f"{ada.proxy.replace('http', 'ws', 1)}/dicom-web/subscribers/ADA"
    if "Origin" in headers:
        headers = {"Origin": "http://evil.example"}
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(where, headers=headers))
    assert refused.value.code == 403
