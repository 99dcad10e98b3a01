"""`isocenter job`: list, show, start, wait, cancel, in a running server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from isocenter.cli import output as printer
from isocenter.client.connect import connect
from isocenter.client.display.html import bytes_text
from isocenter.client.display.jobs import error_text, result_facts, state_text, time_text
from isocenter.client.job import Job
from isocenter.errors import BadRequest


class Jobbing:
    """The commands, on one connection.

    Args:
        url: of the server; found when None.
        token: bearer token.
        dataset: that a job is started for.
        as_json: print one JSON document.
    """

    def __init__(
        self, url: str | None, token: str | None, dataset: str = "main", *, as_json: bool = False
    ) -> None:
        self._archive = connect(url, token, dataset=dataset)
        self._json = as_json

    def __enter__(self) -> Jobbing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def show_all(self, running: bool) -> None:
        """A table of them."""
        found = list(self._archive.jobs.running if running else self._archive.jobs)
        if self._json:
            printer.tell_json([job.told for job in found])
            return
        rows = [
            (
                job.id[:8],
                job.kind,
                job.told["Dataset"] or "all",
                state_text(job.told),
                time_text(job.told["CreationTime"]),
                job.told["Creator"],
            )
            for job in found
        ]
        printer.table(("id", "job", "dataset", "state", "created", "by"), rows)

    def show(self, id: str) -> None:
        """One of them."""
        self._tell(self._archive.jobs[id])

    def start(
        self, kind: str, parameters: Sequence[str], priority: int, *, wait: bool, output: Path | None
    ) -> int:
        """Start one; 1 if it was waited for and failed."""
        job = self._archive.jobs.submit(kind, priority=priority, **dict(map(_parameter, parameters)))
        if wait or output is not None:
            return self._over(job, output, None)
        self._tell(job)
        return 0

    def wait(self, id: str, *, output: Path | None, timeout: float | None) -> int:
        """Wait for one; 1 if it failed."""
        return self._over(self._archive.jobs[id], output, timeout)

    def cancel(self, id: str) -> None:
        """End one."""
        self._tell(self._archive.jobs[id].cancel())

    def _over(self, job: Job, output: Path | None, timeout: float | None) -> int:
        job.wait(not self._json, timeout=timeout, check=False)
        saved = job.download(output, progress=not self._json) if output and job.state == "Success" else None
        self._tell(job)
        if saved is not None and not self._json:
            printer.err.print(f"Saved {saved}", highlight=False, markup=False)
        return 0 if job.state == "Success" else 1

    def _tell(self, job: Job) -> None:
        if self._json:
            printer.tell_json(job.told)
            return
        told = job.told
        error, made = told["Error"], told["Output"]
        rows: list[tuple[str, Any]] = [
            ("job", f"{job.kind} {job.id}"),
            ("state", state_text(told)),
            ("now", told["Phase"] if told["State"] == "Running" else ""),
            *((name, str(value)) for name, value in result_facts(told["Result"]).items()),
            ("file", f"{made['Name']}, {bytes_text(made['Size'])}" if made else ""),
            ("error", error_text(error) if error else ""),
        ]
        printer.table(("", ""), [row for row in rows if row[1]])


def _parameter(text: str) -> tuple[str, Any]:
    """`name=value`; a value that is no JSON is a text."""
    name, sign, value = text.partition("=")
    if not (sign and name.isidentifier()):
        raise BadRequest(f"{text!r} is no parameter", hint="NAME=VALUE: digests=false")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
