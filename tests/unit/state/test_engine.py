"""`state.db` that several processes, and several parts of one process, have open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from isocenter.state import open_state

COMES_AND_GOES = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM token'); c.close()"
)


def test_opening_it_twice_in_a_process_leaves_the_log_of_the_first_alone(tmp_path: Path) -> None:
    """A process that comes and goes removes the log when it thinks that it was the last."""
    first = open_state(tmp_path)
    first.version()
    second = open_state(tmp_path)
    subprocess.run([sys.executable, "-c", COMES_AND_GOES, tmp_path / "state.db"], check=True)
    assert (tmp_path / "state.db-wal").exists()
    first.close()
    second.close()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    open_state(tmp_path).close()
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
