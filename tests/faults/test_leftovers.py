"""A server leaves nothing behind in the temporary folder of its machine, whether it is stopped or killed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from data_sets import data_set, part10
from kill_rounds import kill_all
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


def test_a_stopped_or_killed_server_leaves_no_temporary_file(tmp_path: Path, temporary: Path) -> None:
    with server(tmp_path / "data", workers=1) as running:
        work(running)
        kill_all(running)
    assert list(temporary.iterdir()) == []
    scratch = tmp_path / "data" / "run" / "scratch"
    (scratch / "left-by-the-dead").touch()
    with server(tmp_path / "data", workers=1) as running:
        work(running)
        assert not (scratch / "left-by-the-dead").exists()
    assert list(temporary.iterdir()) == []
    assert list(scratch.iterdir()) == []
