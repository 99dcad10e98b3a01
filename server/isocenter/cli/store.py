"""`isocenter store`: files, folders and zip files into a running server, with a result a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isocenter.cli import output
from isocenter.client.connect import connect
from isocenter.client.store import StoreReport


def run(paths: Sequence[Path], *, url: str | None, token: str | None, dataset: str, as_json: bool) -> int:
    """Store and print what became of each; exit code 1 if one was refused."""
    with connect(url, token, dataset=dataset) as archive:
        report = archive.store(list(paths), progress=not as_json)
    if as_json:
        output.tell_json([result.__dict__ for result in report.results])
    else:
        _print(report)
    return 1 if report.failed else 0


def _print(report: StoreReport) -> None:
    size = sum(result.size for result in report.stored)
    rate = size / 1e6 / report.seconds if report.seconds else 0.0
    line = f"{len(report.stored)} stored ({size / 1e6:.1f} MB, {rate:.0f} MB/s)"
    line += f", {len(report.failed)} refused, {len(report.skipped)} left out"
    output.out.print(line, highlight=False)
    reasons = Counter((r.outcome, r.reason) for r in report.results if r.outcome != "stored")
    if reasons:
        rows = [(outcome, count, reason) for (outcome, reason), count in reasons.most_common()]
        output.table(("outcome", "files", "because"), rows, right={"files"})
    for result in report.failed:
        output.err.print(
            f"refused: {result.name}: {result.reason}", highlight=False, soft_wrap=True, markup=False
        )
