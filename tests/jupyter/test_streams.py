"""Bodies of any size pass in both directions in the memory that Jupyter has anyway, and nobody is outrun."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest
from live_jupyter import TOKEN, Jupyter, jupyter
from recorder import BLOCK, Recorder, recorder

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
FLAT = 48 * MEBIBYTE


@pytest.fixture(scope="module")
def record() -> Iterator[Recorder]:
    with recorder() as running:
        yield running


@pytest.fixture(scope="module")
def ada(record: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    options = ["--Isocenter.mode=attach", f"--Isocenter.url={record.url}"]
    with jupyter(tmp_path_factory.mktemp("home"), *options) as started:
        assert started.ask("isocenter/proxy/api/big/1000000").status == 200  # what is loaded once, is
        yield started


class Peak:
    """The most resident memory of a process while the block runs, beyond what it had before."""

    def __init__(self, jupyter: Jupyter) -> None:
        self._process = psutil.Process(jupyter.process.pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.grown = 0

    def __enter__(self) -> Peak:
        self._before = self._process.memory_info().rss
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.grown = max(self.grown, self._process.memory_info().rss - self._before)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def ask(ada: Jupyter, path: str, *, upload: int = 0) -> int:
    """Send so many bytes, and count those that come back."""
    split = urlsplit(ada.proxy)
    connection = http.client.HTTPConnection(split.netloc, timeout=100)
    headers = {"Authorization": f"token {TOKEN}", "Content-Length": str(upload)}
    body = (BLOCK for _ in range(upload // len(BLOCK))) if upload else None
    connection.request("POST" if upload else "GET", f"{split.path}{path}", body, headers)
    answer = connection.getresponse()
    assert answer.status == 200
    buffer, count = bytearray(MEBIBYTE), 0
    while got := answer.readinto(buffer):
        count += got
    connection.close()
    return count


@pytest.mark.parametrize("size", [192 * MEBIBYTE, pytest.param(GIBIBYTE, marks=pytest.mark.slow)])
def test_an_upload_passes_in_flat_memory(ada: Jupyter, record: Recorder, size: int) -> None:
    record.received = 0
    with Peak(ada) as peak:
        ask(ada, "/api/things", upload=size)
    assert record.received == size
    assert peak.grown < FLAT


@pytest.mark.parametrize("size", [192 * MEBIBYTE, pytest.param(GIBIBYTE, marks=pytest.mark.slow)])
def test_a_download_passes_in_flat_memory(ada: Jupyter, size: int) -> None:
    with Peak(ada) as peak:
        assert ask(ada, f"/api/big/{size}") == size
    assert peak.grown < FLAT


def test_a_reader_that_stops_holds_the_data_server_back(ada: Jupyter, record: Recorder) -> None:
    split = urlsplit(ada.proxy)
    with (
        socket.create_connection((split.hostname or "", split.port or 0), timeout=60) as raw,
        Peak(ada) as peak,
    ):
        lines = [f"GET {split.path}/api/big/{GIBIBYTE} HTTP/1.1", f"Host: {split.netloc}"]
        raw.sendall("\r\n".join([*lines, f"Authorization: token {TOKEN}", "", ""]).encode())
        raw.recv(1000)
        sent = _settled(record)
    assert sent < 64 * MEBIBYTE
    assert peak.grown < FLAT
    _ended(record)  # the reader is gone: the data server is told


def test_a_sender_that_is_faster_than_the_data_server_is_held_back(ada: Jupyter) -> None:
    with (
        _slow_server() as (url, taken),
        jupyter(ada.home, f"--Isocenter.url={url}", "--Isocenter.mode=attach") as slow,
    ):
        split = urlsplit(slow.proxy)
        with (
            socket.create_connection((split.hostname or "", split.port or 0), timeout=60) as raw,
            Peak(slow) as peak,
        ):
            lines = [f"POST {split.path}/api/things HTTP/1.1", f"Host: {split.netloc}"]
            lines += [f"Authorization: token {TOKEN}", f"Content-Length: {GIBIBYTE}"]
            raw.sendall("\r\n".join([*lines, "", ""]).encode())
            assert _sent_until_full(raw) < 64 * MEBIBYTE
            assert taken.wait(60)
        assert peak.grown < FLAT


def _settled(record: Recorder) -> int:
    """How much was sent when it has not changed for a while."""
    before = -1
    while before != record.sent:
        before = record.sent
        time.sleep(0.5)
    return before


def _ended(record: Recorder) -> None:
    deadline = time.monotonic() + 60
    while any(
        thread.name.startswith("Thread") and "process_request" in thread.name
        for thread in threading.enumerate()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _sent_until_full(raw: socket.socket) -> int:
    """How much can be sent until nothing more is taken."""
    raw.settimeout(1)
    sent = 0
    try:
        while sent < GIBIBYTE:
            sent += raw.send(BLOCK)
    except TimeoutError:
        pass
    return sent


class _slow_server:  # noqa: N801 (used as a function)
    """Takes the head of a request and nothing more."""

    def __enter__(self) -> tuple[str, threading.Event]:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}", self._taken

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(taken)
            head = taken.recv(4096)
            if b"/api/system" in head:
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                taken.close()
            else:
                self._taken.set()

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for taken in self._open:
            taken.close()
