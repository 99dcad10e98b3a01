"""What holds for every test: time limits are pytest's, since a busy machine makes any single example slow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import PostgresServer

settings.register_profile("isocenter", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("isocenter")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if why := PostgresServer.missing():
        pytest.skip(why)
    with PostgresServer() as server:
        yield server
