"""The job `verify`: is everything that was acknowledged there, unchanged (`archive.verify`).

Its file `findings.json` has every finding, its result their numbers and the first of them.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from isocenter.archive.verify import INDEX, MISSING, Finding, Report
from isocenter.dicom.levels import Level
from isocenter.jobs.job import Outcome
from isocenter.jobs.kinds import Kind
from isocenter.jobs.run import Run
from isocenter.security import Action

_SHOWN = 100
_FILE = "findings.json"


def _verify(run: Run) -> Outcome:
    archive, tally = run.archive, _Tally(run)
    report = archive.verify(
        repair=run.parameters.get("repair", False),
        digests=run.parameters.get("digests", True),
        progress=tally.tell,
    )
    (run.folder / _FILE).write_text(json.dumps([asdict(one) for one in report.findings], indent=1))
    return Outcome(_result(report), _FILE, "application/json")


class _Tally:
    """One count for all that verify counts: the instances of every dataset, and a step for what follows."""

    def __init__(self, run: Run) -> None:
        self._run = run
        datasets = run.archive.datasets
        self._expected = {f"objects of {name}": one.count(Level.INSTANCE) for name, one in datasets.items()}
        self._expected |= {f"catalog of {name}": 1 for name in datasets} | {"orphans": 1}
        self._done: dict[str, int] = {}

    def tell(self, what: str, done: int, of: int) -> None:
        self._expected[what] = max(of, self._expected.get(what, 0))
        self._done[what] = done
        self._run.tell(what, sum(self._done.values()), sum(self._expected.values()))


def _result(report: Report) -> dict[str, object]:
    kinds = sorted({one.kind for one in report.findings})
    return {
        "ok": report.ok,
        "objects": report.objects,
        "size": report.size,
        "counts": {kind: report.count(kind) for kind in kinds},
        "findings": [asdict(one) for one in sorted(report.findings, key=_grave)[:_SHOWN]],
    }


def _grave(finding: Finding) -> tuple[bool, bool, str]:
    return finding.repaired, finding.kind not in (MISSING, INDEX), finding.kind


VERIFY = Kind(
    "verify",
    "Whether every stored object is there and unchanged, and index and catalog agree",
    _verify,
    {"digests": bool, "repair": bool},
    Action.ADMINISTER,
    of_server=True,
)
