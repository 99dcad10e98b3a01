"""`JobProgress`: how far a job of the server is, how long it takes, and what it made; it can be cancelled.

The browser side waits for changes of `/api/jobs/{id}` by itself, so a busy kernel does not stop the bar where
Jupyter offers same-origin HTTP. Not here: what a job does.
"""

from __future__ import annotations

from html import escape
from typing import Any

import traitlets

from isocenter.client.archive import Archive
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback


class JobProgress(ArchiveWidget, module="job"):
    """The progress of a job.

    Args:
        job: a job of the client, or with `archive` its id.
        archive: where it runs, when `job` does not say.

    Attributes:
        state: `Pending`, `Running`, `Paused`, `Success` or `Failure`; empty until the server has told.
        progress: percent.
    """

    state = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Int(0).tag(sync=True)
    _job = traitlets.Unicode().tag(sync=True)

    def __init__(self, job: Any, *, archive: Archive | None = None, **traits: Any) -> None:
        home = archive or getattr(job, "archive", None)
        if home is None and hasattr(job, "transport"):
            home = Archive(
                job.transport, getattr(job, "dataset_name", None) or getattr(job, "dataset", "") or "main"
            )
        identity = job if isinstance(job, str) else getattr(job, "id", None)
        if home is None or not identity:
            raise BadRequest("Which job?", hint="give a job, or its id and archive=...")
        super().__init__(home, _job=str(identity), **traits)

    def answers(self) -> dict[str, Any]:
        """`cancel`: end the job; the job as it is then."""
        return {"cancel": lambda _content: self.cancel()}

    def cancel(self) -> dict[str, Any]:
        """End the job.

        Returns:
            The job as `/api/jobs/{id}` tells it.
        """
        with self._of().transport.post(f"/api/jobs/{self._job}/cancel", {}) as answer:
            told: dict[str, Any] = answer.json()
        return told

    def fallback(self) -> Fallback:
        """State and progress at this moment."""
        told = self._of().transport.get(f"/api/jobs/{self._job}")
        line = f"{told.get('Type', 'job')}: {told.get('State')}, {told.get('Progress')} %"
        return Fallback(f"<{line}>", f"<p>{escape(line)}</p>")

    def _of(self) -> Archive:
        assert self.archive is not None
        return self.archive
