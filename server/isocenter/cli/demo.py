"""`isocenter demo`: the main job on real files, from sending to finding, on a throw-away server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from isocenter.cli import output
from isocenter.cli.demo_peers import Sent, c_find_studies, c_store, qido_studies, stow
from isocenter.cli.throwaway import Running, server
from isocenter.datasets.gathering import Gathered, installed_files, phantom_files


def run(*, as_json: bool, keep: Path | None, slices: int) -> int:
    """Start, gather, send twice, find three times, print, stop. Exit code 1 if the answers disagree."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-files-")))
        _say("Generating a head CT, its dose report, a CBCT and a panoramic; gathering pydicom's files")
        files = gather(scratch, slices=slices)
        _say(
            "Starting a server on free ports with a throw-away data folder"
            if keep is None
            else f"Serving {keep}"
        )
        running = stack.enter_context(server(keep))
        sent, found = show(running, files, quiet=as_json)
    took = time.perf_counter() - started
    if as_json:
        output.tell_json({"sent": [s.to_json() for s in sent], "found": found, "seconds": round(took, 1)})
    else:
        output.out.print(f"The server stopped cleanly. All in {took:.0f} s.", style="dim", highlight=False)
    return 0 if len(set(found.values())) == 1 and all(s.stored for s in sent) else 1


def show(
    running: Running, files: list[Gathered], *, quiet: bool = False
) -> tuple[list[Sent], dict[str, int]]:
    """The main job: send the files twice, find them three times, print both unless quiet."""
    sent = send(running, files)
    found = find(running)
    if not quiet:
        _print(sent, found)
    return sent, found


def gather(scratch: Path, *, slices: int) -> list[Gathered]:
    """The phantoms, written to `scratch`, and every object of pydicom and pydicom-data."""
    return [*phantom_files(scratch, slices=slices), *installed_files()]


def send(running: Running, files: list[Gathered]) -> list[Sent]:
    """All files by C-STORE, then all by STOW-RS."""
    with output.progress() as bar:
        first = bar.add_task("C-STORE", total=len(files))
        by_dimse = c_store(running, files, lambda: bar.advance(first))
        second = bar.add_task("STOW-RS", total=len(files))
        by_web = stow(running, files, lambda: bar.advance(second))
    return [by_dimse, by_web]


def find(running: Running) -> dict[str, int]:
    """Number of studies by each way of asking."""
    command = [sys.executable, "-m", "isocenter", "find", "--level", "study", "--format", "json"]
    told = subprocess.run(command, env=running.environment(), capture_output=True, text=True, check=True)
    return {
        "C-FIND": c_find_studies(running),
        "QIDO-RS": qido_studies(running),
        "isocenter find": len(json.loads(told.stdout)),
    }


def _say(text: str) -> None:
    output.err.print(text, style="dim", highlight=False)


def _print(sent: list[Sent], found: dict[str, int]) -> None:
    columns = ("by", "files", "stored", "refused", "MB", "files/s", "MB/s")
    rows: list[tuple[Any, ...]] = [
        (
            s.way,
            s.files,
            s.stored,
            s.refused.total(),
            f"{s.size / 1e6:.1f}",
            f"{(s.files - s.unsent) / s.seconds:.0f}",
            f"{s.size / 1e6 / s.seconds:.1f}",
        )
        for s in sent
    ]
    output.table(columns, rows, title="Sent (rates are this sender's)", right=set(columns[1:]))
    reasons = [(s.way, number, reason) for s in sent for reason, number in s.refused.most_common()]
    if reasons:
        output.table(("by", "files", "refused because"), reasons, right={"files"})
    output.table(("asked by", "studies"), found.items(), title="Found", right={"studies"})
