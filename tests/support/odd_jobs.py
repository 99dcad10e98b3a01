"""Kinds of jobs for tests, importable, so that a spawned process finds them."""

from __future__ import annotations

import os
import time
from typing import Any

from isocenter.app import in_job_process
from isocenter.errors import NoSpace
from isocenter.jobs import Kind, Outcome, Run, register


def _counts(run: Run) -> Outcome:
    """Counts to `to`, `seconds` a number; its file has what it counted."""
    to = run.parameters.get("to", 3)
    for number in range(to):
        run.tell("counting", number, to)
        time.sleep(run.parameters.get("seconds", 0) / 1000)
    (run.folder / "counted.txt").write_text(str(to))
    return Outcome({"counted": to}, "counted.txt", "text/plain")


def _dies(run: Run) -> Outcome:
    """Dies the first time, and the second if `twice`."""
    if run.job.attempts == 1 or run.parameters.get("twice"):
        os._exit(9)
    return Outcome({"attempts": run.job.attempts})


def _fails(run: Run) -> Outcome:
    if run.parameters.get("how") == "ours":
        raise NoSpace("The disk is full", hint="make room")
    raise RuntimeError("Doe^Jane")


def _deaf(run: Run) -> Outcome:
    time.sleep(600)
    return Outcome()


def odd_jobs() -> None:
    """Make them known."""
    fields: dict[str, Any] = {"to": int, "seconds": int, "twice": bool, "how": str}
    for name, work in (("counts", _counts), ("dies", _dies), ("fails", _fails), ("deaf", _deaf)):
        register(Kind(name, f"for tests: {name}", work, fields))


def in_both() -> None:
    """Set up a process for these and for the server's own."""
    in_job_process()
    odd_jobs()
