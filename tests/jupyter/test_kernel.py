"""A notebook finds the data server of its Jupyter by `isocenter.connect()`, with nothing to fill in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient
from live_jupyter import Jupyter, jupyter
from recorder import recorder

from isocenter.connection_file import published

ASK = "import isocenter; archive = isocenter.connect(); print(archive.url, archive.instances.count())"


def run(jupyter: Jupyter, code: str) -> str:
    """What a cell of a new notebook of this Jupyter prints."""
    told = jupyter.ask("api/kernels", "POST", b"{}")
    assert told.status == 201, told.body
    client = BlockingKernelClient(
        connection_file=str(jupyter.home / "jupyter" / f"kernel-{told.json()['id']}.json")
    )
    client.load_connection_file()
    client.start_channels()
    words: list[str] = []
    try:
        _wait(client)
        client.execute_interactive(
            code, timeout=100, output_hook=lambda message: words.append(json.dumps(message["content"]))
        )
    finally:
        client.stop_channels()
        jupyter.ask(f"api/kernels/{told.json()['id']}", "DELETE")
    return "".join(words)


def _wait(client: BlockingKernelClient) -> None:
    """Until it answers; a kernel whose heart does not beat yet is taken for dead by the client."""
    deadline = time.monotonic() + 60
    while True:
        try:
            client.wait_for_ready(timeout=60)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@pytest.mark.slow
def test_the_first_connect_starts_it_and_no_other_server_of_this_user_is_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorder() as other, jupyter(tmp_path, f"--Isocenter.data={tmp_path / 'data'}") as running:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
        with published(tmp_path / "other", {"url": other.url, "token": "x", "pid": os.getpid()}):
            assert running.state()["state"] == "stopped"
            told = run(running, ASK)
            state = running.state()
        assert state["state"] == "running"
        assert state["url"] + " 0" in told


@pytest.mark.slow
def test_in_auto_mode_a_server_that_runs_already_is_shared_with_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorder() as other, jupyter(tmp_path) as running:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
        with published(tmp_path / "other", {"url": other.url, "token": "x", "pid": os.getpid()}):
            assert other.url in run(running, "import isocenter; print(isocenter.connect().url)")
            assert running.state()["url"] == other.url


@pytest.mark.slow
def test_a_server_that_cannot_start_is_told_in_the_notebook_with_the_reason(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text("ae_title = ''")
    with jupyter(tmp_path, f"--Isocenter.data={data}") as running:
        assert "ae_title" in run(running, ASK)
