"""De-identification of 0.5 MB CT files in one process, beside dicognito and dicom-anonymizer, and over cores.

Ours counts everything that `isocenter deid` does: second reader, report, DICOMDIR. The others read, change
and write. Rates are files a second of processor time, the best of some rounds taken in turns; over cores of
wall time, the start of the processes included.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import pydicom

sys.path.insert(0, str(Path(__file__).parent))
from harness import Row, ct_files, report

from isocenter.deid import Deidentifier, Key

FILES, ROUNDS = 200, 2
MANY = 4000
"""Files that are shared by processes: enough that their start (0.7 s) is lost in it."""
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
        cores = os.cpu_count() or 1
        ct_files(root / "many", MANY)
        one = rate(ours, root / "many", root, perf_counter)
        many = rate(lambda a, b: ours(a, b, workers=cores), root / "many", root, perf_counter)
        rows.append(Row(f"isocenter, {cores} processes, wall", many, "files/s", "one", many / one))
        report("De-identification of CT files of 0.5 MB", rows)


if __name__ == "__main__":
    main()
