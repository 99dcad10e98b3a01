"""De-identification of 0.5 MB CT files in one process, beside dicognito and dicom-anonymizer, and over cores.

Ours counts everything that `isocenter deid` does: second reader, report, DICOMDIR. The others read, change
and write. Rates are files a second of processor time, the best of some rounds taken in turns; over cores of
wall time, the start of the processes included: a run of as many processes as there are cores, beside one of
one process, and beside as many runs that know nothing of each other and share the files, which is what the
machine can do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import pydicom

sys.path.insert(0, str(Path(__file__).parent))
from harness import Row, ct_files, report

from isocenter.deid import Deidentifier, Key

FILES, ROUNDS = 200, 2
MANY = 2000
"""Files that are shared by processes, whose start takes 0.7 s."""
OPTIONS = ("modified-dates", "clean-descriptors")


def ours(folder: Path, target: Path, *, workers: int = 1) -> None:
    """All that a run does."""
    done = Deidentifier(Key(bytes(32)), options=OPTIONS).folder(folder, target, workers=workers)
    if done.out != done.files:
        raise SystemExit(f"{done.files - done.out} files did not come out")


def by_dicognito(folder: Path, target: Path) -> None:
    """As its command does, a file after the other."""
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="bench")
    target.mkdir()
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        anonymizer.anonymize(dataset)
        dataset.save_as(target / path.name)


def by_dicom_anonymizer(folder: Path, target: Path) -> None:
    """As its command does, a file after the other."""
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file

    target.mkdir()
    for path in sorted(folder.iterdir()):
        anonymize_dicom_file(str(path), str(target / path.name))


def rate(doing: Callable[[Path, Path], None], folder: Path, root: Path, clock: Callable[[], float]) -> float:
    """Files a second."""
    with tempfile.TemporaryDirectory(dir=root) as target:
        number = len(list(folder.iterdir()))
        began = clock()
        doing(folder, Path(target, "out"))
        return number / (clock() - began)


def by_runs_apart(folder: Path, target: Path) -> None:
    """As many runs at once as there are cores, each of its share of the files."""
    cores = os.cpu_count() or 1
    runs = []
    for number in range(cores):
        share = folder.with_name(f"{target.parent.name}-{number}")
        share.mkdir()
        for path in sorted(folder.iterdir())[number::cores]:
            os.link(path, share / path.name)
        arguments = (__file__, str(share), str(target.with_name(f"out-{number}")))
        runs.append(subprocess.Popen([sys.executable, *arguments]))
    codes = [run.wait() for run in runs]
    if any(codes):
        raise SystemExit("a run failed")


def over_cores(root: Path) -> list[Row]:
    """One process, one a core, as many runs apart: the best of some rounds, files a second of wall time."""
    cores = os.cpu_count() or 1
    ways = {"one": ours, "together": partial(ours, workers=cores), "apart": by_runs_apart}
    ct_files(root / "many", MANY)
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for way, doing in ways.items():
            best[way] = max(best[way], rate(doing, root / "many", root, perf_counter))
    together, one, apart = best["together"], best["one"], best["apart"]
    return [
        Row(f"one run of {cores} processes, wall", together, "files/s", "one process", together / one),
        Row(f"the same, beside {cores} runs apart", apart, "files/s", "is the run", together / apart),
    ]


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    others = {"dicognito": by_dicognito, "dicom-anonymizer": by_dicom_anonymizer}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ct_files(root / "in", FILES)
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            for tool, doing in {"isocenter": ours, **others}.items():
                best[tool] = max(best.get(tool, 0.0), rate(doing, root / "in", root, process_time))
        own = best["isocenter"]
        rows = [Row("isocenter, one process", own, "files/s", reach=">= 200")]
        rows += [Row(tool, best[tool], "files/s", "are ours", own / best[tool]) for tool in others]
        rows += over_cores(root)
        report("De-identification of CT files of 0.5 MB", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ours(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main()
