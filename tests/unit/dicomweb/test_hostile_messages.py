"""Headers and bodies that are wrong on purpose: refused with 4xx and our error, or answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hostile_archive import Place, fill
from live_archive import LiveArchive, instance, serving
from raw_http import ask, raw_bytes

DIGITS = "9" * 5000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveArchive, list[Place]]]:
    """A server with one of everything, and where it is."""
    with serving(tmp_path_factory.mktemp("archive") / "data") as start:
        web = start()
        yield web, fill(web)


@pytest.fixture
def web(filled: tuple[LiveArchive, list[Place]]) -> LiveArchive:
    return filled[0]


@pytest.fixture
def image(filled: tuple[LiveArchive, list[Place]]) -> str:
    """The path of a CT image."""
    return filled[1][0].path


# --- headers

ACCEPTS: list[str | bytes] = [
    "",
    ";",
    ",",
    "/",
    "*/*;q=nan",
    "*/*;q=-1",
    "*/*;q=1e999",
    "*/*;q=0",
    "image/png;q=" + DIGITS,
    'multipart/related; type="',
    "multipart/related; type=multipart/related",
    'multipart/related; type="application/dicom"; transfer-syntax=' + "1." * 2000,
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.3',
    "a/b, " * 5000,
    b"\xff\xfe/\x80",
    "application/dicom; transfer-syntax=1.2\t3",
    "application/dicom; charset=utf-7",
    "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.90",
    'application/dicom; transfer-syntax="1.2%0d%0aSet-Cookie: x=1"',
]
RETRIEVE = [
    "",
    "/metadata",
    "/rendered",
    "/thumbnail",
    "/frames/1",
    "/pixeldata",
    "/bulkdata",
    "/bulkdata/PixelData",
]


@pytest.mark.parametrize("tail", RETRIEVE)
def test_absurd_accept_is_answered_or_refused(web: LiveArchive, image: str, tail: str) -> None:
    for accept in ACCEPTS:
        answer = ask(web, image + tail, b"Accept: " + raw_bytes(accept))
        assert answer.status < 500, accept
        assert answer.status < 400 or answer.is_ours(), accept
        assert "Set-Cookie" not in answer.headers


RANGES = [
    f"bytes={DIGITS}-",
    f"bytes=0-{DIGITS}",
    "bytes=-0",
    "bytes=5-1",
    "bytes=-",
    "bytes=a-b",
    "bytes=" + "0-0," * 3000,
    "lines=1-2",
    "bytes=999999999999-",
    "\xff",
]
IFS = ['If-None-Match: "', "If-None-Match: " + 'W/"x",' * 2000, "If-Modified-Since: x", "If-Range: \xff"]
IFS += [
    "If-Modified-Since: Wed, 99 Foo 99999 99:99:99 GMT",
    "If-Modified-Since: Mon, 01 Jan 0001 00:00:00 +9999",
]


@pytest.mark.parametrize("tail", RETRIEVE)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_absurd_ranges_and_conditions_are_answered_or_refused(
    web: LiveArchive, image: str, tail: str, method: str
) -> None:
    for header in [*(f"Range: {one}" for one in RANGES), *IFS]:
        answer = ask(web, image + tail, header, "Accept: */*", method=method)
        assert answer.status < 500, header[:80]
        assert answer.status < 400 or method == "HEAD" or answer.is_ours(), header[:80]


HEADERS: list[str | bytes] = [
    "Forwarded: for=x;host=a\tb",
    "Authorization: Bearer \xff",
    "Authorization: Basic ====",
    "Authorization: " + "x" * 20000,
    "Origin: \xff",
    "Content-Type: multipart/related; boundary=",
    "Content-Encoding: br",
    "Accept-Encoding: gzip;q=x, " + "a," * 3000,
    "Sec-Fetch-Site: \x80",
    "Expect: 200-ok",
    "Cookie: " + "a=b; " * 4000,
    "X-Forwarded-Host: a\x80b",
    "Upgrade: websocket",
    "Upgrade: h2c",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("path", ["/dicom-web/studies", "/dicom-web/subscribers/A", "/dicom-web/nothing"])
def test_absurd_headers_are_answered_or_refused(web: LiveArchive, path: str, header: str | bytes) -> None:
    answer = ask(web, path, header)
    assert answer.status < 500
    assert answer.status < 400 or answer.is_ours()


# --- bodies

NESTED = b"[" * 100_000
MULTI = 'Content-Type: multipart/related; type="application/dicom"; boundary=x'
JSON_PARTS = 'Content-Type: multipart/related; type="application/dicom+json"; boundary=x'
XML_PARTS = 'Content-Type: multipart/related; type="application/dicom+xml"; boundary=x'
JSON, XML = "Content-Type: application/dicom+json", "Content-Type: application/dicom+xml"
BOMB = b'<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;&b;">]><NativeDicomModel>&d;</NativeDicomModel>'
BODIES: list[tuple[str, bytes]] = [
    (MULTI, b""),
    (MULTI, b"--x--"),
    (MULTI, b"--y\r\n\r\n\r\n--y--"),
    (MULTI, b"--x\r\n\r\n"),
    (MULTI, b"--x\r\n" + b"A: b\r\n" * 20000),
    (MULTI, b"--x\r\nContent-Type: \xff\r\n\r\nabc\r\n--x--"),
    (MULTI, b"--x\r\n\r\n" + instance()[:200] + b"\r\n--x--"),
    (MULTI, b"--x\r\n\r\n" + bytes(132) + b"DICM" + b"\xff" * 500 + b"\r\n--x--"),
    (MULTI, b"\0" * 100_000),
    ("Content-Type: multipart/related; type=application/dicom", b"--x--"),
    ("Content-Type: multipart/related; boundary=" + "b" * 5000, b"--x--"),
    ("Content-Type: application/dicom", b""),
    ("Content-Type: application/dicom", b"DICM"),
    ("Content-Type: application/dicom", bytes(128) + b"DICM"),
    ("Content-Type: text/plain", b"x"),
    ("Content-Type: ;;;", b"x"),
    ("X: y", b"x"),
    *(
        (kind, body)
        for kind in (JSON, JSON_PARTS)
        for body in (b"", b"{", b"\xff\xfe", NESTED, b"null", b"1", b'"a"')
    ),
    *(
        (XML, body)
        for body in (b"", b"<", b"<a/>", BOMB, b"<a>" * 5000, b"\xff\xfe\x00", b"<?xml version='9'?><a/>")
    ),
    (JSON, b"[[]]"),
    (JSON, b"[{}]"),
    (JSON, b'[{"0020000D": 1}]'),
    (JSON, b'[{"x": {"vr": "UI", "Value": ["1"]}}]'),
    (JSON, b'[{"0020000D": {"vr": "SQ", "Value": [{"0020000D": {"vr": 5}}]}}]'),
    (JSON, b'[{"00080018": {"vr": "UI", "Value": [{}, null, [1]]}}]'),
    (JSON, b'[{"7FE00010": {"vr": "OW", "InlineBinary": "%%%"}}]'),
    (JSON, b'[{"7FE00010": {"vr": "OW", "BulkDataURI": "file:///etc/passwd"}}]'),
    (JSON, b'[{"00280010": {"vr": "US", "Value": [1e999]}}]'),
    (JSON, b'[{"00280010": {"vr": "US", "Value": [' + DIGITS.encode() + b"]}}]"),
    (JSON_PARTS, b"--x\r\nContent-Type: application/dicom+json\r\n\r\n[{}]\r\n--x--"),
    (XML_PARTS, b"--x\r\nContent-Type: application/dicom+xml\r\n\r\n<a/>\r\n--x--"),
    (XML_PARTS, b"--x\r\nContent-Type: application/dicom+xml\r\n\r\n" + BOMB + b"\r\n--x--"),
]
TAKERS = [
    ("POST", "/studies"),
    ("POST", "/studies/1.2.3"),
    ("POST", "/studies/%00"),
    ("POST", "/workitems"),
    ("POST", "/workitems?1.2.3"),
    ("POST", "/workitems/1.2.3"),
    ("PUT", "/workitems/1.2.3/state"),
    ("POST", "/workitems/1.2.3/cancelrequest"),
    ("POST", "/color-palettes"),
    ("POST", "/hanging-protocols/1.2.3"),
]


@pytest.mark.parametrize(("method", "path"), TAKERS)
def test_absurd_bodies_are_refused(web: LiveArchive, method: str, path: str) -> None:
    for kind, body in BODIES:
        answer = ask(web, "/dicom-web" + path, kind, method=method, body=body)
        assert 400 <= answer.status < 500, (kind, body[:80], answer.body)
        told: Any = json.loads(answer.body) if answer.body else {}
        assert {"error", "00081198", "0008119A"} & told.keys(), (kind, body[:80])


# --- HTTP itself

BROKEN = [
    b"GET\r\n\r\n",
    b"\0\0\0\0\r\n\r\n",
    b"GET /dicom-web/studies HTTP/9.9\r\n\r\n",
    b"GET /dicom-web/studies HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /dicom-web/studies HTTP/1.1\r\nNo colon here\r\n\r\n",
    b"GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /dicom-web/studies?limit=\xd9\xa1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /dicom-web/studies?" + b"a=1&" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /dicom-web/studies HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n",
    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //evil.example/dicom-web HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("raw", BROKEN)
def test_what_is_no_http_is_refused_and_others_are_served(web: LiveArchive, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        try:
            told = connection.recv(65536)
        except ConnectionResetError:
            told = b""
    assert not told or told.startswith(b"HTTP/1.1 4")
    assert web.get("/healthz").status_code == 200


@pytest.mark.parametrize("method", ["BREW", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get"])
def test_other_methods_are_refused(web: LiveArchive, method: str) -> None:
    answer = ask(web, "/dicom-web/studies", method=method)
    assert 400 <= answer.status < 500
    assert answer.is_ours()
