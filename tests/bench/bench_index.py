"""The index alone: group commit, flatness from 10k to 1M instances, search, reset, several writers.

Two indexes are filled with generated rows (`--quick` makes the large one small), then measured in turns of
the same length, so that both meet the same neighbours on the machine. A bare loop that appends the same bytes
to a file and syncs it after each group says what the disk allows.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from generated_index import HEADER, SERIES_LENGTH, SERIES_PER_STUDY, fill, generated
from harness import Row, report

from isocenter.dicom.expression import parse
from isocenter.dicom.levels import Level
from isocenter.index import GroupCommit, Index, Outcome, open_index

GROUP = 64
SMALL, LARGE = 10_000, 20_000 if "--quick" in sys.argv else 1_000_000
ROUNDS, GROUPS = 10, 30
AHEAD = 50_000_000  # instances stored while measuring are numbered from here, so that none is known


def commits(index: Index, start: int, groups: int) -> list[float]:
    """Seconds of each commit of a group."""
    source = generated(start)
    made = [list(itertools.islice(source, GROUP)) for _ in range(groups)]
    seconds = []
    for group in made:
        began = time.perf_counter()
        index.writer.commit(group)
        seconds.append(time.perf_counter() - began)
    return seconds


def bare(path: Path, groups: int) -> list[float]:
    """Seconds of appending a group's headers to a file, and syncing it."""
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(groups):
            began = time.perf_counter()
            file.write(HEADER * GROUP)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    return seconds


def queued(index: Index, start: int, count: int) -> float:
    """Rows a second through the group commit thread, from one thread that never waits for an answer."""
    made = list(itertools.islice(generated(start), count))
    commit = GroupCommit(index.writer)
    began = time.perf_counter()
    futures: list[Future[Outcome]] = [commit.submit(put) for put in made]
    for future in futures:
        future.result()
    took = time.perf_counter() - began
    commit.close()
    return count / took


