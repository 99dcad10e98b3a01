"""What reaches the data server through Jupyter, and what comes back; the server is one that remembers."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from live_jupyter import TOKEN, Jupyter, jupyter
from recorder import Recorder, recorder

BEARER = "the-data-server-s-token"


@pytest.fixture(scope="module")
def record() -> Iterator[Recorder]:
    with recorder() as running:
        yield running


@pytest.fixture(scope="module")
def ada(record: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A Jupyter at /user/ada/, attached to it."""
    options = ["--ServerApp.base_url=/user/ada/", "--Isocenter.mode=attach"]
    options += [f"--Isocenter.url={record.url}", f"--Isocenter.token={BEARER}"]
    with jupyter(tmp_path_factory.mktemp("home"), *options) as started:
        yield started


@pytest.fixture(autouse=True)
def _fresh(record: Recorder) -> None:
    record.requests.clear()
    record.answer, record.status = {}, 200


@pytest.fixture(scope="module")
def cookies(ada: Jupyter) -> dict[str, str]:
    """Those of a browser that is logged in."""
    told = ada.ask(f"?token={TOKEN}", headers={})
    more = ada.ask("lab", headers={"Cookie": "; ".join(_named(told.headers.get_all("Set-Cookie")))})
    named = _named([*(told.headers.get_all("Set-Cookie") or []), *(more.headers.get_all("Set-Cookie") or [])])
    return dict(cookie.split("=", 1) for cookie in named)


def _named(lines: list[str] | None) -> list[str]:
    return [line.split(";")[0] for line in lines or []]


def _browser(cookies: dict[str, str], **more: str) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **more}


def test_no_credential_of_jupyter_reaches_the_data_server(
    ada: Jupyter, record: Recorder, cookies: dict[str, str]
) -> None:
    headers = _browser(
        cookies,
        Referer=f"{ada.url}lab?token={TOKEN}",
        Origin=ada.url.removesuffix("/user/ada/"),
        **{"X-XSRFToken": cookies["_xsrf"], "X-Forwarded-User": "root", "X-Isocenter-User": "root"},
    )
    path = f"isocenter/proxy/api/things?a=b&_xsrf={cookies['_xsrf']}&token={TOKEN}"
    assert ada.ask(path, "POST", b"body", headers).status == 200
    assert (
        ada.ask("isocenter/proxy/api/things?a=b", headers={"Authorization": f"token {TOKEN}"}).status == 200
    )
    assert [request.path for request in record.requests] == ["/api/things?a=b"] * 2
    for request in record.requests:
        assert request.headers["Authorization"] == f"Bearer {BEARER}"
        assert request.headers["X-Isocenter-User"] == getpass.getuser()
        told = str(request.headers)
        assert not {"cookie", "referer", "origin", "x-xsrftoken", "x-forwarded-user"} & {
            name.lower() for name in request.headers
        }
        assert TOKEN not in told
        assert cookies["_xsrf"] not in told


def test_what_http_itself_needs_goes_on_and_the_way_back_is_told(ada: Jupyter, record: Recorder) -> None:
    headers = {
        "Authorization": f"token {TOKEN}",
        "Accept": "image/png",
        "Range": "bytes=0-9",
        "If-Range": '"x"',
    }
    ada.ask("isocenter/proxy/wado?x=%C3%A4%20b", headers=headers)
    sent = record.last
    assert (sent.path, sent.headers["Accept"], sent.headers["Range"]) == (
        "/wado?x=%C3%A4%20b",
        "image/png",
        "bytes=0-9",
    )
    assert sent.headers["X-Forwarded-Host"] == urlsplit(ada.url).netloc
    assert sent.headers["X-Forwarded-Proto"] == "http"
    assert sent.headers["X-Forwarded-Prefix"] == "/user/ada/isocenter/proxy"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes_with_its_body(ada: Jupyter, record: Recorder, method: str) -> None:
    body = b"content" if method in ("POST", "PUT", "PATCH") else None
    told = ada.ask("isocenter/proxy/api/things", method, body)
    assert (told.status, told.body) == (200, b"" if method == "HEAD" else b"ok")
    assert (record.last.method, record.last.body) == (method, body or b"")


def test_a_body_of_unknown_length_passes(ada: Jupyter, record: Recorder) -> None:
    split = urlsplit(ada.url)
    connection = http.client.HTTPConnection(split.netloc, timeout=60)
    pieces = iter([b"one ", b"two ", b"three"])
    headers = {"Authorization": f"token {TOKEN}"}
    connection.request(
        "POST", f"{split.path}isocenter/proxy/api/things", pieces, headers, encode_chunked=True
    )
    assert connection.getresponse().read() == b"ok"
    connection.close()
    assert record.last.body == b"one two three"


