"""kill -9 in the middle of ingest, flush, compaction and snapshots: nothing that was acknowledged is lost.

Rounds: `ISOCENTER_KILL_ROUNDS` (20). Each starts two processes that store with three threads each and one
that keeps the catalog, kills them all at a random moment, and looks at what is left.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isocenter.archive import Archive
from isocenter.config import Settings

ROUNDS = int(os.environ.get("ISOCENTER_KILL_ROUNDS", "20"))
SUPPORT = Path(__file__).parents[1] / "support"


class Starter:
    """Starts processes that store, and kills them."""

    def __init__(self, data: Path, outputs: Path) -> None:
        self.data, self.outputs = data, outputs
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ingest_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SUPPORT)},
            text=True,
        )

    def start(self, name: str, kind: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.data} {name} {kind} {self.outputs / name}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait_for(self, name: str) -> None:
        """Wait until a process was told the first time that an object is stored."""
        while not (path := self.outputs / name).exists() or not path.stat().st_size:
            time.sleep(0.01)

    def acknowledged(self) -> dict[str, str]:
        """SOP Instance UID to digest of every object that any of them was told is stored."""
        lines = [line for path in self.outputs.iterdir() for line in path.read_text().splitlines()]
        return dict(line.split() for line in lines)

    def close(self) -> None:
        self.process.communicate()


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)  # that it is gone by now would be an error of its own
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.005)


@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    chance = random.Random(20)
    settings = Settings(data=tmp_path / "data")
    outputs = tmp_path / "acknowledged"
    outputs.mkdir()
    starter = Starter(settings.data, outputs)
    for number in range(ROUNDS):
        kinds = ("store", "store", "keep")
        children = [starter.start(f"1.{number + 1}.{which}", kind) for which, kind in enumerate(kinds)]
        starter.wait_for(f"1.{number + 1}.1")
        time.sleep(chance.uniform(0.0, 0.7))
        for child in chance.sample(children, len(children)):
            _kill(child)
        _look(settings, starter.acknowledged(), digests=number % 5 == 4 or number == ROUNDS - 1)
    assert len(starter.acknowledged()) > 10 * ROUNDS
    starter.close()


def _look(settings: Settings, acknowledged: dict[str, str], *, digests: bool) -> None:
    with Archive.open(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        stored = {one.SOPInstanceUID: one.sha256 for one in main.instances()}
        assert acknowledged.items() <= stored.items()
        assert not list((settings.data / "objects" / ".incoming").iterdir())
        report = archive.verify(repair=True, digests=digests)
        assert {finding.kind for finding in report.findings} <= {"orphan"}
        assert report.ok
        assert archive.verify(digests=False).findings == []
        assert {info.relpath for info in archive.objects.list()} == {one.object for one in main.instances()}
