"""C-STORE of 0.5 MB CT images: Isocenter, Orthanc and a bare loop, in one run, sent by DCMTK's dcmsend.

Both servers sync to disk as shipped. Nagle's algorithm is on (as shipped) or off at both ends. What was
stored stays until the end: for half a minute after many files were deleted ext4 makes new ones slowly.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness import (
    NAGLE_OFF,
    ORTHANC,
    Row,
    bare_loop,
    ct_files,
    free_port,
    orthanc,
    receiver,
    report,
    together,
)

from isocenter.cli.throwaway import server

COUNT = int(os.environ.get("BENCH_FILES", "1000"))
SHIPPED_COUNT = max(COUNT // 5, 40)  # with Nagle on Orthanc takes 40 ms and more an object
PARALLEL = 8
WARM = 8
REST = 10.0
"""Seconds a server has after its start: ours makes its query processes ready some seconds later."""


def dcmsend(port: int, title: str, files: Sequence[Path]) -> list[str]:
    """One association that sends `files`."""
    return ["dcmsend", "-aec", title, "127.0.0.1", str(port), *map(str, files)]


def warm_up(port: int, title: str, files: Sequence[Path]) -> None:
    """One association a file, so that every process of a server has answered once before it is measured."""
    for file in files:
        together([dcmsend(port, title, [file])], env=NAGLE_OFF)


def rate(port: int, title: str, files: Sequence[Path], associations: int, env: dict[str, str]) -> float:
    """Files a second over so many associations."""
    shares = [files[n::associations] for n in range(associations)]
    return len(files) / together([dcmsend(port, title, share) for share in shares], env=env)


def ours(folder: Path, files: Sequence[Path], associations: int, env: dict[str, str]) -> float:
    """Files a second into a fresh Isocenter."""
    with server(folder) as running:
        warm_up(running.dicom_port, running.ae_title, files[:WARM])
        time.sleep(REST)
        return rate(running.dicom_port, running.ae_title, files[WARM:], associations, env)


def theirs(folder: Path, files: Sequence[Path], associations: int, env: dict[str, str]) -> float:
    """Files a second into a fresh Orthanc."""
    folder.mkdir()
    with orthanc(env, keep=folder) as running:
        warm_up(running.dicom_port, "ORTHANC", files[:WARM])
        time.sleep(REST)
        measured = rate(running.dicom_port, "ORTHANC", files[WARM:], associations, env)
        assert running.count() == len(files)
        return measured


def most(folder: Path, files: Sequence[Path], associations: int, env: dict[str, str]) -> float:
    """Files a second into a receiver that keeps nothing: what the senders can do by themselves."""
    port = free_port()
    with receiver(folder, port, env):
        return rate(port, "RECEIVER", files[WARM:], associations, env)


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        files = ct_files(folder / "files", COUNT + WARM)
        bare = COUNT / bare_loop(files[WARM:], folder / "bare")
        rows = [Row("bare loop: write, fsync, rename, fsync directory", bare, "files/s")]
        cases = (
            ("1 association, Nagle off", files, 1, NAGLE_OFF, "2"),
            ("1 association, as shipped", files[:SHIPPED_COUNT], 1, {}, "10"),
            ("8 associations, Nagle off", files, PARALLEL, NAGLE_OFF, "2.5"),
        )
        for number, (what, some, associations, env, reach) in enumerate(cases):
            ceiling = most(folder / f"most-{number}", some, associations, env)
            rows.append(Row(f"storescp that keeps nothing, {what}", ceiling, "files/s"))
            mine = ours(folder / f"ours-{number}", some, associations, env)
            if associations == 1 and env:
                rows.append(Row(f"C-STORE, {what}", mine, "files/s", "bare loop", mine / bare, "0.6"))
            if ORTHANC is None:
                rows.append(Row(f"C-STORE, {what}", mine, "files/s", "(Orthanc is not installed)"))
                continue
            other = theirs(folder / f"theirs-{number}", some, associations, env)
            rows.append(
                Row(f"C-STORE, {what}", mine, "files/s", f"Orthanc ({other:.0f})", mine / other, reach)
            )
    report("C-STORE of 0.5 MB CT, synced to disk", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
