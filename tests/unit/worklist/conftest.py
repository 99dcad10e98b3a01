"""A worklist over a real index, on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer

from isocenter.index import Index, open_index
from isocenter.worklist.workitems import Worklist

_names = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    if request.param == "sqlite":
        return tmp_path / "index.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(f"worklist_{next(_names)}")


@pytest.fixture
def index(place: str | Path) -> Iterator[Index]:
    with open_index(place, lock_timeout=10) as opened:
        yield opened


@pytest.fixture
def worklist(index: Index) -> Worklist:
    return Worklist(index)
