from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresServer

from isocenter.archive import Archive, Dataset
from isocenter.config import IndexSettings, Settings

OpenArchive = Callable[..., Archive]

ON_BOTH = {"test_flush", "test_resource_ids", "test_verify"}
"""Modules whose tests run on PostgreSQL too: those where index and catalog meet."""

_names = itertools.count()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which index the archive of a test has; SQLite where nothing is said."""
    if "index_url" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        postgres = [pytest.param("postgres", marks=pytest.mark.postgres)] if both else []
        metafunc.parametrize("index_url", ["sqlite", *postgres], indirect=True)


@pytest.fixture
def index_url(request: pytest.FixtureRequest) -> str | None:
    """A PostgreSQL database of its own for the archive, or None for SQLite files in its folder."""
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database(f"archive_{next(_names)}")


@pytest.fixture
def open_archive(tmp_path: Path, index_url: str | None) -> Iterator[OpenArchive]:
    """Opens the archive of this test, again if asked; all are closed at its end."""
    opened: list[Archive] = []

    def opens(*, query_process: bool = False, **settings: Any) -> Archive:
        index = {"url": index_url, **settings.pop("index", {})}
        told = Settings(data=tmp_path / "data", index=index, **settings)
        archive = Archive.open(told, query_process=query_process)
        opened.append(archive)
        return archive

    yield opens
    for archive in opened:
        archive.close()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive()


@pytest.fixture
def main(archive: Archive) -> Dataset:
    return archive.datasets["main"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", datasets={"lab": {"ae_title": "LAB"}})


@pytest.fixture
def opened(settings: Settings) -> Callable[[], Archive]:
    return lambda: Archive.open(settings, query_process=False)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def index_settings(request: pytest.FixtureRequest) -> IndexSettings:
    """The index in a SQLite file, and in a PostgreSQL database of its own."""
    if request.param == "sqlite":
        return IndexSettings()
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return IndexSettings(url=server.new_database(f"archive_{next(_names)}"))
