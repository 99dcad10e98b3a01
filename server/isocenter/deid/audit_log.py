"""An audit log: who did what and when, in lines that hang together by their digests.

A line that was changed or taken away is found out, save the last ones: copy the log to where those who
write it cannot. Not here: what is written (`vault`, reviews).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isocenter.errors import BadRequest

_FIRST = "0" * 64


def add_line(log: Path, told: Mapping[str, Any]) -> None:
    """Add a line with its time, durably. Raises BadRequest when a line before it was changed."""
    with Locked(log) as stream:
        last = _checked(log)
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **told, "before": last}
        stream.write(json.dumps(line | {"digest": _digest(line)}) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_audit(log: Path) -> list[dict[str, Any]]:
    """The lines, oldest first. Raises BadRequest when a line was changed or is missing."""
    if not log.exists():
        return []
    _checked(log)
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _checked(log: Path) -> str:
    """The digest of the last line, if each is of the one before it."""
    last = _FIRST
    for number, text in enumerate(log.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            told = line.pop("digest")
        except (ValueError, KeyError):
            line, told = {}, ""
        if line.get("before") != last or told != _digest(line):
            raise BadRequest(
                f"{log} was changed at line {number}", hint="the audit log must be whole to go on"
            )
        last = told
    return last


def _digest(line: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()


class Locked:
    """The file, open to append, with nobody else writing; made for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8"
        )

    def __enter__(self) -> Any:
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()
