"""How long a start of the server lives, and what is left of it: for those that a program starts for itself.

A server of a script or a notebook must not outlive it, not even when that is killed and cannot say so. It
follows two signs: its standard input, whose other end the kernel closes with the last process that holds it,
and its parent process, since a forked child may still hold that end.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import Conflict


@dataclass(frozen=True)
class Life:
    """What this start is for.

    listed: clients find it without being told its data folder.
    with_parent: it ends when the process that started it is gone.
    throw_away: its data folder is new and goes with it.
    """

    listed: bool = True
    with_parent: bool = False
    throw_away: bool = False


class Parent:
    """The process that started this one, as it is now."""

    def __init__(self) -> None:
        self._pid = os.getppid()

    def is_gone(self) -> bool:
        """Whether it ended, or closed the pipe that is our standard input."""
        return os.getppid() != self._pid or _input_ended()


def _input_ended() -> bool:
    """Whether nothing more can come; a file, a terminal or no input at all is no sign of anything."""
    try:
        mode = os.fstat(0).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            return False
        return bool(select.select([0], [], [], 0)[0]) and not os.read(0, 4096)
    except OSError:
        return False


@contextlib.contextmanager
def thrown_away(data: Path) -> Iterator[None]:
    """Remove the data folder at the end.

    Raises:
        Conflict: something is in it already.
    """
    if [entry for entry in data.iterdir() if entry.name != "run"]:
        raise Conflict(
            f"{data} is not empty, so it is not thrown away", hint="choose a new folder with --data"
        )
    try:
        yield
    finally:
        shutil.rmtree(data, ignore_errors=True)
