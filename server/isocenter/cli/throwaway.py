"""A server of its own on a folder of its own, for demonstrations and tests: `isocenter serve` as a child.

Nobody meets it by accident: its runtime folder is its own, so that neither `isocenter.connect()` nor a
command that names no address finds it. Ctrl-C does not reach it either: who started it decides when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from isocenter.errors import Unavailable

STARTS_WITHIN = 120.0
STOPS_WITHIN = 45.0


@dataclass(frozen=True)
class Running:
    """A running server: where it is and how to talk to it."""

    data: Path
    url: str
    token: str
    dicom_host: str
    dicom_port: int
    ae_title: str
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """Environment in which `isocenter` commands and `isocenter.connect()` find this server."""
        return {**os.environ, "ISOCENTER_URL": self.url, "ISOCENTER_TOKEN": self.token}


@contextlib.contextmanager
def server(data: Path | None = None, *, workers: int = 2, log: Path | None = None) -> Iterator[Running]:
    """Start a server on free loopback ports; stop it cleanly at the end.

    Args:
        data: the data folder; a temporary one, removed at the end, when absent.
        workers: server processes.
        log: where its log goes; discarded when absent unless it cannot start.

    Raises:
        Unavailable: it did not start or did not stop; its last words are in the hint.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        runtime = stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-"))
        if data is None:
            data = Path(runtime, "data")
        words = stack.enter_context(open(log, "w+b") if log else tempfile.TemporaryFile())  # noqa: SIM115
        command = [sys.executable, "-m", "isocenter", "serve", "--data", str(data)]
        command += ["--http-port", "0", "--dicom-port", "0", "--workers", str(workers)]
        process = subprocess.Popen(
            command,
            stdout=words,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "XDG_RUNTIME_DIR": runtime},
            start_new_session=True,
        )
        try:
            yield _wait(process, data, words.fileno())
        finally:
            _stop(process)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) end the block as an exception does: the server is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _wait(process: subprocess.Popen[bytes], data: Path, words: int) -> Running:
    path = data / "run" / "connection.json"
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        told = _read(path)
        if told and told["pid"] == process.pid:
            dicom = told["dicom"]
            where = (dicom["host"], dicom["port"], dicom["ae_title"])
            return Running(data, told["url"], told["token"], *where, process)
        time.sleep(0.05)
    size = os.fstat(words).st_size
    last = os.pread(words, 2000, max(size - 2000, 0)).decode(errors="replace").strip()
    raise Unavailable("The server did not start", hint=last or f"exit code {process.returncode}")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Unavailable(f"The server did not stop within {STOPS_WITHIN:.0f} s and was killed") from None
