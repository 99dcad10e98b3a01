"""An open index on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer

from isocenter.index import Index, open_index

_names = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where an index may be opened: a SQLite file, or a PostgreSQL database of its own."""
    if request.param == "sqlite":
        return tmp_path / "index.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(f"test_{next(_names)}")


@pytest.fixture
def index(place: str | Path) -> Iterator[Index]:
    with open_index(place, lock_timeout=10) as opened:
        yield opened
