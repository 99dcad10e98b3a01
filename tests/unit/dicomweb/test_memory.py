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
SIZE = 300 * MIB
FRAME = 2 * MIB
# The value of an element has less than 4 GiB (PS3.5 7.1.1).
SIZES = [pytest.param(SIZE, id="300 MB"), pytest.param(4094 * MIB, id="4 GB", marks=pytest.mark.slow)]


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


def upload(make: Make, *, size: int = SIZE, pause: float = 0) -> Iterator[bytes]:
    """A multipart body with one large instance, as it is made."""
    shape = {"Rows": 1024, "Columns": 1024, "NumberOfFrames": str(size // FRAME)}
    stored = {"BitsAllocated": 16, "BitsStored": 16, "SamplesPerPixel": 1, "PixelRepresentation": 0}
    head = make(1, **shape, **stored, PhotometricInterpretation="MONOCHROME2", pixels=b"12345678")
    at = head.rindex(b"\x08\0\0\0" + b"12345678")
    yield b"--here\r\nContent-Type: application/dicom\r\n\r\n" + head[:at] + size.to_bytes(4, "little")
    for _ in range(size // MIB):
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


OCTETS = "application/octet-stream"
STUDY, INSTANCE = "/dicom-web/studies/1.2.3", "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
WAYS = [
    (INSTANCE, "application/dicom"),
    (INSTANCE, 'multipart/related; type="application/dicom"'),
    (STUDY, 'multipart/related; type="application/dicom"'),
    (STUDY, "application/zip"),
    (INSTANCE + "/bulkdata/PixelData", OCTETS),
    (INSTANCE + "/bulkdata/PixelData", f'multipart/related; type="{OCTETS}"'),
    (STUDY + "/bulkdata", f'multipart/related; type="{OCTETS}"'),
    (INSTANCE + "/pixeldata", OCTETS),
    (INSTANCE + "/frames/{frames}", f'multipart/related; type="{OCTETS}"'),
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size", SIZES)
def test_a_large_object_passes_through_little_memory(web: Any, make: Make, size: int) -> None:
    web.store(make(2))
    with Peak() as storing:
        answer = web.web.post(
            web.url + "/dicom-web/studies", data=upload(make, size=size), headers=HEADERS, timeout=1200
        )
    assert answer.status_code == 200, answer.text
    assert storing.grown < ALLOWED, f"storing took {storing.grown // MIB} MiB"
    every = ",".join(str(number) for number in range(1, size // FRAME + 1))
    for path, accept in WAYS:
        url = path.format(frames=every)
        with Peak() as fetching, web.get(url, headers={"Accept": accept}, stream=True) as answer:
            assert answer.status_code == 200, answer.text
            assert sum(len(piece) for piece in answer.iter_content(MIB)) >= size, (path, accept)
        assert fetching.grown < ALLOWED, f"{path} as {accept} took {fetching.grown // MIB} MiB"


def test_a_client_that_does_not_read_takes_no_memory_and_no_thread(web: Any, make: Make) -> None:
    assert web.post("/dicom-web/studies", data=upload(make), headers=HEADERS).status_code == 200
    path = b"/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
    request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAccept: application/dicom\r\n\r\n"
    slow = []
    with Peak() as waiting:
        for _ in range(20):
            slow.append(socket.create_connection(("127.0.0.1", web.port)))
            slow[-1].sendall(request)
        assert len(web.search("/studies")) == 1
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
