"""What every request meets first: who asks, from where, how much; and how errors are told."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

import pytest
import requests
from live_http import LiveHttp

from isocenter.security import Role

Serve = Callable[..., LiveHttp]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_without_tokens_this_machine_needs_none(live: LiveHttp) -> None:
    answer = live.get("/told")
    assert answer.json()["name"] == "local"
    assert live.web.get(f"http://localhost:{live.port}/told", timeout=60).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8042", "10.0.0.1", "a~b.evil.example", "x:1:2"]
)
def test_without_tokens_a_rebound_name_is_refused(live: LiveHttp, host: str) -> None:
    answer = live.get("/told", headers={"Host": host})
    assert answer.status_code == 403
    assert "localhost" in answer.json()["error"]["message"]


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip", "Via"])
def test_without_tokens_nobody_behind_a_proxy_of_this_machine_is_its_owner(
    live: LiveHttp, header: str
) -> None:
    answer = live.get("/told", headers={header: "10.0.0.7"})
    assert answer.status_code == 403
    assert "proxy" in answer.json()["error"]["message"]
    assert "isocenter token create" in answer.json()["error"]["hint"]


def test_the_secret_of_this_start_opens_from_anywhere(live: LiveHttp) -> None:
    """Who can read the connection file is the owner, whatever stands between (a proxy of JupyterHub)."""
    passed_on = {**bearer(live.secret), "Forwarded": "for=10.0.0.7", "Host": "hub.example"}
    assert live.get("/told", headers=passed_on).json()["name"] == "local"


def test_without_tokens_one_that_was_revoked_or_guessed_is_refused(live: LiveHttp) -> None:
    secret, made = live.context.tokens.create("gone")
    live.context.tokens.revoke(made.id)
    for wrong in (secret, "guessed"):
        answer = live.get("/told", headers=bearer(wrong))
        assert answer.status_code == 401
    assert live.get("/told").status_code == 200


def test_without_tokens_other_machines_are_refused_though_the_port_is_open(serve: Serve) -> None:
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    live = serve(host="")
    answer = live.web.get(f"http://{address}:{live.port}/told", headers={"Host": "localhost"}, timeout=60)
    assert answer.status_code == 403


@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_without_tokens_pages_of_other_sites_change_nothing(live: LiveHttp, header: dict[str, str]) -> None:
    assert live.post("/takes", data="{}", headers=header).status_code == 403
    assert live.post("/takes", data="{}", headers={"Origin": live.url}).status_code == 200
    assert live.post("/takes", data="{}").status_code == 200


def test_once_a_token_exists_every_request_needs_one(live: LiveHttp) -> None:
    secret, _ = live.context.tokens.create("notebook", role=Role.READER)
    for headers in ({}, bearer("wrong"), {"Authorization": f"Basic {secret}"}):
        answer = live.get("/told", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "unauthorized"
    assert live.get("/nothing/here").status_code == 401
    assert live.get("/metrics").status_code == 401
    assert live.get("/healthz").json() == {"status": "ok"}
    assert live.get("/told", headers={**bearer(secret), "Host": "pacs.example"}).json()["name"] == "notebook"


def test_roles_and_datasets_bound_what_a_token_may_do(live: LiveHttp) -> None:
    reader, _ = live.context.tokens.create("reader", datasets=["ct-lab"])
    writer, _ = live.context.tokens.create("writer", role=Role.CONTRIBUTOR)
    assert live.post("/takes", data="{}", headers=bearer(reader)).status_code == 403
    assert live.post("/takes", data="{}", headers=bearer(writer)).status_code == 200
    assert live.get("/datasets/ct-lab/told", headers=bearer(reader)).status_code == 200
    assert live.get("/datasets/main/told", headers=bearer(reader)).status_code == 403
    # Who may not read it is not told whether it exists.
    assert live.get("/datasets/unknown/told", headers=bearer(reader)).status_code == 403
    missing = live.get("/datasets/unknown/told", headers=bearer(writer))
    assert missing.status_code == 404
    assert "ct-lab, main" in missing.json()["error"]["hint"]


def test_errors_have_one_shape(live: LiveHttp) -> None:
    full = live.get("/breaks/full")
    assert full.status_code == 507
    assert full.json() == {
        "error": {
            "code": "no-space",
            "message": "The disk is full",
            "hint": "free some",
            "detail": {"free": 0},
        }
    }
    assert live.get("/nothing").json()["error"]["code"] == "not-found"
    assert live.web.put(live.url + "/told", timeout=60).status_code == 405
    assert live.web.put(live.url + "/told", timeout=60).json()["error"]["code"] == "method-not-allowed"


def test_our_own_faults_are_logged_with_an_id_and_tell_nothing(
    live: LiveHttp, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = live.get("/breaks/wait?PatientName=Doe")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.json()["error"]["hint"]
    assert answer.headers["X-Request-Id"] in caplog.text
    assert "secret of ours" in caplog.text
    assert "Doe" not in caplog.text


def test_the_access_log_has_no_query(live: LiveHttp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        live.get("/told?PatientName=Doe")
        live.get("/nothing?PatientName=Doe")
    assert "GET /told 200" in caplog.text
    assert "Doe" not in caplog.text


def test_an_answer_that_breaks_off_is_seen_to_be_cut(live: LiveHttp) -> None:
    with pytest.raises(requests.exceptions.RequestException):
        live.get("/breaks/late")


def test_bodies_have_limits_announced_or_not(live: LiveHttp) -> None:
    assert live.post("/takes", data='{"a": 1}').json() == {"a": 1}
    for size in (1001, 30_000_000):
        announced = live.post("/takes", data=b" " * size)
        assert announced.status_code == 413, size
        chunked = live.post("/takes", data=(b" " * 1000 for _ in range(size // 1000 + 1)))
        assert chunked.status_code == 413, size
    assert live.get("/told").status_code == 200


@pytest.mark.parametrize("length", [b"9" * 5000, b"99999999999999999999", b"300000000"])
def test_an_absurd_length_is_refused_at_once(live: LiveHttp, length: bytes) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as client:
        client.sendall(b"POST /takes HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length + b"\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 900])
def test_a_body_that_is_no_json_is_told(live: LiveHttp, body: bytes) -> None:
    answer = live.post("/takes", data=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad-request"


def test_compressed_bodies_are_refused(live: LiveHttp) -> None:
    assert live.post("/takes", data=b"{}", headers={"Content-Encoding": "gzip"}).status_code == 415


def test_security_headers_are_on_answers_and_errors(live: LiveHttp) -> None:
    for path in ("/told", "/nothing", "/breaks/full", "/healthz"):
        headers = live.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Etag" not in headers
        assert headers["Server"] == "Isocenter"


def test_allowed_origins_get_cors_others_do_not(serve: Serve) -> None:
    live = serve(http={"cors_origins": ("https://viewer.example",)})
    allowed = {"Origin": "https://viewer.example"}
    assert live.get("/told", headers=allowed).headers["Access-Control-Allow-Origin"] == allowed["Origin"]
    assert live.post("/takes", data="{}", headers=allowed).status_code == 200
    refused = live.get("/told", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in refused.headers
    live.context.tokens.create("somebody")
    preflight = live.web.options(live.url + "/takes", headers=allowed, timeout=60)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    # A refusal is readable from the viewer, or it could not say why.
    assert live.get("/told", headers=allowed).headers["Access-Control-Allow-Origin"] == allowed["Origin"]


def test_without_tokens_pages_of_any_site_may_not_call_though_every_origin_is_allowed(serve: Serve) -> None:
    live = serve(http={"cors_origins": ("*",)})
    page = {"Origin": "https://evil.example"}
    assert live.get("/told", headers=page).status_code == 403
    assert live.post("/takes", data="{}", headers=page).status_code == 403
    assert live.get("/told").status_code == 200
    secret, _ = live.context.tokens.create("viewer")
    assert live.get("/told", headers={**page, **bearer(secret)}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"Forwarded": "for=1.2.3.4;proto=https;host=pacs.example"}, "https://pacs.example"),
        ({"Forwarded": 'proto="https";host="pacs.example:8443", for=x'}, "https://pacs.example:8443"),
        (
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/user/x/"},
            "https://a.example/user/x",
        ),
        ({"Host": "127.0.0.1"}, ""),
        ({"X-Forwarded-Proto": "gopher", "X-Forwarded-Host": 'e"vil', "X-Forwarded-Prefix": "/<x>"}, ""),
    ],
)
def test_links_are_built_from_what_the_client_sees(
    live: LiveHttp, headers: dict[str, str], base: str
) -> None:
    assert live.get("/told", headers={**bearer(live.secret), **headers}).json()["base"] == (base or live.url)


def test_metrics_count_requests(live: LiveHttp) -> None:
    live.get("/nothing")
    text = live.get("/metrics").text
    assert 'isocenter_http_requests_total{face="other",method="GET",status="404"}' in text
    assert "isocenter_http_seconds_bucket" in text


def test_a_slow_client_holds_nothing_and_one_that_goes_away_ends_the_work(live: LiveHttp) -> None:
    def pieces() -> float:
        return live.context.archive.sent

    with socket.create_connection(("127.0.0.1", live.port)) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(10)
        assert _until_steady(pieces, 0.3) < 30, "more was read than the socket takes"
        assert live.get("/told").status_code == 200
    _until_steady(pieces, 1)


def _until_steady(value: Callable[[], float], seconds: float) -> float:
    """The value as soon as it has not changed for so long."""
    before, deadline = -1.0, time.monotonic() + 60
    while before != (before := value()):
        assert time.monotonic() < deadline, "it goes on and on"
        time.sleep(seconds)
    return before
