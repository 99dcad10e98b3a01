"""A keeper killed in the middle of appends: what was told visible is there, and work goes on."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isocenter.catalog.catalog import Catalog

KEEPER = """
import sys
from isocenter.catalog.catalog import Catalog
from isocenter.catalog.rows import RowFacts, to_batch

catalog, version, seq = Catalog(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
heads = {"instances": version} if version >= 0 else {}
while True:
    rows = []
    for seq in range(seq + 1, seq + 21):
        facts = RowFacts(seq, 1, 2, seq, seq, "A", f"o{seq}", 1, "00")
        rows.append((facts, {"00080018": {"vr": "UI", "Value": [f"1.{seq}"]}}))
    heads = catalog.append({"instances": [to_batch(rows)]}, seq=seq, heads=heads)
    if seq % 200 == 0:
        done = catalog.compact("instances", heads["instances"])
        heads = {"instances": heads["instances"] if done.version is None else done.version}
    print(heads["instances"], seq, flush=True)
"""


@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_nothing_that_became_visible_is_lost(tmp_path: Path, rounds: int) -> None:
    version, seq = -1, 0
    dice = random.Random(7)
    for _ in range(rounds):
        command = [sys.executable, "-c", KEEPER, str(tmp_path / "catalog"), str(version), str(seq)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
            assert keeper.stdout is not None
            first = keeper.stdout.readline()
            time.sleep(dice.uniform(0, 0.4))
            keeper.send_signal(signal.SIGKILL)
            told = [line for line in (first, *keeper.stdout.readlines()) if line.endswith("\n")]
        version, seq = map(int, told[-1].split())
        catalog = Catalog(tmp_path / "catalog")
        files = catalog.files("instances", version)
        found = sorted(n for file in files for n in pq.read_table(file, columns=["_seq"])["_seq"].to_pylist())
        assert found == list(range(1, seq + 1))
