"""100 rounds of kill -9 of the whole server in the middle of ingest by C-STORE and STOW-RS.

Nothing acknowledged may be lost, and at the end `isocenter verify --repair` leaves no orphan. Ends with exit
code 1 if something was lost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Row, report
from kill_rounds import Ledger, Round, everything_there, rounds

from isocenter.cli.throwaway import server

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "100"))
LARGE_EVERY = 10
"""Every so many rounds the objects are of 0.5 MB."""


def orphans(data: Path) -> tuple[int, dict[str, object]]:
    """Files below `objects` that no dataset names after `isocenter verify --repair`, and its last report."""
    command = [sys.executable, "-m", "isocenter", "verify", "--data", str(data), "--json"]
    subprocess.run([*command, "--repair"], stdout=subprocess.DEVNULL, check=False)
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return _unnamed(data), json.loads(told.stdout)


def _unnamed(data: Path) -> int:
    from isocenter.archive import Archive
    from isocenter.config import Settings

    with Archive.open(Settings(data=data)) as archive:
        found = [f.relative_to(data / "objects") for f in (data / "objects").rglob("*") if f.is_file()]
        paths = [str(path) for path in found if not path.name.startswith(".")]
        return len(set(paths) - archive.referenced(paths))


def killed(data: Path, ledger: Ledger) -> list[Round]:
    """All rounds, in turns of small and large objects."""
    done: list[Round] = []
    while len(done) < ROUNDS:
        small = min(LARGE_EVERY - 1, ROUNDS - len(done))
        for count, size in ((small, 64), (min(1, ROUNDS - len(done) - small), 512)):
            for one in rounds(data, count, ledger, seed=len(done), size=size) if count else ():
                done.append(one)
                lost = "; ".join(one.lost) or "nothing lost"
                words = f"round {len(done)}: killed after {one.after:.2f} s, {one.acknowledged} acknowledged"
                print(f"{words}, next start {one.started_in:.1f} s, {lost}", file=sys.stderr, flush=True)
    return done


def main() -> int:
    """Measure and print."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        data = Path(name) / "data"
        done = killed(data, ledger)
        before = _unnamed(data)
        left, told = orphans(data)
        with server(data) as running:
            wrong = everything_there(running, ledger)
    lost = [one for each in done for one in each.lost] + wrong
    report(
        f"{len(done)} rounds of kill -9 in the middle of ingest",
        [
            Row("objects sent", len(ledger.sent), "objects"),
            Row("objects acknowledged", len(ledger.acknowledged), "objects"),
            Row("acknowledged and lost, or not as sent", len(lost), "objects", reach="0"),
            Row("longest start after a kill", max(one.started_in for one in done), "s"),
            Row("orphans before verify --repair", before, "files"),
            Row("orphans after verify --repair", left, "files", reach="0"),
        ],
    )
    print("\n".join([*lost, f"isocenter verify says: {json.dumps(told)}"]), file=sys.stderr)
    return 1 if lost or left else 0


if __name__ == "__main__":
    sys.exit(main())
