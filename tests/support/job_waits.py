"""Waiting for a job of a server, as a widget does."""

from __future__ import annotations

import time
from typing import Any


def over(web: Any, id: str) -> dict[str, Any]:
    """The job when it is over."""
    revision, end = 0, time.monotonic() + 60
    while True:
        job = web.get(f"/api/jobs/{id}?since={revision}&wait=10").json()
        if job["State"] in ("Success", "Failure"):
            return dict(job)
        assert time.monotonic() < end, job
        revision = job["Revision"]
