"""A worklist over a real index, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.index import Index, open_index
from isocenter.worklist.workitems import Worklist


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with open_index(tmp_path / "index.db", lock_timeout=10) as opened:
        yield opened


@pytest.fixture
def worklist(index: Index) -> Worklist:
    return Worklist(index)
