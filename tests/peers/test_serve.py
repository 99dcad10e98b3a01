"""`isocenter serve` as its administrator sees it: who may connect, what errors say, what survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import those
from pynetdicom import AE

from isocenter.cli.throwaway import Running, server
from isocenter.supervisor import SILENCE

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    with server(folder / "data", workers=2, log=folder / "log") as made:
        yield made


def isocenter(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isocenter", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=120
    )


def status_of(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def echo(running: Running) -> int:
    caller = AE("CALLER")
    caller.add_requested_context("1.2.840.10008.1.1")
    association = caller.associate(running.dicom_host, running.dicom_port, ae_title=running.ae_title)
    assert association.is_established
    status = association.send_c_echo().Status
    association.release()
    return int(status)


def workers_of(running: Running) -> list[psutil.Process]:
    """Processes that hold the HTTP listener: workers, not the keeper, not the query process."""
    port = int(running.url.rpartition(":")[2])

    def listens(process: psutil.Process) -> bool:
        connections = process.net_connections("tcp")
        return port in {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}

    return those(psutil.Process(running.process.pid).children(), listens)


def test_the_connection_file_is_for_its_owner_alone(running: Running) -> None:
    path = running.data / "run" / "connection.json"
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text())
    assert told["url"] == running.url
    assert told["dicom"]["port"] == running.dicom_port


def test_http_and_dicom_answer(running: Running) -> None:
    assert status_of(f"{running.url}/healthz") == 200
    assert echo(running) == 0x0000


def test_metrics_of_all_processes_are_told(running: Running) -> None:
    with urllib.request.urlopen(f"{running.url}/metrics") as answer:
        assert b"isocenter_http_active" in answer.read()


def test_a_second_server_on_the_folder_says_what_to_do(running: Running) -> None:
    told = isocenter("serve", "--data", str(running.data), "--http-port", "0", "--dicom-port", "0")
    assert told.returncode == 2
    assert "Another Isocenter server runs" in told.stderr
    assert "--data" in told.stderr


def test_a_taken_port_says_what_to_do(running: Running, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    told = isocenter("serve", "--data", str(tmp_path), "--http-port", port, "--dicom-port", "0")
    assert told.returncode == 2
    assert "--http-port" in told.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "127.evil.example", "::ffff:10.0.0.7"])
def test_without_a_token_it_refuses_to_listen_beyond_this_machine(tmp_path: Path, host: str) -> None:
    told = isocenter("serve", "--data", str(tmp_path), "--http-host", host, "--http-port", "0")
    assert told.returncode == 2
    assert "nothing listens beyond this machine" in told.stderr
    assert "isocenter token create" in told.stderr


def test_without_a_token_it_refuses_to_answer_pages_of_any_site(tmp_path: Path) -> None:
    told = isocenter("serve", "--data", str(tmp_path), ISOCENTER_HTTP__CORS_ORIGINS='["*"]')
    assert told.returncode == 2
    assert "http.cors_origins" in told.stderr
    assert "isocenter token create" in told.stderr


def test_doctor_finds_the_running_server(running: Running) -> None:
    told = isocenter("doctor", "--data", str(running.data), "--json")
    findings = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert findings["server"]["verdict"] == "ok"
    assert running.url in findings["server"]["told"]


def test_a_stopped_worker_lets_no_connection_hang(running: Running) -> None:
    """A stalled process accepts nothing; the other takes what comes, and the stalled one is replaced."""
    victim = workers_of(running)[0]
    victim.send_signal(signal.SIGSTOP)
    slowest = 0.0
    for _ in range(30):
        started = time.monotonic()
        assert status_of(f"{running.url}/healthz") == 200
        assert echo(running) == 0x0000
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < SILENCE, "it waited until the stalled one was replaced"
    gone, _ = psutil.wait_procs([victim], timeout=60)
    assert gone
    assert _soon(lambda: len(workers_of(running)) == 2)


def test_a_killed_worker_is_replaced(running: Running) -> None:
    victim = workers_of(running)[0]
    victim.kill()
    assert _soon(
        lambda: len(workers_of(running)) == 2 and victim.pid not in [p.pid for p in workers_of(running)]
    )
    assert status_of(f"{running.url}/healthz") == 200


def test_once_a_token_exists_every_request_needs_one(running: Running) -> None:
    """Runs last in this module: the server is guarded from then on."""
    url = f"{running.url}/api/system"
    assert _soon(lambda: status_of(url) == 200), "a worker that replaces a killed one may still be opening"
    made = isocenter("token", "create", "test", "--data", str(running.data), "--json")
    token = json.loads(made.stdout)
    assert status_of(url) == 401
    assert status_of(f"{running.url}/healthz") == 200
    assert status_of(url, token["secret"]) == 200
    assert status_of(url, running.token) == 200, "the connection file's token works all the same"
    isocenter("token", "revoke", token["id"], "--data", str(running.data))
    assert status_of(url, token["secret"]) == 401, "who held it is not the owner because it was the last"
    assert status_of(url) == 200, "without any, this machine needs none"


def test_a_server_told_to_stop_ends_cleanly_and_takes_its_connection_file_along(tmp_path: Path) -> None:
    with server(tmp_path, workers=1) as running:
        path = running.data / "run" / "connection.json"
        assert path.exists()
        children = psutil.Process(running.process.pid).children(recursive=True)
    assert running.process.returncode == 0
    assert not path.exists()
    assert _soon(lambda: not those(children, psutil.Process.is_running))


def test_children_of_a_killed_server_end_by_themselves(tmp_path: Path) -> None:
    with server(tmp_path, workers=1) as running:
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        _, left = psutil.wait_procs(children, timeout=60)
        assert not left


def _soon(true: object, within: float = 60.0) -> bool:
    assert callable(true)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.2)
    return False
