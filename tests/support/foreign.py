"""Foreign peers of tests: DCMTK's command line tools, and the files that they send."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom.data
import pytest

FILES = Path(pydicom.data.__file__).parent / "test_files"
CHARSETS = Path(pydicom.data.__file__).parent / "charset_files"

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_tool(tool: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a tool of DCMTK and give what it said; skips the test where it is not installed.

    Nagle's algorithm is off: with it a peer waits 40 ms for each object.
    """
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"DCMTK's {tool} is not installed (Debian: dcmtk)")
    done = subprocess.run(
        [path, *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=100,
        env={**os.environ, "TCP_NODELAY": "1"},
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done
