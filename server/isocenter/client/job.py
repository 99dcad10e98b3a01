"""`Job`: work that the server does while nobody waits: its state, progress, result, and what it made.

Made by what starts one (`archive.verify()`, `archive.jobs.submit(kind)`), found in `archive.jobs`. Not here:
the list of them (`jobs`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.client.display.jobs import job_html
from isocenter.client.options import options
from isocenter.client.progress import Progress
from isocenter.errors import IsocenterError, NotFound, Timeout, from_json

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

FINAL = frozenset({"Success", "Failure"})
_BLOCK = 1 << 20
_POLL = 10


class Job:
    """A job of the server. Its properties ask how it stands, until it is over.

    Attributes:
        transport: to its server.
        told: what the server told last, in the shape of `/api/jobs/{id}`.
    """

    def __init__(self, transport: Transport, told: Mapping[str, Any]) -> None:
        self.transport, self.told = transport, dict(told)

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.told["ID"])

    @property
    def kind(self) -> str:
        """What it does: `verify`, `archive` …"""
        return str(self.told["Type"])

    @property
    def dataset_name(self) -> str:
        """The dataset that it is about; `main` where it is about the whole server."""
        return str(self.told["Dataset"]) or "main"

    @property
    def parameters(self) -> dict[str, Any]:
        """What it was asked for; of long lists how long they are."""
        return dict(self.told["Content"])

    @property
    def state(self) -> str:
        """`Pending`, `Running`, `Paused`, `Success` or `Failure`, as it is now."""
        return str(self.refresh().told["State"])

    @property
    def progress(self) -> float:
        """How much is done, 0 to 1; 0 while it is not known how much there is."""
        told = self.refresh().told
        if told["State"] == "Success":
            return 1.0
        return min(told["Done"] / told["Total"], 1.0) if told["Total"] else 0.0

    @property
    def phase(self) -> str:
        """What it does at the moment."""
        return str(self.refresh().told["Phase"])

    @property
    def over(self) -> bool:
        """Whether it succeeded or failed."""
        return self.state in FINAL

    @property
    def result(self) -> Any:
        """What it found or did.

        Raises:
            IsocenterError: it failed, for this reason, or is not over.
        """
        if not self.over:
            raise IsocenterError(f"The job {self.kind} is {self.told['State']}", hint="job.wait()")
        self._raise()
        return self.told["Result"]

    @property
    def error(self) -> IsocenterError | None:
        """Why it failed; None when it did not."""
        told = self.refresh().told["Error"]
        return None if told is None else from_json({"error": told})

    def refresh(self) -> Job:
        """Ask how it stands, unless it is over; the job itself."""
        if self.told["State"] not in FINAL:
            self.told = self.transport.get(f"/api/jobs/{self.id}")
        return self

    def wait(
        self,
        progress: bool | Callable[[int, int], None] = True,
        *,
        timeout: float | None = None,
        check: bool = True,
    ) -> Job:
        """Wait until it is over, showing its progress; the job itself. An interrupt leaves it running.

        Args:
            progress: show it, or a function called with how much is done and how much there is.
            timeout: seconds to wait at most.
            check: raise why it failed, if it does.

        Raises:
            Timeout: it is not over by then.
            IsocenterError: it failed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with Progress(self._label, self.told["Total"], progress, unit=self._unit) as shown:
            while self.refresh().told["State"] not in FINAL:
                left = _POLL if end is None else end - time.monotonic()
                if left <= 0:
                    raise Timeout(f"The job {self.kind} is not over after {timeout:g} s", hint="it goes on")
                shown.reach(self.told["Done"], self.told["Total"], self.told["Phase"])
                self._await_change(min(left, _POLL, options.timeout / 2))
            shown.reach(self.told["Done"], self.told["Total"], self.told["Phase"])
            if check:
                self._raise()
        return self

    @property
    def _label(self) -> str:
        return {"deidentify": "De-identifying", "release-deidentified": "Releasing"}.get(
            self.kind, self.kind.capitalize()
        )

    @property
    def _unit(self) -> str:
        return {
            "archive": "bytes",
            "verify": "objects",
            "release-deidentified": "instances",
        }.get(self.kind, "steps")

    def _await_change(self, seconds: float) -> None:
        seconds = max(seconds, 0.1)
        began = time.monotonic()
        self.told = self.transport.get(
            f"/api/jobs/{self.id}",
            since=self.told["Revision"],
            wait=max(int(seconds), 1) if seconds >= 1 else 0,
        )
        if seconds < 1:
            time.sleep(max(seconds - (time.monotonic() - began), 0.0))

    def _raise(self) -> None:
        if self.told["State"] == "Failure":
            raise from_json({"error": self.told["Error"] or {}})

    def cancel(self) -> Job:
        """End it: at once when it waits, soon when it runs; the job itself."""
        return self._act("cancel")

    def pause(self) -> Job:
        """Let it wait, if it has not begun. Raises Conflict when it has."""
        return self._act("pause")

    def resume(self) -> Job:
        """Let it be begun, if it is paused. Raises Conflict when it is not."""
        return self._act("resume")

    def resubmit(self) -> Job:
        """Begin it anew after it failed. Raises Conflict when it did not."""
        return self._act("resubmit")

    def delete(self) -> None:
        """Forget it and what it made. Raises Conflict when it is not over."""
        self.transport.request("DELETE", f"/api/jobs/{self.id}").finish()

    def _act(self, what: str) -> Job:
        with self.transport.post(f"/api/jobs/{self.id}/{what}", {}) as answer:
            self.told = answer.json()
        return self

    def download(
        self, path: str | os.PathLike[str], *, progress: bool | Callable[[int, int], None] = True
    ) -> Path:
        """Save the file that it made; the path of it.

        Args:
            path: of the file, or a folder that is there.
            progress: show it, or a function called with bytes done and bytes in all.

        Raises:
            NotFound: it made none.
            IsocenterError: it failed, or is not over.
        """
        _ = self.result
        output = self.told["Output"]
        if output is None:
            raise NotFound(f"The job {self.kind} made no file")
        target = Path(path)
        if target.is_dir():
            target /= str(self.parameters.get("filename") or output["Name"])
        part = target.with_name(f"{target.name}.part")
        asked = f"/api/jobs/{self.id}/{output['Name']}"
        with (
            self.transport.request("GET", asked) as answer,
            part.open("wb") as file,
            Progress("Downloading", output["Size"], progress) as shown,
        ):
            while piece := answer.read(_BLOCK):
                file.write(piece)
                shown.advance(len(piece))
        part.replace(target)
        return target

    def show(self, **how: Any) -> Any:
        """Its progress as a widget of isocenter-jupyter, where that is installed; else the job itself."""
        from isocenter.client.display.shows import widget_of

        widget = widget_of("job")
        return self if widget is None else widget(self, **how)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and (self.transport.url, self.id) == (other.transport.url, other.id)

    def __hash__(self) -> int:
        return hash((self.transport.url, self.id))

    def __repr__(self) -> str:
        told = self.told
        done = f", {told['Progress']} %" if told["State"] == "Running" else ""
        return f"<Job {self.kind} {self.id[:8]}: {told['State']}{done}>"

    def _repr_html_(self) -> str:
        try:
            self.refresh()
        except IsocenterError as error:
            return job_html(self.told, str(error))
        return job_html(self.told)


def submit(
    transport: Transport, kind: str, parameters: Mapping[str, Any], *, dataset: str, priority: int = 0
) -> Job:
    """Start a job.

    Raises:
        BadRequest: there is no such kind, or it has no such parameter.
        Forbidden: the token may not ask for it.
    """
    asked = {"Type": kind, "Parameters": dict(parameters), "Dataset": dataset, "Priority": priority}
    with transport.post("/api/jobs", asked) as answer:
        return Job(transport, answer.json())
