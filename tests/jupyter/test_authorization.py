"""Every verb of every route is asked of Jupyter's authorizer as the table says, and of nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_jupyter import TOKEN, Jupyter, jupyter
from recorder import Recorder, recorder
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from isocenter_jupyter.authorization import ACTIONS

SUPPORT = Path(__file__).parents[1] / "support"
PATHS = {
    "state": "isocenter/server",
    "log": "isocenter/server/log",
    "start": "isocenter/server/start",
    "stop": "isocenter/server/stop",
    "data": "isocenter/proxy/dicom-web/studies",
    "question": "isocenter/proxy/api/tables/query",
}
ALL = sorted(set(ACTIONS.values()))


@pytest.fixture(scope="module")
def record() -> Iterator[Recorder]:
    with recorder() as running:
        yield running


@pytest.fixture(scope="module")
def strict(record: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    home = tmp_path_factory.mktemp("home")
    (home / "denied.json").write_text("[]")
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    options = ["--ServerApp.authorizer_class=denying.Denying", f"--Isocenter.url={record.url}"]
    with jupyter(home, *options, PYTHONPATH=path, DENIED=str(home / "denied.json")) as started:
        yield started


def ask(strict: Jupyter, route: str, verb: str, denied: list[tuple[str, str]]) -> int:
    (strict.home / "denied.json").write_text(json.dumps(denied))
    body = b"{}" if verb in ("POST", "PUT", "PATCH") else None
    return strict.ask(PATHS[route], verb, body).status


@pytest.mark.parametrize(("route", "verb"), sorted(ACTIONS))
def test_a_verb_is_refused_to_whom_its_action_is_denied_and_asks_for_no_other(
    strict: Jupyter, record: Recorder, route: str, verb: str
) -> None:
    wanted = ACTIONS[route, verb]
    record.requests.clear()
    assert ask(strict, route, verb, [wanted]) == 403
    assert not record.requests
    # An attached server is not ours to stop (409); asking is allowed all the same.
    assert ask(strict, route, verb, [pair for pair in ALL if pair != wanted]) in (200, 409)


@pytest.mark.parametrize("route", sorted(PATHS))
def test_verbs_that_the_table_does_not_have_are_no_way_in(strict: Jupyter, route: str) -> None:
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {verb for name, verb in ACTIONS if name == route}:
        if route != "question":  # any other verb of that path is one of `data`
            assert ask(strict, route, verb, []) == 405


def test_odd_methods_are_refused(strict: Jupyter) -> None:
    assert strict.ask(PATHS["data"], "TRACE").status in (403, 405)
    assert strict.ask(PATHS["data"], "PROPFIND").status in (403, 405)


async def test_a_websocket_is_asked_about_too(strict: Jupyter) -> None:
    (strict.home / "denied.json").write_text(json.dumps([ACTIONS["data", "GET"]]))
    where = f"{strict.proxy.replace('http', 'ws', 1)}/dicom-web/subscribers/ADA"
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(HTTPRequest(where, headers={"Authorization": f"token {TOKEN}"}))
    assert refused.value.code == 403
