"""Ingest at 1M instances in the index beside ingest at 10k: the same files, sent by dcmsend to two servers.

Both servers run all the time; the rounds alternate, and which one begins alternates too, since disks and
machines change their mind from minute to minute. Medians are compared.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench_store import rate, warm_up
from grown_archive import copy, wanted
from harness import NAGLE_OFF, Row, ct_files, report

from isocenter.cli.throwaway import Running, server

SMALL = 10_000
COUNT = int(os.environ.get("BENCH_FILES", "400"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
WARM = 8


def one_round(servers: Sequence[Running], files: Sequence[Path], associations: int) -> list[float]:
    """Files a second into each server, in the order given."""
    return [rate(one.dicom_port, one.ae_title, files, associations, NAGLE_OFF) for one in servers]


def measure(folder: Path) -> list[Row]:
    """Alternate between the two."""
    made = ct_files(folder / "files", ROUNDS * 2 * COUNT + WARM)
    rates: dict[int, tuple[list[float], list[float]]] = {1: ([], []), 8: ([], [])}
    with server(copy(SMALL, folder / "small")) as small, server(copy(wanted(), folder / "large")) as large:
        for one in (small, large):
            warm_up(one.dicom_port, one.ae_title, made[:WARM])
        left = iter(range(WARM, len(made), COUNT))
        for number in range(ROUNDS):
            for associations, (at_small, at_large) in rates.items():
                start = next(left)
                files = made[start : start + COUNT]
                order = (small, large) if number % 2 else (large, small)
                measured = dict(zip(order, one_round(order, files, associations), strict=True))
                at_small.append(measured[small])
                at_large.append(measured[large])
    return [row for associations, both in rates.items() for row in _rows(associations, *both)]


def _rows(associations: int, at_small: Sequence[float], at_large: Sequence[float]) -> list[Row]:
    what = f"{associations} association{'s' if associations > 1 else ''}"
    mine, other = statistics.median(at_large), statistics.median(at_small)
    pairs = [large / small for large, small in zip(at_large, at_small, strict=True)]
    spread = f"{min(pairs):.2f} to {max(pairs):.2f} by round"
    reach = "0.9" if associations == 1 else ""
    return [
        Row(f"C-STORE at {SMALL:,}, {what}", other, "files/s"),
        Row(
            f"C-STORE at {wanted():,}, {what}",
            mine,
            "files/s",
            f"at {SMALL:,}; {spread}",
            mine / other,
            reach,
        ),
    ]


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        report(f"Ingest of {COUNT} CT images of 0.5 MB a round, {ROUNDS} rounds", measure(Path(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
