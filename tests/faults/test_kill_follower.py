"""kill -9 of the process that brings a view in step, on a running server: another one goes on."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path

import psutil
import pydicom
import pytest
from processes import those
from pydicom.data import get_testdata_file
from web_client import WebClient

from isocenter.cli.throwaway import Running, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NUMBER, KILLS = 150, 3


def followers(running: Running, there: set[int]) -> list[psutil.Process]:
    """Processes below the server that were not there before it had something to follow."""
    children = psutil.Process(running.process.pid).children(recursive=True)
    return those(children, lambda one: one.pid not in there and "resource_tracker" not in str(one.cmdline()))


def files() -> list[bytes]:
    made = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    raw = []
    for number in range(1, NUMBER + 1):
        made.InstanceNumber = number
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.5001.2.{number}"
        stream = io.BytesIO()
        made.save_as(stream)
        raw.append(stream.getvalue())
    return raw


def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text('[datasets.research]\nae_title = "R"\nview_of = "main"\n')
    with (
        server(data, workers=1, log=tmp_path / "log") as running,
        WebClient(running.url, running.token) as web,
    ):
        there = {one.pid for one in psutil.Process(running.process.pid).children(recursive=True)}
        assert len(web.store(files())) == NUMBER
        killed, until = 0, time.monotonic() + 120
        while killed < KILLS and time.monotonic() < until:
            found = json.loads(web.ask("GET", "/datasets/research/dicom-web/instances?limit=1000"))
            if len(found) == NUMBER:
                break
            if len(found) > killed * 30:
                for one in followers(running, there):
                    os.kill(one.pid, signal.SIGKILL)
                killed += 1
            time.sleep(0.1)
        assert killed, "it was in step before anything was killed"
        told = json.loads(web.post("/api/datasets/research/refresh", {"Wait": 120}))
        assert (told["Behind"], told["Quarantined"]) == (0, 0)
        found = json.loads(web.ask("GET", "/datasets/research/dicom-web/instances?limit=1000"))
        assert sorted(one["00200013"]["Value"][0] for one in found) == list(range(1, NUMBER + 1))
        count = json.loads(web.post("/api/tables/count", {"dataset": "research", "level": "instance"}))
        assert count["count"] == NUMBER
