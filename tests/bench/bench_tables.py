"""Any-attribute counts and frames over 1M instances, end to end through `/api/tables`.

The predicates are on attributes that the index does not hold, other ones each time. The instances are those
of `grown_archive`; `bench_catalog` measures the same questions without server and HTTP.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from grown_archive import copy, wanted
from harness import Row, report
from web_client import WebClient

from isocenter.cli.throwaway import server
from isocenter.dicom.predicate import And, Range, to_json

TIMES = int(os.environ.get("BENCH_QUERIES", "40"))
FRAME = min(10_000, wanted() // 4)
ARROW = "application/vnd.apache.arrow.stream"
COLUMNS = ["PatientID", "SeriesInstanceUID", "SOPInstanceUID", "XRayTubeCurrent", "SliceLocation", "KVP"]
REACH_COUNT = os.environ.get("BENCH_REACH_COUNT", "50")


def current(dice: random.Random) -> dict[str, Any]:
    """Some tube currents: about half of all instances."""
    low = dice.randrange(80, 240)
    return to_json(Range(("XRayTubeCurrent",), low, low + 160))


def narrow(dice: random.Random) -> dict[str, Any]:
    """Two attributes: about one instance in a hundred."""
    low, place = dice.randrange(80, 380), dice.uniform(-400, 400)
    return to_json(
        And((Range(("XRayTubeCurrent",), low, low + 30), Range(("SliceLocation",), place, place + 100.0)))
    )


def milliseconds(ask: Callable[[], object]) -> list[float]:
    """Of so many askings, the first few left out."""
    taken = []
    for _ in range(TIMES + 3):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken[3:]


def measure(web: WebClient) -> list[Row]:
    """Counts, then frames."""
    dice = random.Random(3)

    def count(where: dict[str, Any]) -> int:
        return int(json.loads(web.post("/api/tables/count", {"level": "instance", "where": where}))["count"])

    def frame(where: dict[str, Any]) -> None:
        asked = {"level": "instance", "where": where, "columns": COLUMNS, "limit": FRAME}
        with pa.ipc.open_stream(web.post("/api/tables/query", asked, ARROW)) as answer:
            assert answer.read_all().num_rows == FRAME

    began = time.perf_counter()
    matching = count(current(dice))
    rows = [Row("first count after the start", (time.perf_counter() - began) * 1000, "ms")]
    rows.append(Row("  instances that it counts", matching, ""))
    kinds: tuple[tuple[str, Callable[[], object], str], ...] = (
        ("count, one attribute", lambda: count(current(dice)), REACH_COUNT),
        ("count, two attributes", lambda: count(narrow(dice)), REACH_COUNT),
        (f"frame of {FRAME:,} rows and 6 columns", lambda: frame(current(dice)), "120"),
    )
    for what, ask, reach in kinds:
        taken = milliseconds(ask)
        rows.append(Row(f"{what}, p50", statistics.median(taken), "ms", reach=f"under {reach}"))
        rows.append(Row(f"{what}, p95", statistics.quantiles(taken, n=20)[-1], "ms"))
    return rows


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        data = copy(wanted(), Path(name) / "data")
        with server(data) as running, WebClient(running.url, running.token) as web:
            report(f"Any attribute over {wanted():,} instances, through /api/tables", measure(web))
    return 0


if __name__ == "__main__":
    sys.exit(main())
