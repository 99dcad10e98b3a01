"""kill -9 of a whole server while it de-identifies or releases: done anew, nothing twice, nothing lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests
from kill_rounds import kill_all
from live_archive import instance

from isocenter.cli.throwaway import Running, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NUMBER = 300


class Web:
    """Requests to a running server."""

    def __init__(self, running: Running) -> None:
        self.url, self.headers = running.url, {"Authorization": f"Bearer {running.token}"}

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, headers=self.headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, path: str, **asked: Any) -> Any:
        answer = requests.post(self.url + path, json=asked, headers=self.headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def store(self, number: int) -> None:
        parts = b"".join(
            b"--here\r\nContent-Type: application/dicom\r\n\r\n" + instance(n) + b"\r\n"
            for n in range(1, number + 1)
        )
        kind = 'multipart/related; type="application/dicom"; boundary=here'
        headers = {**self.headers, "Content-Type": kind}
        url = f"{self.url}/dicom-web/studies"
        assert requests.post(url, data=parts + b"--here--\r\n", headers=headers, timeout=120).ok

    def until(self, id: str, done: int) -> None:
        """Wait until so much of a job is done."""
        end = time.monotonic() + 60
        while (job := self.get(f"/api/jobs/{id}"))["Done"] < done:
            assert job["State"] in ("Pending", "Running"), job
            assert time.monotonic() < end, job
            time.sleep(0.02)

    def over(self, id: str) -> dict[str, Any]:
        end = time.monotonic() + 120
        while (job := self.get(f"/api/jobs/{id}"))["State"] not in ("Success", "Failure"):
            assert time.monotonic() < end, job
            time.sleep(0.05)
        return dict(job)

    def count(self, dataset: str) -> int:
        return int(self.post("/api/tables/count", dataset=dataset, level="instance")["count"])


def test_a_run_that_was_killed_is_done_anew_and_stores_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_DATASETS", '{"research": {"ae_title": "RESEARCH"}}')
    data = tmp_path / "data"
    with server(data, workers=1) as running:
        web = Web(running)
        web.store(NUMBER)
        id = web.post("/api/deid", Resources=["1.2.3"], Into="research")["ID"]
        web.until(id, NUMBER + 40)  # some are released already
        kill_all(running)
    with server(data, workers=1) as running:
        web = Web(running)
        job = web.over(id)
        assert (job["State"], job["Attempts"]) == ("Success", 2), job
        told = web.get(f"/api/deid/{id}")
        assert told["Counts"]["out"] == NUMBER
        assert web.count("research") == NUMBER
        assert sum(job["Result"]["released"].get(kind, 0) for kind in ("stored", "duplicate")) == NUMBER
        assert not (data / "jobs" / id / "held").exists()


def test_a_release_that_was_killed_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_DATASETS", '{"research": {"ae_title": "RESEARCH"}}')
    data = tmp_path / "data"
    with server(data, workers=1) as running:
        web = Web(running)
        web.store(NUMBER)
        id = web.post("/api/deid", Resources=["1.2.3"], Into="research", Review=True)["ID"]
        job = web.over(id)
        assert job["State"] == "Success", job
        said = web.post(f"/api/deid/{id}/review", verdict="accepted", rejected=["1.2.3.1.7"])
        web.until(said["Release"], 20)
        kill_all(running)
    with server(data, workers=1) as running:
        web = Web(running)
        assert web.over(said["Release"])["State"] == "Success"
        assert web.get(f"/api/deid/{id}")["Released"] is True
        assert web.count("research") == NUMBER - 1
