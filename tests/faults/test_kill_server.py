"""kill -9 of a whole server while C-STORE and STOW-RS come in: what `make bench` does 100 times, in short."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_rounds import Ledger, everything_there, rounds

from isocenter.cli.throwaway import server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_nothing_that_a_sender_was_told_is_stored_is_lost(tmp_path: Path) -> None:
    ledger = Ledger()
    for one in rounds(tmp_path / "data", 4, ledger):
        assert one.acknowledged
        assert one.lost == ()
    with server(tmp_path / "data") as running:
        assert everything_there(running, ledger) == []
