"""Jobs from a notebook, against a real server with a runner: wait, results, zips, cancelling."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_archive import LiveArchive, instance
from odd_jobs import in_both, odd_jobs

import isocenter
from isocenter.errors import BadRequest, Conflict, IsocenterError, NoSpace, NotFound, Timeout
from isocenter.jobs.executor import Runner


@pytest.fixture(scope="module")
def archive(web: LiveArchive) -> Iterator[Any]:
    odd_jobs()
    web.store(*[instance(n) for n in (1, 2)], instance(1, study="1.2.4", Modality="MR"))
    runner = Runner(web.context.settings, in_both)
    runner.start()
    with isocenter.connect(web.url) as one:
        yield one
    runner.stop()


def until(wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_verification_is_waited_for(archive: Any) -> None:
    seen: list[tuple[int, int]] = []
    job = archive.verify().wait(lambda done, total: seen.append((done, total)))
    assert (job.state, job.progress, job.over, job.error) == ("Success", 1.0, True, None)
    assert job.result["ok"] is True
    assert seen[-1] == (5, 5)
    assert "objects" in job._repr_html_()
    assert archive.jobs[job.id[:13]] == job


def test_a_cohort_and_a_frame_become_zips(archive: Any, tmp_path: Path) -> None:
    cohort = archive.studies.where(Modality="MR").freeze("mr")
    path = cohort.zip(tmp_path / "mr.zip", media=True, progress=False)
    assert zipfile.ZipFile(path).namelist() == ["DICOM/ST000001/SE000001/IM000001", "DICOMDIR"]
    path = archive["1.2.3"].zip(tmp_path, progress=False)
    assert len(zipfile.ZipFile(path).namelist()) == 2
    with pytest.raises(BadRequest):
        archive.instances.where(Modality="PT").zip(tmp_path / "none.zip", progress=False)


def test_one_that_fails_raises_why(archive: Any) -> None:
    job = archive.jobs.submit("fails", how="ours")
    with pytest.raises(NoSpace, match="The disk is full"):
        job.wait(False)
    with pytest.raises(NoSpace):
        _ = job.result
    assert job.wait(False, check=False).state == "Failure"
    assert "make room" in job._repr_html_()
    assert isinstance(job.error, NoSpace)


def test_a_running_one_is_cancelled(archive: Any) -> None:
    job = archive.jobs.submit("counts", to=100_000, seconds=5)
    with pytest.raises(Timeout, match="it goes on"):
        job.wait(False, timeout=0.3)
    with pytest.raises(IsocenterError, match=r"job\.wait"):
        _ = job.result
    assert job in archive.jobs.running
    until(lambda: job.progress > 0)
    assert 'role="progressbar"' in job._repr_html_()
    job.cancel()
    with pytest.raises(IsocenterError, match="cancelled"):
        job.wait(False)
    assert job not in archive.jobs.running
    with pytest.raises(Conflict):
        job.pause()


def test_the_list_shows_itself_and_can_be_followed(archive: Any) -> None:
    _, last = archive.jobs.changes()
    job = archive.jobs.submit("counts", to=1).wait(False)
    changed, later = archive.jobs.changes(last, wait=5)
    assert (list(changed), later > last) == ([job], True)
    assert archive.jobs[0] == job
    assert len(archive.jobs[:2]) == 2
    assert job.id in archive.jobs._ipython_key_completions_()
    assert "counts" in archive.jobs._repr_html_()
    assert {"verify", "archive"} <= {kind["Type"] for kind in archive.jobs.kinds}
    job.delete()
    with pytest.raises(NotFound):
        _ = archive.jobs[job.id]
