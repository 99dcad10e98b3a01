"""`isocenter.start()`: a server of one's own that never outlives the program that started it."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydicom.data import get_testdata_file

import isocenter
from isocenter.client.process import ServerProcess
from isocenter.client.start import StartedArchive
from isocenter.errors import Conflict, Timeout, Unavailable

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ISOCENTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedArchive]:
    """A server on a folder that stays, over TCP, with DICOM."""
    with isocenter.start(tmp_path_factory.mktemp("kept"), http_port=0, dicom=True) as archive:
        yield archive


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_throw_away_server_stores_finds_and_leaves_nothing() -> None:
    with isocenter.start() as archive:
        data = archive.data
        assert archive.process is not None
        pid = archive.process.pid
        assert stat.S_IMODE((data / "run" / "http.sock").stat().st_mode) == 0o600
        report = archive.store(get_testdata_file("CT_small.dcm"), progress=False)
        assert len(report.stored) == archive.instances.count() == 1
        with pytest.raises(Unavailable):
            isocenter.connect()  # it is of this program alone
    assert not data.exists()
    assert not psutil.pid_exists(pid)
    with pytest.raises(Unavailable):
        archive.system()


@pytest.mark.parametrize("end", ["kill", "exit", "raise"])
def test_it_does_not_outlive_its_program(end: str, tmp_path: Path) -> None:
    program = (
        "import isocenter, os, signal, sys, time\n"
        "archive = isocenter.start()\n"
        "print(archive.process.pid, archive.data, flush=True)\n"
        "if os.fork() == 0: time.sleep(20); sys.exit()\n"  # which holds the pipe open, too
        "{'kill': lambda: os.kill(os.getpid(), signal.SIGKILL), 'exit': lambda: None,"
        " 'raise': lambda: 1 / 0}[sys.argv[1]]()\n"
    )
    script = subprocess.Popen(
        [sys.executable, "-c", program, end], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert script.stdout is not None
    pid, data = script.stdout.readline().split()
    family = [psutil.Process(int(pid)), *psutil.Process(int(pid)).children(recursive=True)]
    assert script.wait(60) == {"kill": -signal.SIGKILL, "exit": 0, "raise": 1}[end]
    script.stdout.close()
    wait_for(lambda: not any(one.is_running() for one in family))
    assert not Path(data).exists()


def test_a_folder_is_kept_and_connect_finds_its_server(tmp_path: Path) -> None:
    with isocenter.start(tmp_path / "mine") as archive:
        archive.store(get_testdata_file("CT_small.dcm"), progress=False)
        with isocenter.connect() as found:
            assert found.url == archive.url
    with isocenter.start("mine") as archive:
        assert archive.instances.count() == 1


def test_a_folder_that_is_served_is_connected_to_and_left_running(kept: StartedArchive) -> None:
    with isocenter.start(kept.data) as second:
        assert second.process is None
        assert second.url == kept.url
        assert "not started here" in repr(second)
    assert kept.system()["Name"] == "Isocenter"


def test_it_says_who_serves_a_folder_on_another_port(kept: StartedArchive) -> None:
    assert kept.process is not None
    with pytest.raises(Conflict, match=f"by process {kept.process.pid}, but HTTP is at {kept.url}"):
        isocenter.start(kept.data, http_port=1)
    with pytest.raises(Conflict, match=f"DICOM is at port {kept.info.dicom_port}"):
        isocenter.start(kept.data, dicom=1)


def test_the_slower_of_two_connects_to_the_faster(
    kept: StartedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when both found the folder free."""
    from isocenter.client import start as module

    look, looks = module._server_of, []

    def first_time_free(folder: Path) -> object:
        looks.append(folder)
        return look(folder) if len(looks) > 1 else None

    monkeypatch.setattr(module, "_server_of", first_time_free)
    with isocenter.start(kept.data) as second:
        assert second.url == kept.url
        assert second.process is None
    assert kept.system()["Name"] == "Isocenter"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    before = set(Path("/tmp").glob("isocenter-*"))
    with pytest.raises(Unavailable, match="workers"):
        isocenter.start(settings={"workers": 0}, workers=0)
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"No server can be started on .*/file"):
        isocenter.start(tmp_path / "file")
    with pytest.raises(Timeout, match="not ready within"):
        isocenter.start(timeout=0.01)
    assert set(Path("/tmp").glob("isocenter-*")) <= before


def test_settings_reach_it_and_those_of_the_user_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_DEFAULT_ISSUER", "MINE")
    monkeypatch.setenv("ISOCENTER_AE_TITLE", "MINE")
    settings = {"on_conflict": "replace", "datasets.lab": {"ae_title": "LAB"}}
    with isocenter.start(dataset="lab", settings=settings) as archive:
        system = archive.system()
    assert system["OverwriteInstances"]
    assert system["DicomAet"] == "ISOCENTER"
    assert {"Name": "lab", "DicomAet": "LAB"} in system["Datasets"]


def test_a_folder_with_something_in_it_is_not_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    process = ServerProcess(tmp_path, ["--throw-away", "--http-port", "0", "--no-dicom"])
    with pytest.raises(Unavailable, match="is not empty"):
        process.start().wait_ready()
    process.stop()
    assert (tmp_path / "precious").read_text() == "mine"


def test_an_event_loop_goes_on_while_a_server_starts_and_stops(tmp_path: Path) -> None:
    beats: list[float] = []

    async def beat() -> None:
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.02)

    async def live() -> tuple[ServerProcess, int | None]:
        beating = asyncio.create_task(beat())
        process = ServerProcess(
            tmp_path / "data", ["--http-port", "0", "--no-dicom", "--workers", "1"]
        ).start()
        info = await process.ready()
        assert info == process.connection
        assert info.url.startswith("http://127.0.0.1:")
        assert info.token
        assert info.token not in repr(info)
        ended = await process.stopped()
        assert f"Isocenter {isocenter.__version__} serves" in process.log_tail()
        beating.cancel()
        return process, ended

    process, ended = asyncio.run(live())
    assert ended == 0
    assert not process.running
    assert len(beats) > 10
    assert process.start().wait_ready().pid == process.pid  # and again
    assert process.stop() == 0
