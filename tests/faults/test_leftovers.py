"""A server leaves nothing behind in the temporary folder of its machine, whether it is stopped or killed."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from data_sets import data_set, part10
from web_client import WebClient

from isocenter.cli.throwaway import Running, server


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of the servers that this test starts; not that of the test itself."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def work(running: Running) -> None:
    """Have the query process and the pool do something."""
    with WebClient(running.url, running.token) as web:
        assert web.store([part10(data_set(KVP="120", pixels=bytes(200), Rows=10, Columns=10))])
        assert len(web.search("instances", {"KVP": "120"})) == 1


def kill(running: Running) -> None:
    """End every process of the server at once."""
    family = [running.process.pid, *(one.pid for one in psutil.Process(running.process.pid).children(True))]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    running.process.wait()
    psutil.wait_procs([psutil.Process(pid) for pid in family if psutil.pid_exists(pid)], timeout=60)


def test_a_stopped_or_killed_server_leaves_no_temporary_file(tmp_path: Path, temporary: Path) -> None:
    with server(tmp_path / "data", workers=1) as running:
        work(running)
        kill(running)
    assert list(temporary.iterdir()) == []
    scratch = tmp_path / "data" / "run" / "scratch"
    (scratch / "left-by-the-dead").touch()
    with server(tmp_path / "data", workers=1) as running:
        work(running)
        assert not (scratch / "left-by-the-dead").exists()
    assert list(temporary.iterdir()) == []
    assert list(scratch.iterdir()) == []
