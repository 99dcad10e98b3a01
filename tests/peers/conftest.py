"""A live DICOM server for foreign peers, and a port for those that listen themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import Run, run_tool
from live_dicom import LiveServer, bound, live


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with bound() as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path, free_port: int) -> Iterator[LiveServer]:
    """An empty server that knows the peer DST at `free_port`."""
    with live(tmp_path / "data", peers={"DST": {"host": "127.0.0.1", "port": free_port}}) as running:
        yield running


@pytest.fixture
def dcmtk() -> Run:
    """Runs a tool of DCMTK: `dcmtk("echoscu", "-v", ..., check=True)`."""
    return run_tool
