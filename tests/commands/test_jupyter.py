"""The Jupyter extension in a real Jupyter Server: which Isocenter server it says a notebook would find."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import environment

from isocenter.connection_file import published


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def jupyter(home: Path) -> Iterator[str]:
    """The URL of a Jupyter Server whose token is `secret`; no Isocenter server is known to it."""
    env = environment(
        home, JUPYTER_RUNTIME_DIR=str(home / "jupyter"), JUPYTER_CONFIG_DIR=str(home / "config")
    )
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--port=0"]
    command += [
        "--ServerApp.jpserver_extensions={'isocenter_jupyter': True}",
        "--IdentityProvider.token=secret",
    ]
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log)
    try:
        yield _url(process, home / "jupyter")
    finally:
        process.terminate()
        process.wait(60)


def test_it_says_what_was_tried_when_there_is_no_server(jupyter: str, home: Path) -> None:
    told = ask(jupyter)
    assert not told["found"]
    assert "isocenter serve" in told["hint"]


def test_it_says_which_server_a_notebook_would_find_and_not_its_token(
    jupyter: str, home: Path, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "runtime"))
    facts = {"url": filled.running.url, "token": filled.running.token, "pid": filled.running.process.pid}
    with published(home / "data", facts):
        told = ask(jupyter)
    assert told["found"]
    assert told["url"] == filled.running.url
    assert told["version"]
    assert filled.running.token not in json.dumps(told)


def test_it_answers_those_alone_whom_jupyter_lets_in(jupyter: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(jupyter, token="wrong")
    refused.value.close()
    assert refused.value.code == 403


def ask(jupyter: str, token: str = "secret") -> Any:
    request = urllib.request.Request(
        f"{jupyter}isocenter/server", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _url(process: subprocess.Popen[bytes], folder: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("jpserver-*.json"):
            try:
                url = str(json.loads(path.read_text())["url"])
                urllib.request.urlopen(f"{url}api", timeout=60).close()
                return url
            except (ValueError, urllib.error.URLError):
                break  # it is being written, or nobody listens yet
        time.sleep(0.1)
    raise AssertionError("Jupyter Server did not start")
