"""kill -9 of a whole server while a job runs: it is begun once more at the next start, then it failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kill_rounds import kill_all
from live_archive import instance

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.client.archive import Archive
from isocenter.client.job import Job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def at(running: Running) -> Archive:
    return isocenter.connect(running.url, running.token)


def until(job: Job, wanted: Callable[[Job], bool]) -> None:
    end = time.monotonic() + 60
    while not wanted(job.refresh()):
        assert time.monotonic() < end, job.told
        time.sleep(0.02)


def test_a_job_is_begun_once_more_after_a_kill_and_what_waited_waits(tmp_path: Path) -> None:
    with server(tmp_path / "data", workers=1) as running, at(running) as archive:
        archive.store([instance(n) for n in range(1, 200)], progress=False)
        first = archive.verify()
        waits = archive.jobs.submit("compact").pause()
        until(first, lambda job: job.told["State"] == "Running")
        kill_all(running)
    with server(tmp_path / "data", workers=1) as running, at(running) as archive:
        job = archive.jobs[first.id].wait(False, timeout=120)
        assert (job.told["Attempts"], job.result["ok"], job.result["objects"]) == (2, True, 199)
        waiting = archive.jobs[waits.id]
        assert waiting.state == "Paused"
        assert waiting.resume().wait(False).result["flushed"] == 199


def test_one_that_is_killed_again_fails_with_the_reason(tmp_path: Path) -> None:
    id = ""
    for attempt in (1, 2):
        with server(tmp_path / "data", workers=1) as running, at(running) as archive:
            job = archive.jobs[id] if id else archive.verify()
            id = job.id
            until(job, lambda one, n=attempt: (one.told["State"], one.told["Attempts"]) == ("Running", n))
            kill_all(running)
    with server(tmp_path / "data", workers=1) as running, at(running) as archive:
        job = archive.jobs[id].wait(False, timeout=60, check=False)
        assert (job.state, job.told["Error"]["code"]) == ("Failure", "job-lost")
        assert job.resubmit().wait(False, timeout=60).result["ok"]
