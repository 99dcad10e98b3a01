"""The widget of a job: which job it is, how it is followed over the comm, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isocenter.client.archive import Archive
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.job import JobProgress


def test_a_job_is_followed_and_cancelled(archive: Archive, browse: Callable[[Any], Any]) -> None:
    job = archive.jobs.submit("archive", uids=["1.2.3"])
    widget = JobProgress(job)
    browser = browse(widget)
    status, told = browser.ask("GET", f"/api/jobs/{widget._job}?since=0&wait=1")
    assert (status, told["State"]) == (200, "Pending")
    assert "archive: Pending" in widget.fallback().text
    status, told = browser.ask("ASK", "cancel")
    assert (status, told["Error"]["code"]) == (200, "cancelled")
    assert job.refresh().error is not None
    widget.close()


def test_a_job_may_be_named_by_its_id(archive: Archive) -> None:
    identity = archive.jobs.submit("archive", uids=["1.2.3"]).id
    widget = JobProgress(identity, archive=archive)
    assert identity == widget._job
    widget.close()


def test_an_id_alone_is_not_enough() -> None:
    with pytest.raises(BadRequest, match="Which job"):
        JobProgress("123")
