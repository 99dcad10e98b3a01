"""`isocenter demo` and `isocenter lab`, up to the point where JupyterLab would start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from command_line import DEAD_PROXY, environment, isocenter
from processes import those

pytestmark = pytest.mark.timeout(180)

# In JupyterLab's place: it tells what it was started with, and ends when told to.
LAB = """
import json, os, pathlib, signal, sys
told = {"arguments": sys.argv[1:], "url": os.environ["ISOCENTER_URL"], "token": os.environ["ISOCENTER_TOKEN"]}
pathlib.Path(os.environ["TOLD"] + ".new").write_text(json.dumps(told))
signal.signal(signal.SIGINT, lambda *_: pathlib.Path(os.environ["TOLD"] + ".asked").touch())
os.replace(os.environ["TOLD"] + ".new", os.environ["TOLD"])
sys.exit(0 if sys.stdin.readline() else 1)
"""


def with_lab(folder: Path) -> dict[str, str]:
    """An environment in which `python -m jupyterlab` is LAB."""
    module = folder / "modules" / "jupyterlab"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "__main__.py").write_text(LAB)
    path = os.pathsep.join([str(module.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return environment(folder, PYTHONPATH=path, TOLD=str(folder / "told"), **DEAD_PROXY)


def test_the_demo_sends_and_finds_and_its_sums_are_right(tmp_path: Path) -> None:
    told = isocenter("demo", "--slices", "1", "--json", env=environment(tmp_path, **DEAD_PROXY), cwd=tmp_path)
    assert told.returncode == 0
    answer = json.loads(told.stdout)
    by_dimse, by_web = answer["sent"]
    for sent in (by_dimse, by_web):
        assert sent["files"] == sent["stored"] + sum(sent["refused"].values()) > 200
        assert all(reason.startswith(("not sent: ", "status C000 The ")) for reason in sent["refused"])
    assert by_dimse["files"] == by_web["files"]
    assert by_web["unsent"] == 0
    assert len(set(answer["found"].values())) == 1
    assert not any(tmp_path.iterdir()), "nothing is left behind, and no other server was told of"


@pytest.mark.slow
def test_lab_does_the_same_as_the_demo_first(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "isocenter", "lab", "--no-browser", "--slices", "1"],
        env=with_lab(tmp_path),
        input="end\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=170,
    )
    for word in ("C-STORE", "STOW-RS", "refused because", "C-FIND", "QIDO-RS", "isocenter find"):
        assert word in told.stdout
    assert "--no-browser" in json.loads((tmp_path / "told").read_text())["arguments"]


@dataclass(frozen=True)
class Lab:
    """`isocenter lab` as a terminal runs it, with JupyterLab started."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "isocenter", "lab", "--data", str(folder / "data"), "--no-browser"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            command,
            env=with_lab(folder),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert soon(lambda: (folder / "told").exists() or process.poll() is not None)
        yield Lab(process, folder, json.loads((folder / "told").read_text())["url"])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_ctrl_c_reaches_jupyterlab_which_asks_and_not_the_server(lab: Lab) -> None:
    servers = those(psutil.Process(lab.process.pid).children(), lambda child: "serve" in child.cmdline())
    assert [os.getpgid(p.pid) == lab.process.pid for p in servers] == [False]
    os.killpg(lab.process.pid, signal.SIGINT)
    assert soon((lab.folder / "told.asked").exists)
    assert lab.process.poll() is None
    assert answers(lab.url)


def test_a_closed_terminal_leaves_no_process_behind(lab: Lab) -> None:
    """Runs last in this module: it ends the one that the tests share."""
    started = psutil.Process(lab.process.pid).children(recursive=True)
    assert len(started) > 3
    lab.process.send_signal(signal.SIGHUP)
    assert lab.process.wait(60) == 128 + signal.SIGHUP
    assert psutil.wait_procs(started, timeout=60)[1] == []


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
            return int(answer.status) == 200
    except urllib.error.URLError:
        return False


def soon(true: object, within: float = 60.0) -> bool:
    assert callable(true)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return False
