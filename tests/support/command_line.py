"""Runs `isocenter` as a shell does: a process of its own, with its exit code and what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Nobody listens there: what goes through a proxy to a server on this machine does not arrive.
DEAD_PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which no server of this user is found, and whose home is `folder`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ISOCENTER_", "XDG_"))}
    return own | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "runtime"), "COLUMNS": "200"} | more


def isocenter(
    *arguments: object, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; a trace in what it wrote fails the test."""
    told = subprocess.run(
        [sys.executable, "-m", "isocenter", *map(str, arguments)],
        env=dict(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in told.stderr, told.stderr
    return told
