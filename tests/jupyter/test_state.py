"""What the extension says about the data server, and starting and stopping it, in a real Jupyter Server."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from live_jupyter import Jupyter, jupyter

from isocenter.client.server_info import ServerInfo


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with jupyter(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def stopped(running: Jupyter) -> Jupyter:
    """It, with no data server; tests that want one start it, unless it runs."""
    assert running.ask("isocenter/server/stop", "POST", b"").status == 200
    return running


def test_nothing_is_started_before_somebody_asks(stopped: Jupyter) -> None:
    state = stopped.state()
    assert (state["mode"], state["state"], state["found"], state["managed"]) == (
        "supervise",
        "stopped",
        False,
        True,
    )
    assert state["hint"]
    refused = stopped.ask("isocenter/proxy/api/system")
    assert refused.status == 503
    assert refused.json()["error"]["hint"]


def test_it_starts_on_demand_on_a_socket_of_its_user_and_is_reached_through_the_proxy(
    running: Jupyter,
) -> None:
    state = running.start()
    info = ServerInfo.read(Path(state["data"]) / "run" / "connection.json")
    assert info is not None
    assert info.token
    assert info.token not in json.dumps(state)
    socket = info.url.removeprefix("http+unix://").replace("%2F", "/")
    assert os.stat(socket).st_mode & 0o777 == 0o600
    assert running.ask("isocenter/proxy/api/system").json()["Version"] == state["version"]


def test_its_log_can_be_read(running: Jupyter) -> None:
    state = running.start()
    assert state["data"] in running.ask("isocenter/server/log?lines=20").json()["text"]


def test_it_stops_cleanly(running: Jupyter) -> None:
    state = running.start()
    told = running.ask("isocenter/server/stop", "POST", b"").json()
    assert told["state"] == "stopped"
    assert not _runs(state["pid"])
    assert not (Path(state["data"]) / "run" / "connection.json").exists()


def test_one_that_is_killed_comes_back(running: Jupyter) -> None:
    before = running.start()
    os.kill(before["pid"], signal.SIGKILL)
    after = running.wait(lambda state: state["state"] == "running" and state["pid"] != before["pid"])
    assert after["restarts"] == before["restarts"] + 1
    assert running.ask("isocenter/proxy/api/system").status == 200


def test_those_alone_are_answered_whom_jupyter_lets_in(running: Jupyter) -> None:
    for path in ("isocenter/server", "isocenter/server/log", "isocenter/proxy/api/system"):
        assert running.ask(path, headers={"Authorization": "token wrong"}).status == 403
        assert running.ask(path, headers={}).status == 403


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_it_ends_with_jupyter(tmp_path: Path, how: int) -> None:
    with jupyter(tmp_path, "--Isocenter.autostart=True") as started:
        pid = started.wait(lambda state: state["state"] == "running")["pid"]
        started.stop(how)
        _gone(pid)
        assert "Traceback" not in started.log.read_text()


@pytest.mark.slow
def test_two_jupyters_of_one_user_share_one_server_and_the_other_takes_over(tmp_path: Path) -> None:
    data = f"--Isocenter.data={tmp_path / 'data'}"
    with jupyter(tmp_path, data) as first, jupyter(tmp_path, data) as second:
        one = first.start()
        two = second.start()
        assert two["pid"] == one["pid"]
        assert (one["managed"], two["managed"]) == (True, False)
        assert second.ask("isocenter/proxy/api/system").status == 200
        assert second.ask("isocenter/server/stop", "POST", b"").status == 409
        first.stop()
        after = second.wait(lambda state: state["state"] == "running" and state["pid"] != one["pid"])
        assert after["managed"]


@pytest.mark.slow
def test_a_folder_that_cannot_be_served_is_given_up_with_the_reason(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text("ae_title = ''")
    with jupyter(tmp_path, f"--Isocenter.data={data}") as started:
        assert started.ask("isocenter/server/start", "POST", b"").status == 200
        state = started.wait(lambda state: state["state"] == "failed")
        assert "ae_title" in state["hint"]
        assert "ae_title" in started.ask("isocenter/proxy/api/system").json()["error"]["hint"]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()


def _gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while _runs(pid):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.1)


def test_stopping_while_it_starts_leaves_no_process_behind(stopped: Jupyter) -> None:
    assert stopped.ask("isocenter/server/start", "POST", b"").status == 200
    assert stopped.ask("isocenter/server/stop", "POST", b"").json()["state"] == "stopped"
    children = psutil.Process(stopped.process.pid).children(recursive=True)
    assert not [child for child in children if "isocenter" in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # ended, or ended and not waited for
        return ""


@pytest.mark.slow
def test_who_names_an_address_gets_it_in_place_of_the_socket(tmp_path: Path) -> None:
    arguments = [f"--Isocenter.arguments={one}" for one in ("--no-dicom", "--workers=1", "--http-port=0")]
    with jupyter(tmp_path, "--Isocenter.mode=supervise", *arguments) as started:
        assert str(started.start()["url"]).startswith("http://127.0.0.1:")
        assert started.ask("isocenter/proxy/api/system").status == 200
