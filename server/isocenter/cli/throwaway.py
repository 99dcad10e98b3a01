"""A server of its own on a folder of its own, for demonstrations and tests: `isocenter serve` as a child.

Nobody meets it by accident: neither `isocenter.connect()` nor a command that names no address finds it.
Ctrl-C does not reach it either: who started it decides when it ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from isocenter.client.process import STOPS_WITHIN, ServerProcess
from isocenter.errors import Unavailable


@dataclass(frozen=True)
class Running:
    """A running server: where it is and how to talk to it."""

    data: Path
    url: str
    token: str
    dicom_host: str
    dicom_port: int
    ae_title: str
    process: ServerProcess

    def environment(self) -> dict[str, str]:
        """Environment in which `isocenter` commands and `isocenter.connect()` find this server."""
        return {**os.environ, "ISOCENTER_URL": self.url, "ISOCENTER_TOKEN": self.token}


@contextlib.contextmanager
def server(data: Path | None = None, *, workers: int = 2, log: Path | None = None) -> Iterator[Running]:
    """Start a server on free loopback ports; stop it cleanly at the end.

    Args:
        data: the data folder; a temporary one, removed at the end, when absent.
        workers: server processes.
        log: where its log goes; lost with a temporary folder when absent, unless it cannot start.

    Raises:
        Unavailable: it did not start or did not stop; its last words are in the hint.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-")))
        arguments = ["--http-port", "0", "--dicom-port", "0", "--workers", str(workers), "--unlisted"]
        process = ServerProcess(data or scratch / "data", arguments, log=log or scratch / "log")
        stack.callback(_stop, process)
        told = process.start().wait_ready()
        assert told.token
        assert told.dicom_host
        assert told.dicom_port
        dicom = (told.dicom_host, told.dicom_port, told.ae_title)
        yield Running(data or process.data, told.url, told.token, *dicom, process)


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


def _stop(process: ServerProcess) -> None:
    ran = process.running
    if process.stop() == -signal.SIGKILL and ran:
        raise Unavailable(f"The server did not stop within {STOPS_WITHIN:.0f} s and was killed")
