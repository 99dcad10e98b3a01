"""Ingest without a network: objects fed straight to receptions, beside a bare loop that writes and fsyncs
the same.

Rounds of each kind alternate, since disks change their mind from minute to minute; medians are compared.
Run it with `python tests/bench/bench_ingest.py [folder]`; the folder lies on the disk to be measured.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pydicom
from harness import Row, ct_files, report

from isocenter.archive import Archive, Dataset, Origin
from isocenter.archive.reception import BACKLOG_LIMIT
from isocenter.config import Settings

_FRAGMENT = 131_066
_OBJECTS = 200
_ROUNDS = 5
_GIB = 1024**3


def main(folder: Path) -> None:
    """Measure and print."""
    objects = _data_sets(folder)
    rates: dict[str, list[float]] = {}
    for number in range(_ROUNDS):
        for name, measure in _KINDS.items():
            place = folder / f"{name}-{number}"
            rates.setdefault(name, []).append(measure(place, objects))
            shutil.rmtree(place)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    bare = medians["bare loop, 1 writer"]
    rows = [Row("bare loop, 1 writer", bare, "objects/s")]
    rows += [
        Row(name, rate, "objects/s", "the bare loop", rate / bare, "0.6 x")
        for name, rate in medians.items()
        if name != "bare loop, 1 writer"
    ]
    rows += _large(folder)
    report("Ingest of 0.5 MB CTs", rows)


def _data_sets(folder: Path) -> list[tuple[bytes, str]]:
    made = []
    for path in ct_files(folder / "files", _OBJECTS):
        raw = path.read_bytes()
        meta = pydicom.filereader.read_file_meta_info(path)
        made.append((raw[144 + meta.FileMetaInformationGroupLength :], meta.TransferSyntaxUID))
    return made


Objects = list[tuple[bytes, str]]


def _bare(place: Path, objects: Objects) -> float:
    """Write and fsync each file and its directory, as a careful script would."""
    directory = place / "1.2.3" / "1.2.3.4"
    directory.mkdir(parents=True)
    began = time.perf_counter()
    for number, (raw, _) in enumerate(objects):
        file = os.open(directory / f"{number}.dcm", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(file, raw)
        os.fsync(file)
        os.close(file)
        parent = os.open(directory, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)
    return len(objects) / (time.perf_counter() - began)


def _feeders(count: int) -> Callable[[Path, Objects], float]:
    def measure(place: Path, objects: Objects) -> float:
        with Archive.open(Settings(data=place)) as archive:
            dataset = archive.datasets["main"]
            _feed(dataset, objects[:1])
            parts = [objects[1:][first::count] for first in range(count)]
            threads = [threading.Thread(target=_feed, args=(dataset, part)) for part in parts]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return (len(objects) - 1) / (time.perf_counter() - began)

    return measure


def _feed(dataset: Dataset, objects: Objects) -> None:
    """One association: an object is fed when the one before it is acknowledged."""
    for raw, syntax in objects:
        reception = dataset.receive(Origin("BENCH"), syntax)
        view = memoryview(raw)
        for at in range(0, len(raw), _FRAGMENT):
            reception.feed(view[at : at + _FRAGMENT])
        reception.finish().result()


_KINDS: dict[str, Callable[[Path, Objects], float]] = {
    "bare loop, 1 writer": _bare,
    "1 feeder": _feeders(1),
    "8 feeders": _feeders(8),
}


def _large(folder: Path, size: int = 4 * _GIB) -> list[Row]:
    """Memory while one object of 4 GB arrives, above what the process had before."""
    head = _data_sets(folder)[0][0]
    at = head.rindex(b"\xe0\x7f\x10\x00OW\0\0")
    piece = os.urandom(_FRAGMENT)
    place = folder / "large"
    with Archive.open(Settings(data=place)) as archive:
        dataset = archive.datasets["main"]
        _feed(dataset, _data_sets(folder)[1:3])
        process = psutil.Process()
        before = highest = process.memory_info().rss
        reception = dataset.receive(Origin("BENCH"), "1.2.840.10008.1.2.1")
        began = time.perf_counter()
        reception.feed(head[: at + 8] + (size - 2).to_bytes(4, "little"))
        left, count = size - 2, 0
        while left:
            while reception.backlog > BACKLOG_LIMIT:
                time.sleep(0.001)
            reception.feed(bytearray(piece[:left]))  # as from a socket: copied
            left -= min(len(piece), left)
            count += 1
            if count % 50 == 0:
                highest = max(highest, process.memory_info().rss)
        reception.finish().result()
        seconds = time.perf_counter() - began
        highest = max(highest, process.memory_info().rss)
    shutil.rmtree(place)
    return [
        Row("4 GB object", size / seconds / 1e6, "MB/s"),
        Row("4 GB object, memory above idle", (highest - before) / 1e6, "MB", reach="under 200"),
    ]


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    with tempfile.TemporaryDirectory(dir=given[0] if given else None) as scratch:
        main(Path(scratch))
