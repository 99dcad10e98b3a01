"""Results on disk: written under a hidden name, made durable, then given their own, or not at all.

A name that is there after a power failure stands for a whole file: a result is on the disk before it has one.
Not here: what is written (`part10`), and where to (`names`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO

from isocenter.deid.sameness import is_same
from isocenter.objects.durable import fsync_folder

PART = ".part-"


class Named(Enum):
    """What giving a result its name came to."""

    NEW = auto()
    SAME = auto()
    """It was there already."""
    OTHER = auto()
    """Another has the name, and keeps it."""


def new_part(target: Path) -> Path:
    """A hidden name beside a target, which tells the process that writes there."""
    return target.parent / f"{PART}{os.getpid()}-{secrets.token_hex(8)}"


def begin_to_store(file: BinaryIO) -> None:
    """Let the disk begin with what was written, so that less is waited for later."""
    file.flush()
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def give_name(part: Path, target: Path, *, replace: bool, certificates: Sequence[bytes] = ()) -> Named:
    """Make a result durable and give it its name.

    Args:
        part: where it is; gone afterwards.
        target: its name. Names are durable after `settle_names`.
        replace: whether it may take the place of another.
        certificates: see `is_same`.
    """
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        if replace:
            os.replace(part, target)
            return Named.NEW
        if _take(part, target):
            return Named.NEW
        return Named.SAME if is_same(part, target, certificates) else Named.OTHER
    finally:
        part.unlink(missing_ok=True)


def settle_names(folders: Iterable[Path], root: Path) -> None:
    """Make the names in folders durable, and those of the folders up to `root`."""
    every = {root}
    for folder in folders:
        while folder not in every and root in folder.parents:
            every.add(folder)
            folder = folder.parent
    for folder in sorted(every, key=lambda one: -len(one.parts)):
        fsync_folder(folder)


def sweep(target: Path, process: int | None = None) -> None:
    """Remove what a process that was killed, or any, left half written below a folder of results."""
    for path in target.rglob(f"{PART}*" if process is None else f"{PART}{process}-*"):
        path.unlink(missing_ok=True)


def _take(part: Path, target: Path) -> bool:
    """Give a file its name unless something has it; False when something has."""
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.rename(part, target)
    return True
