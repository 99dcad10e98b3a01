"""Where a request comes from, and whether a page of another site sent it."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from isocenter.http.addresses import cross_site, forwarded, from_this_machine, names_this_machine

# What a browser may send for a name of somebody else's, and our pattern of a Host does not know.
MALFORMED = (
    "a~b.evil.example",
    "a~b.evil.example:8042",
    "x:1:2",
    "localhost:",
    "localhost:99999x",
)
START = RequestStartLine("POST", "/", "HTTP/1.1")


def request(family: int = socket.AF_INET, remote: str = "127.0.0.1", **headers: str) -> HTTPServerRequest:
    context: Any = SimpleNamespace(address_family=family, remote_ip=remote, protocol="http")
    connection: Any = SimpleNamespace(context=context)
    told = HTTPHeaders({"Host": "localhost:8042", **headers})
    return HTTPServerRequest(headers=told, connection=connection, start_line=START)


@pytest.mark.parametrize(
    ("family", "remote", "ours"),
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "127.8.0.1", True),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET6, "fe80::1%eth0", False),
        (socket.AF_INET, "10.0.0.7", False),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET, "nonsense", False),
        (socket.AF_UNIX, "0.0.0.0", True),
    ],
)
def test_only_loopback_and_unix_sockets_are_this_machine(family: int, remote: str, ours: bool) -> None:
    assert from_this_machine(request(family, remote)) is ours


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:8042", True),
        ("isocenter.localhost", True),
        ("127.0.0.1:8042", True),
        ("[::1]:8042", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example", False),
        ("192.168.1.5", False),
        *((malformed, False) for malformed in MALFORMED),
    ],
)
def test_only_loopback_names_are_this_machine(host: str, ours: bool) -> None:
    assert names_this_machine(request(Host=host)) is ours


@pytest.mark.parametrize(
    ("name", "passed_on"),
    [
        ("Forwarded", True),
        ("X-Forwarded-For", True),
        ("x-forwarded-anything", True),
        ("X-Real-Ip", True),
        ("Via", True),
        ("X-Request-Id", False),
    ],
)
def test_what_a_proxy_passed_on_is_known(name: str, passed_on: bool) -> None:
    assert forwarded(request(**{name: "10.0.0.7"})) is passed_on


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Origin": "http://localhost:8042"}, False),
        ({"Origin": "http://localhost:9999"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
    ],
)
def test_pages_of_other_origins_are_known(headers: dict[str, str], foreign: bool) -> None:
    assert cross_site(request(**headers)) is foreign
