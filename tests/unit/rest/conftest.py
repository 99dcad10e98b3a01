"""`/api` over a real archive in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_archive import LiveArchive, instance, serving


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LiveArchive]]:
    with serving(tmp_path / "data", query_process=False) as start:
        yield start


@pytest.fixture
def web(serve: Callable[..., LiveArchive]) -> LiveArchive:
    return serve()


@pytest.fixture
def make() -> Callable[..., bytes]:
    return instance
