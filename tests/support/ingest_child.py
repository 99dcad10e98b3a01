"""Processes that store objects until they are killed, telling each one when it was acknowledged.

Run as `python -m ingest_child`. Each line on standard input, `DATA NAME KIND OUTPUT`, starts one, whose
process id is answered. It is forked before anything runs, so that twenty rounds import everything once.
KIND is `store`: three threads store, and OUTPUT gets a line `UID SHA256` for each object acknowledged; or
`keep`, which flushes, compacts and snapshots.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import threading
from pathlib import Path

from data_sets import EXPLICIT, data_set

from isocenter.archive import Archive, Dataset, Origin
from isocenter.config import Settings


def main() -> None:
    """Fork a process for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(*line.split())
        print(child, flush=True)


def _run(data: str, name: str, kind: str, output: str) -> None:
    """Go on until killed."""
    told = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Archive.open(Settings(data=Path(data)), query_process=False) as archive:
        dataset = archive.datasets["main"]
        if kind == "keep":
            _keep(dataset, name)
        for number in range(3):
            threading.Thread(target=_store, args=(dataset, f"{name}.{number}", told), daemon=True).start()
        threading.Event().wait()


def _store(dataset: Dataset, prefix: str, told: int) -> None:
    chance = random.Random(prefix)
    number = 0
    while True:
        number += 1
        uid = f"{prefix}.{number}"
        raw = data_set(
            StudyInstanceUID=f"{prefix}.{number // 40}",
            SeriesInstanceUID=f"{prefix}.{number // 40}.{number // 10}",
            SOPInstanceUID=uid,
            InstanceNumber=number,
            pixels=chance.randbytes(2 * chance.randrange(1, 10_000)),
        )
        dataset.store(raw, Origin("SENDER"), EXPLICIT)
        digest = hashlib.sha256(raw + EXPLICIT.encode()).hexdigest()
        os.write(told, f"{uid} {digest}\n".encode())


def _keep(dataset: Dataset, name: str) -> None:
    number = 0
    while True:
        number += 1
        dataset.flush()
        dataset.compact(thorough=True)
        dataset.snapshot(f"{name}-{number}")
        dataset.vacuum(hours=0)


if __name__ == "__main__":
    main()