def rows_of_commits(folder: Path, small: Index, large: Index) -> list[Row]:
    """Group commits in turns: small index, large index, bare file."""
    at_small: list[float] = []
    at_large: list[float] = []
    on_disk: list[float] = []
    for number in range(ROUNDS):
        start = AHEAD + number * GROUPS * GROUP
        order: list[Callable[[], None]] = [
            lambda start=start: at_small.extend(commits(small, start, GROUPS)),  # type: ignore[misc]
            lambda start=start: at_large.extend(commits(large, start, GROUPS)),  # type: ignore[misc]
            lambda: on_disk.extend(bare(folder / "bare", GROUPS)),
        ]
        for turn in order if number % 2 else reversed(order):
            turn()
    rate_small, rate_large = (GROUP * len(one) / sum(one) for one in (at_small, at_large))
    medians = statistics.median(at_small) / statistics.median(at_large)
    bare_rate = GROUP * len(on_disk) / sum(on_disk)
    return [
        Row(f"group commit, {SMALL:,} instances", rate_small, "rows/s", reach="8,000"),
        Row(
            f"group commit, {LARGE:,} instances",
            rate_large,
            "rows/s",
            "the small one",
            rate_large / rate_small,
            "0.9",
        ),
        Row("  the same by medians", GROUP / statistics.median(at_large), "rows/s", "the small one", medians),
        Row(f"p99 of a group of {GROUP}, small", _percentile(at_small, 99) * 1e3, "ms", reach="30"),
        Row(f"p99 of a group of {GROUP}, large", _percentile(at_large, 99) * 1e3, "ms", reach="30"),
        Row("bare file with as many syncs", bare_rate, "rows/s"),
        Row("through the thread, large", queued(large, AHEAD * 2, 6400), "rows/s"),
    ]


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return sorted(seconds)[min(len(seconds) - 1, len(seconds) * percent // 100)]


def rows_of_finds(index: Index) -> list[Row]:
    """Study-level (and other) searches of a large index."""
    study = LARGE // SERIES_LENGTH // SERIES_PER_STUDY // 2
    uid = next(generated(study * SERIES_PER_STUDY * SERIES_LENGTH)).keys["StudyInstanceUID"]
    newest = [("StudyDate", "desc")]
    asked = [
        ("by PatientID", Level.STUDY, "PatientID = PAT0000003", {}),
        ("by StudyInstanceUID", Level.STUDY, f"StudyInstanceUID = {uid}", {}),
        ("by AccessionNumber", Level.STUDY, "AccessionNumber = A00000007", {}),
        ("by a month of dates", Level.STUDY, "StudyDate >= 20200101 and StudyDate <= 20200131", {}),
        ("by name with wild card, 100", Level.STUDY, 'PatientName ~ "mull*"', {"limit": 100}),
        ("by modality, newest 100", Level.STUDY, "ModalitiesInStudy = MR", {"limit": 100, "order": newest}),
        ("newest 100", Level.STUDY, "StudyDate is not null", {"limit": 100, "order": newest}),
        ("series of a study", Level.SERIES, f"StudyInstanceUID = {uid}", {}),
    ]
    rows = []
    for what, level, text, options in asked:
        predicate, seconds = parse(text), []
        for _ in range(60):
            began = time.perf_counter()
            list(index.reader.find(level, predicate, **options))  # type: ignore[arg-type]
            seconds.append(time.perf_counter() - began)
        rows.append(Row(f"find {what}, p50", statistics.median(seconds) * 1e3, "ms", reach="5"))
    began = time.perf_counter()
    index.reader.count(Level.INSTANCE)
    return [*rows, Row("count of instances", (time.perf_counter() - began) * 1e3, "ms")]


def row_of_reset(index: Index, what: str, reach: str) -> Row:
    """Reset after a lesson: 2,000 instances added, 500 replaced, ten series deleted."""
    index.writer.snapshot("lesson")
    index.writer.flush_done(2**60, {"instances": 1})
    index.writer.set_snapshot_heads("lesson", {"instances": 1})
    seconds = []
    for _ in range(3):
        fill(index, 2000, start=AHEAD * 3)
        replaced = [_with_other_bytes(put) for put in itertools.islice(generated(0), 500)]
        index.writer.commit(replaced, on_conflict="replace")
        for series in range(5, 15):
            index.writer.delete(
                Level.SERIES, next(generated(series * SERIES_LENGTH)).keys["SeriesInstanceUID"]
            )
        began = time.perf_counter()
        index.writer.reset("lesson")
        seconds.append(time.perf_counter() - began)
    index.writer.drop_snapshot("lesson")
    return Row(f"reset, {what}", statistics.median(seconds) * 1e3, "ms", reach=reach)


def _with_other_bytes(put):  # type: ignore[no-untyped-def]
    fields = {name: getattr(put, name) for name in put.__slots__}
    return type(put)(**fields | {"sha256": put.sha256[::-1], "object": put.object + ".other"})


def _write(place: Path, start: int, groups: int, told: multiprocessing.Queue[list[float]]) -> None:
    with open_index(place) as index:
        told.put(commits(index, start, groups))


def rows_of_writers(place: Path, processes: int = 4) -> list[Row]:
    """Several processes write into one index; each waits its turn."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    starts = [AHEAD * 4 + number * 1_000_000 for number in range(processes)]
    running = [context.Process(target=_write, args=(place, start, 60, told)) for start in starts]
    for process in running:
        process.start()
    seconds = [told.get(timeout=600) for _ in running]
    for process in running:
        process.join()
    every = [one for some in seconds for one in some]
    rate = sum(GROUP * len(some) / sum(some) for some in seconds)
    return [
        Row(f"group commit, {processes} processes", rate, "rows/s"),
        Row("  p99 of a commit, its wait included", _percentile(every, 99) * 1e3, "ms"),
    ]


def main() -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-", dir=os.environ.get("BENCH_FOLDER")) as made:
        folder = Path(made)
        with open_index(folder / "small.db") as small, open_index(folder / "large.db") as large:
            fill(small, SMALL)
            fill(large, LARGE)
            report("Index: group commit", rows_of_commits(folder, small, large))
            report(f"Index: search, {LARGE:,} instances", rows_of_finds(large))
            resets = [row_of_reset(small, f"{SMALL:,}", "100"), row_of_reset(large, f"{LARGE:,}", "500")]
            report("Index: reset after a lesson", resets)
        report("Index: several writers", rows_of_writers(folder / "small.db"))


if __name__ == "__main__":
    main()
