"""`make test` on a machine where Debian packages cannot be installed: it says so and goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "system_packages.sh"


@pytest.mark.parametrize("failing", ["update", "install"])
def test_a_package_that_cannot_be_installed_stops_no_test(tmp_path: Path, failing: str) -> None:
    """A machine without DCMTK whose apt-get fails: no network, or held packages."""
    for name in ("ls", "rm"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    stub(tmp_path / "id", "echo 1000")
    stub(tmp_path / "apt-get", "")
    # In place of the administrator; nothing of this machine is changed.
    stub(tmp_path / "sudo", f'case "$*" in *{failing}*) echo "E: no {failing}" >&2; exit 100;; esac; exit 0')
    told = subprocess.run(
        ["/bin/sh", SCRIPT],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 0
    assert f"E: no {failing}" in told.stderr
    assert "Could not install" in told.stdout
    assert "dcmtk" in told.stdout
    assert "skipped" in told.stdout


def stub(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
