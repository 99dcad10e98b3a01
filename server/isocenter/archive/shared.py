"""Objects that a dataset shares: the same bytes came to another one first, and the head says only that.

Who sent them here, and when, is written down beside the objects before it is acknowledged, so that a rebuild
from the objects finds them in every dataset that has them. Lines of JSON, appended; the sweep drops those of
objects that the dataset does not name any more.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from isocenter.objects.durable import fsync_folder, make_folder
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import Provenance


class Shared:
    """The shared objects of one dataset. Safe for threads and processes.

    Args:
        folder: that of the objects.
        dataset: its name.
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        self._path = folder / f".shared-{dataset}.jsonl"
        self._dataset = dataset
        self._mutex = threading.Lock()

    def tell(self, relpath: str, provenance: Provenance) -> Provenance:
        """Write down, durably, how an object came to this dataset; how it came first, if it did before.

        Every call reads what is written: the same bytes rarely come to two datasets.
        """
        with self._mutex, self._locked() as file:
            told, raw = _read(file)
            if relpath in told:
                return told[relpath]
            line = json.dumps({"object": relpath, **asdict(provenance)})
            file.write(("" if not raw or raw.endswith("\n") else "\n") + line + "\n")
            file.flush()
            os.fsync(file.fileno())
        fsync_folder(self._path.parent)
        return provenance

    def all(self) -> dict[str, Provenance]:
        """How each of them came to this dataset."""
        if not self._path.exists():
            return {}
        with self._locked() as file:
            return _read(file)[0]

    def forget(self, named: Callable[[Collection[str]], Collection[str]]) -> None:
        """Drop what `named` does not say that the dataset names; the caller has the sweep lock alone."""
        told = self.all()
        kept = set(named(list(told)))
        if len(kept) == len(told):
            return
        temporary = self._path.with_suffix(".new")
        with self._mutex, self._locked(), open(temporary, "w", encoding="utf-8") as file:
            for relpath, provenance in told.items():
                if relpath in kept:
                    file.write(json.dumps({"object": relpath, **asdict(provenance)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, self._path)
            fsync_folder(self._path.parent)

    @contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        """The file, which nobody else writes; never one that was replaced while we waited for it."""
        with storage_errors("write down a shared object"):
            make_folder(self._path.parent)
            while True:
                with open(self._path, "a+", encoding="utf-8") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if self._path.exists() and os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                        yield file
                        return


def _read(file: IO[str]) -> tuple[dict[str, Provenance], str]:
    """What is written, the first word about each object, and the text; a torn line says nothing."""
    file.seek(0)
    raw = file.read()
    told: dict[str, Provenance] = {}
    for line in raw.splitlines():
        try:
            values = json.loads(line)
            told.setdefault(values.pop("object"), replace(Provenance(), **values))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return told, raw
