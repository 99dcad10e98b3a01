"""A full disk, a read-only one, a locked index: the right error, nothing half stored, and it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set
from tests.faults.conftest import MakeDisk

from isocenter.archive import Archive, Dataset, Origin
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.errors import IsocenterError, NoSpace, Unavailable

SENDER = Origin("SENDER")


def raw(n: int, size: int = 300_000) -> bytes:
    return data_set(SOPInstanceUID=f"1.2.{n}", InstanceNumber=n, pixels=os.urandom(size))


def open_archive(data: Path, **settings: object) -> Archive:
    return Archive.open(Settings(data=data, **settings), query_process=False)  # type: ignore[arg-type]


def fill(dataset: Dataset, first: int, size: int = 300_000) -> tuple[int, IsocenterError]:
    """Store until it fails; how many were stored."""
    for n in range(first, first + 1000):
        try:
            dataset.store(raw(n, size), SENDER, EXPLICIT)
        except IsocenterError as error:
            return n - first, error
    raise AssertionError("the disk never became full")


def _write_forever(file: RawIOBase) -> None:
    while True:
        file.write(bytes(4096))


def incoming(data: Path) -> list[Path]:
    return list((data / "objects" / ".incoming").iterdir())


def test_a_full_disk(make_disk: MakeDisk) -> None:
    disk = make_disk(12)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    with open_archive(disk / "data") as archive:
        main = archive.datasets["main"]
        stored, error = fill(main, 0)
        assert isinstance(error, NoSpace)
        assert stored > 5
        # Smaller ones fill the last corners, until the index itself finds no room.
        more, error = fill(main, 1000, 2_000)
        assert isinstance(error, NoSpace)
        assert main.count(Level.INSTANCE) == stored + more
        assert incoming(disk / "data") == []
        ballast.unlink()
        assert main.store(raw(5000), SENDER, EXPLICIT).kind == "stored"
        report = archive.verify(repair=True)
        assert report.ok
        assert {finding.kind for finding in report.findings} <= {"orphan"}
        assert archive.verify().findings == []
        assert main.count(Level.INSTANCE) == stored + more + 1
        main.flush()
        assert archive.verify().findings == []


def test_a_large_object_that_does_not_fit_takes_no_room_afterwards(make_disk: MakeDisk) -> None:
    disk = make_disk(12)
    with open_archive(disk / "data") as archive:
        main = archive.datasets["main"]
        with pytest.raises(NoSpace):
            main.store(raw(0, 20_000_000), SENDER, EXPLICIT)
        assert incoming(disk / "data") == []
        assert main.store(raw(1, 5_000_000), SENDER, EXPLICIT).kind == "stored"


def test_a_flush_without_room_changes_nothing(make_disk: MakeDisk) -> None:
    disk = make_disk(12)
    with open_archive(disk / "data") as archive:
        main = archive.datasets["main"]
        for n in range(10):
            main.store(raw(n, 1000), SENDER, EXPLICIT)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            _write_forever(file)
        with pytest.raises((IsocenterError, OSError)):
            main.flush()
        ballast.unlink()
        assert archive.verify().findings == []
        assert main.flush().rows == 10
        assert archive.verify().findings == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write below the folder, not even root: a read-only mount over it."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_folder_that_became_read_only(make_disk: MakeDisk) -> None:
    data = make_disk(16) / "data"
    with open_archive(data) as archive:
        main = archive.datasets["main"]
        main.store(raw(0), SENDER, EXPLICIT)
        with read_only(data / "objects"):
            for _ in range(2):
                with pytest.raises(Unavailable, match="Read-only"):
                    main.store(raw(1), SENDER, EXPLICIT)
            assert main.count(Level.INSTANCE) == 1
            assert archive.verify().findings == []
        assert main.store(raw(1), SENDER, EXPLICIT).kind == "stored"
        assert archive.verify().findings == []


def test_a_data_folder_that_cannot_be_written_is_said_at_the_start(make_disk: MakeDisk) -> None:
    data = make_disk(16) / "data"
    open_archive(data).close()
    with read_only(data), pytest.raises(Unavailable):
        open_archive(data)


_HOLDS_THE_LOCK = """
import sys, pathlib
from isocenter.archive import Archive
from isocenter.config import Settings
with Archive.open(Settings(data=pathlib.Path(sys.argv[1])), query_process=False) as archive:
    with archive.datasets["main"].index.database.write():
        print("locked", flush=True)
        sys.stdin.read()
"""


def test_an_index_that_another_process_holds(tmp_path: Path) -> None:
    with open_archive(tmp_path / "data", index={"lock_timeout": 0.5}) as archive:
        main = archive.datasets["main"]
        main.store(raw(0), SENDER, EXPLICIT)
        command = [sys.executable, "-c", _HOLDS_THE_LOCK, str(tmp_path / "data")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"locked\n"
            with pytest.raises(Unavailable, match="locked"):
                main.store(raw(1), SENDER, EXPLICIT)
            assert main.count(Level.INSTANCE) == 1
            holder.kill()
        assert main.store(raw(1), SENDER, EXPLICIT).kind == "stored"
        report = archive.verify(repair=True)
        assert report.ok
        assert main.count(Level.INSTANCE) == 2
        assert archive.verify().findings == []
