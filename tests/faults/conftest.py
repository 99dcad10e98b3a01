from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MakeDisk = Callable[[int], Path]


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[MakeDisk]:
    """Makes a file system of its own with so many MiB; skipped where we may not mount one."""
    mounted: list[Path] = []

    def make(mebibytes: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"]
        if os.geteuid() != 0 or subprocess.run(["mount", *options, place], check=False).returncode:
            pytest.skip("needs the right to mount a tmpfs; tests/unit/objects has the same by RLIMIT_FSIZE")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)