def test_cookies_and_orders_to_the_browser_do_not_come_back(ada: Jupyter, record: Recorder) -> None:
    record.answer = {
        "Set-Cookie": "evil=1; Path=/",
        "Clear-Site-Data": '"*"',
        "Service-Worker-Allowed": "/",
        "Access-Control-Allow-Origin": "https://evil.example",
        "ETag": '"kept"',
        "Content-Type": "text/html",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
    }
    told = ada.ask("isocenter/proxy/api/things")
    assert told.headers["ETag"] == '"kept"'
    assert not [cookie for cookie in told.headers.get_all("Set-Cookie") or [] if "evil" in cookie]
    for name in ("Clear-Site-Data", "Service-Worker-Allowed", "X-Hop"):
        assert name not in told.headers
    assert "evil" not in str(told.headers)
    # A page that says nothing about scripts runs none: it is at Jupyter's own origin.
    assert told.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_redirects_stay_below_the_proxy(ada: Jupyter, record: Recorder) -> None:
    record.status, record.answer = 301, {"Location": "/viewers/ohif/"}
    assert (
        ada.ask("isocenter/proxy/viewers/ohif").headers["Location"]
        == "/user/ada/isocenter/proxy/viewers/ohif/"
    )


@pytest.mark.parametrize("status", [204, 304, 404, 409, 507])
def test_the_status_is_the_data_server_s(ada: Jupyter, record: Recorder, status: int) -> None:
    record.status = status
    assert ada.ask("isocenter/proxy/api/things").status == status


def test_a_data_server_that_refuses_our_token_does_not_look_like_a_refused_user(
    ada: Jupyter, record: Recorder
) -> None:
    record.status = 401
    told = ada.ask("isocenter/proxy/api/things")
    assert told.status == 503
    assert "token" in told.json()["error"]["message"]


@pytest.mark.parametrize(
    "target",
    [
        "/user/ada/isocenter/proxy/../../lab",
        "/user/ada/isocenter/proxy/api/%2e%2e/metrics",
        "/user/ada/isocenter/proxy/api/..%2f..%2fmetrics",
        "/user/ada/isocenter/proxy/metrics",
        "/user/ada/isocenter/proxy//evil.example/api",
        "/user/ada/isocenter/proxy/http://evil.example/api",
        "/user/ada/isocenter/proxy@evil.example/api",
        "/user/ada/isocenter/proxy:80/api",
        "http://evil.example/user/ada/isocenter/proxy/api/things",
        "http://evil.example/api/things",
        "evil.example:80",
    ],
)
def test_nothing_but_our_paths_of_our_server_is_reached(ada: Jupyter, record: Recorder, target: str) -> None:
    split = urlsplit(ada.url)
    with socket.create_connection((split.hostname or "", split.port or 0), timeout=60) as raw:
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {split.netloc}",
            f"Authorization: token {TOKEN}",
            "Connection: close",
        ]
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        told = raw.makefile("rb").read()
    assert re.match(rb"HTTP/1.1 (400|403|404|302)", told)
    assert not record.requests


def test_posting_with_cookies_needs_the_xsrf_header(
    ada: Jupyter, record: Recorder, cookies: dict[str, str]
) -> None:
    for path in ("isocenter/proxy/dicom-web/studies", "isocenter/server/start", "isocenter/server/stop"):
        assert ada.ask(path, "POST", b"", _browser(cookies)).status == 403
    assert not record.requests
    headers = _browser(cookies, **{"X-XSRFToken": cookies["_xsrf"]})
    assert ada.ask("isocenter/proxy/dicom-web/studies", "POST", b"x", headers).status == 200


def test_a_page_of_another_site_changes_nothing_even_with_the_header(
    ada: Jupyter, record: Recorder, cookies: dict[str, str]
) -> None:
    headers = _browser(cookies, Origin="https://evil.example", **{"X-XSRFToken": cookies["_xsrf"]})
    assert ada.ask("isocenter/proxy/dicom-web/studies", "POST", b"x", headers).status in (403, 404)
    assert not record.requests


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_jupyter_that_ends_when_idle_ends_though_its_panel_looks_on(
    record: Recorder, tmp_path: Path
) -> None:
    options = ["--ServerApp.shutdown_no_activity_timeout=5", f"--Isocenter.url={record.url}"]
    with jupyter(tmp_path, *options) as idle:
        deadline = time.monotonic() + 200
        while idle.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # it ends meanwhile
                idle.ask("isocenter/server")
                idle.ask("isocenter/proxy/api/jobs")
            time.sleep(1)
        assert idle.process.poll() == 0


def test_polling_keeps_no_jupyter_from_its_rest_but_work_does(ada: Jupyter, record: Recorder) -> None:
    def last_activity() -> str:
        return str(ada.ask("api/status").json()["last_activity"])

    before = last_activity()
    for path in (
        "isocenter/server",
        "isocenter/server/log",
        "isocenter/proxy/api/jobs",
        "isocenter/proxy/api/changes",
        "isocenter/proxy/dicom-web/studies?no_track_activity=1",
    ):
        assert ada.ask(path).status == 200
    assert last_activity() == before
    assert ada.ask("isocenter/proxy/dicom-web/studies").status == 200
    assert last_activity() > before
