"""`isocenter bench`: run the measurements of a checkout, one after another, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from isocenter.cli import output
from isocenter.errors import BadRequest, NotFound


def run(arguments: Sequence[str], *, as_json: bool) -> int:
    """Run `tests/bench/bench_*.py`, or those named; exit code 1 if one failed.

    Args:
        arguments: names without `bench_` and `.py`; what follows `--` is handed to each.
        as_json: hand `--json` to each.
    """
    names = [a for a in arguments if not a.startswith("-")]
    options = [a for a in arguments if a.startswith("-")] + (["--json"] if as_json else [])
    known = {path.stem.removeprefix("bench_"): path for path in sorted(_folder().glob("bench_*.py"))}
    if unknown := [name for name in names if name not in known]:
        raise BadRequest(f"No measurement {unknown[0]!r}", hint="one of " + ", ".join(known))
    failed = []
    for name in names or known:
        output.err.rule(name, style="dim")
        if subprocess.run([sys.executable, known[name], *options], check=False).returncode:
            failed.append(name)
    if failed:
        output.err.print(f"Failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


def _folder() -> Path:
    for place in (Path.cwd(), *Path.cwd().parents):
        if (place / "tests" / "bench").is_dir() and (place / "server" / "isocenter").is_dir():
            return place / "tests" / "bench"
    raise NotFound(
        "The measurements are in a checkout of Isocenter, not in the installed package",
        hint="git clone it, then `make bench` there",
    )
