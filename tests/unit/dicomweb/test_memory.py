"""Memory does not grow with what is sent or fetched, and a slow client holds nobody up."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., bytes]
MIB = 1024 * 1024
ALLOWED = 60 * MIB
SIZE = 200 * MIB


class Peak:
    """The most memory that this process, client and server in one, had resident while it was watched."""

    def __enter__(self) -> Peak:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._high()
        return self

    def __exit__(self, *_: object) -> None:
        self.grown = self._high() - self._before

    @staticmethod
    def _high() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def upload(make: Make, *, pause: float = 0) -> Iterator[bytes]:
    """A multipart body with one instance of 200 MB, as it is made."""
    head = make(1, Rows=1024, Columns=1024, NumberOfFrames="100", BitsAllocated=16, pixels=b"12345678")
    at = head.rindex(b"\x08\0\0\0" + b"12345678")
    yield b"--here\r\nContent-Type: application/dicom\r\n\r\n" + head[:at] + SIZE.to_bytes(4, "little")
    for _ in range(SIZE // MIB):
        yield bytes(MIB)
        if pause:
            time.sleep(pause)
    yield b"\r\n--here--\r\n"


def bulk_upload() -> Iterator[bytes]:
    """The same instance as metadata and one bulk part."""
    document = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.9"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.1"]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "pixels"},
    }
    yield b"--here\r\nContent-Type: application/dicom+json\r\n\r\n" + json.dumps([document]).encode()
    yield b"\r\n--here\r\nContent-Type: application/octet-stream\r\nContent-Location: pixels\r\n\r\n"
    for _ in range(SIZE // MIB):
        yield bytes(MIB)
    yield b"\r\n--here--\r\n"


def test_large_bulk_data_passes_through_little_memory(web: Any, make: Make) -> None:
    web.store(make(2))
    headers = {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=here'}
    with Peak() as storing:
        answer = web.post("/dicom-web/studies", data=bulk_upload(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert storing.grown < ALLOWED, f"storing took {storing.grown // MIB} MiB"


HEADERS = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=here'}


def test_a_large_object_passes_through_little_memory(web: Any, make: Make) -> None:
    web.store(make(2))
    with Peak() as storing:
        answer = web.post("/dicom-web/studies", data=upload(make), headers=HEADERS)
    assert answer.status_code == 200, answer.text
    assert storing.grown < ALLOWED, f"storing took {storing.grown // MIB} MiB"
    path = "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
    for end, accept in [
        ("", "application/dicom"),
        ("", "multipart/related; type=application/dicom"),
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1.99"),
        ("", "application/zip"),
        ("/pixeldata", "application/octet-stream"),
        ("/bulkdata", "multipart/related"),
    ]:
        least = 0 if accept.endswith(".99") else SIZE
        with Peak() as fetching, web.get(path + end, headers={"Accept": accept}, stream=True) as answer:
            assert answer.status_code == 200
            assert sum(len(piece) for piece in answer.iter_content(MIB)) >= least
        assert fetching.grown < ALLOWED, f"fetching took {fetching.grown // MIB} MiB"


def test_a_client_that_does_not_read_takes_no_memory_and_no_thread(web: Any, make: Make) -> None:
    assert web.post("/dicom-web/studies", data=upload(make), headers=HEADERS).status_code == 200
    path = b"/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
    request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAccept: application/dicom\r\n\r\n"
    slow = []
    with Peak() as waiting:
        for _ in range(20):
            slow.append(socket.create_connection(("127.0.0.1", web.port)))
            slow[-1].sendall(request)
        began = time.perf_counter()
        assert len(web.search("/studies")) == 1
        assert time.perf_counter() - began < 5
        time.sleep(0.5)
    assert waiting.grown < 20 * 8 * MIB
    for one in slow:
        one.close()


def test_slow_senders_hold_nobody_up(web: Any, make: Make) -> None:
    stop = threading.Event()

    def trickle() -> None:
        body = upload(make, pause=0.05)

        def pieces() -> Iterator[bytes]:
            for piece in body:
                if stop.is_set():
                    return
                yield piece

        web.web.post(web.url + "/dicom-web/studies", data=pieces(), headers=HEADERS, timeout=60)

    senders = [threading.Thread(target=trickle) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        for number in range(2, 8):
            assert web.store(make(number)).status_code == 200
        assert len(web.search("/instances")) == 6
    finally:
        stop.set()
        for sender in senders:
            sender.join()


@pytest.mark.slow
def test_many_small_instances_in_one_request(web: Any, make: Make) -> None:
    def body() -> Iterator[bytes]:
        for number in range(3000):
            yield b"--here\r\n\r\n" + make(number, pixels=bytes(60_000)) + b"\r\n"
        yield b"--here--"

    with Peak() as storing:
        answer = web.post("/dicom-web/studies", data=body(), headers=HEADERS)
    assert answer.status_code == 200
    assert len(answer.json()["00081199"]["Value"]) == 3000
    assert storing.grown < 2 * ALLOWED, f"storing took {storing.grown // MIB} MiB"
