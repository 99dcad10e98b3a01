"""Users of a JupyterHub come in with their hub tokens; the real hub is in tests/jupyter."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from live_http import LiveHttp

from isocenter.security import HubUsers, digest_of

ACCESS = "access:services!service=isocenter"
USERS: dict[str, dict[str, Any]] = {
    "ada": {"kind": "user", "name": "ada", "groups": ["physics"], "scopes": [ACCESS]},
    "eve": {
        "kind": "user",
        "name": "eve",
        "groups": ["physics"],
        "scopes": ["access:services!service=other"],
    },
    "bot": {"kind": "service", "name": "nightly", "scopes": ["access:services"]},
}


class Hub(BaseHTTPRequestHandler):
    """`GET /hub/api/user` as JupyterHub answers it."""

    asked: ClassVar[list[str]]
    ill = False

    def do_GET(self) -> None:
        token = self.headers["Authorization"].removeprefix("token ")
        self.asked.append(token)
        time.sleep(0.02)
        found = USERS.get(token) if self.path == "/hub/api/user" else None
        body = json.dumps(found or {"status": 403, "message": "Forbidden"}).encode()
        self.send_response(500 if self.ill else 200 if found else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[Any]:
    class Own(Hub):
        asked: ClassVar[list[str]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Own.url = f"http://127.0.0.1:{server.server_address[1]}/hub/api"  # type: ignore[attr-defined]
    yield Own
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def live(hub: Any, serve: Callable[..., LiveHttp]) -> LiveHttp:
    return serve(jupyterhub={"api_url": hub.url, "groups": {"physics": "contributor"}})


def ask(live: LiveHttp, token: str) -> Any:
    return live.get("/told", headers={"Authorization": f"Bearer {token}"})


def test_a_user_of_the_hub_comes_in_and_the_hub_is_asked_once(live: LiveHttp, hub: Any) -> None:
    assert [ask(live, "ada").json()["name"] for _ in range(3)] == ["ada"] * 3
    assert ask(live, "bot").json()["name"] == "nightly"
    assert hub.asked == ["ada", "bot"]


def test_those_who_come_at_once_wait_for_one_answer(live: LiveHttp, hub: Any) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(live, "ada").status_code, range(6)))
    assert answers == [200] * 6
    assert hub.asked == ["ada"]


def test_a_token_for_another_service_and_one_that_the_hub_does_not_know_are_refused(
    live: LiveHttp, hub: Any
) -> None:
    for wrong in ("eve", "nobody", "eve"):
        assert ask(live, wrong).status_code == 401
    assert hub.asked == ["eve", "nobody"]


def test_with_a_hub_this_machine_needs_a_token_too(live: LiveHttp, hub: Any) -> None:
    """Servers of other users run on it."""
    assert live.get("/told").status_code == 401
    assert ask(live, live.secret).json()["name"] == "local"
    assert not hub.asked  # our own are no business of the hub


def test_the_groups_of_the_hub_give_roles(live: LiveHttp, hub: Any) -> None:
    post = {"data": b"{}", "headers": {"Authorization": "Bearer ada"}}
    assert live.post("/takes", **post).status_code == 200
    post["headers"] = {"Authorization": "Bearer bot"}
    assert live.post("/takes", **post).status_code == 403


def test_a_hub_that_does_not_answer_is_said_to_be_away_and_asked_again(live: LiveHttp, hub: Any) -> None:
    hub.ill = True
    assert ask(live, "ada").status_code == 503
    hub.ill = False
    assert ask(live, "ada").status_code == 200


def test_the_word_of_the_hub_is_good_for_a_while(
    live: LiveHttp, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(live, "ada").status_code == 200
    users: HubUsers = live.context.tokens.hub  # type: ignore[assignment]
    now = time.monotonic()
    monkeypatch.setattr("isocenter.security.jupyterhub.time.monotonic", lambda: now + 301)
    assert not users.is_known(digest_of("ada"))


def test_requests_through_the_hub_carry_its_path_and_links_keep_it(serve: Callable[..., LiveHttp]) -> None:
    live = serve(http={"prefix": "/services/isocenter/"})
    told = live.get("/services/isocenter/told?x=1").json()
    assert told["base"] == f"http://127.0.0.1:{live.port}/services/isocenter"
    assert live.get("/told").json()["base"] == f"http://127.0.0.1:{live.port}"
    assert live.get("/services/isocenterx/told").status_code == 404
    assert live.get("/services/isocenter").status_code == 404
