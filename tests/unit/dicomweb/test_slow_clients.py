"""Clients that do not read, or go away, of everything that is streamed: nobody waits for them, nothing stays.

What stays would be an open file of the archive, or a task of the server's loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_archive import written
from live_archive import LiveArchive, serving
from pictures import image

FRAMES = 40
NUMBERS = ",".join(str(n) for n in range(1, FRAMES + 1))
STUDY = "/dicom-web/studies/1.2.3"
INSTANCE = STUDY + "/series/1.2.3.0/instances/1.2.3.1"
NATIVE = 'multipart/related; type="application/octet-stream"'
STREAMS = {
    "file": (INSTANCE, "application/dicom"),
    "files": (STUDY, 'multipart/related; type="application/dicom"; transfer-syntax=*'),
    "transcoded": (INSTANCE, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80"),
    "zip": (STUDY, "application/zip"),
    "frames": (f"{INSTANCE}/frames/{NUMBERS}", NATIVE),
    "transcoded frames": (f"{INSTANCE}/frames/{NUMBERS}", 'multipart/related; type="image/jls"'),
    "pixel data": (INSTANCE + "/pixeldata", "application/octet-stream"),
    "bulk data": (INSTANCE + "/bulkdata/PixelData", NATIVE),
    "animation": (INSTANCE + "/rendered", "image/gif"),
    "rendered frames": (f"{INSTANCE}/frames/{NUMBERS}/rendered", 'multipart/related; type="image/png"'),
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """A server with one image of 40 frames of noise, half a megabyte each."""
    with serving(tmp_path_factory.mktemp("archive") / "data") as start:
        web = start()
        noise = np.random.default_rng(1).integers(0, 256, (FRAMES, 720, 720), np.uint8)
        assert web.store(written(image(noise))).status_code == 200
        yield web


def begin(web: LiveArchive, path: str, accept: str) -> socket.socket:
    """A client that asks, reads how the answer begins, and reads no more."""
    client = socket.create_connection(("127.0.0.1", web.port), timeout=60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
    assert client.recv(15).startswith(b"HTTP/1.1 200")
    return client


def open_files(web: LiveArchive) -> list[str]:
    """Objects that this process, the server's, has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:
            continue
    return [path for path in found if path.startswith(str(web.archive.data / "objects")) and ".dcm" in path]


def tasks(web: LiveArchive) -> int:
    async def count() -> int:
        return len(asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(count(), web.loop).result(30)


@pytest.mark.parametrize("what", STREAMS)
def test_a_client_that_does_not_read_holds_nobody_up_and_leaves_nothing(web: LiveArchive, what: str) -> None:
    path, accept = STREAMS[what]
    idle = tasks(web)
    slow = [begin(web, path, accept) for _ in range(3)]
    assert len(web.search("/instances")) == 1
    assert web.get(INSTANCE + "/frames/1", headers={"Accept": "*/*"}).status_code == 200
    assert tasks(web) >= idle + 3, "all was sent: the answer is too small for this test"
    for client in slow:
        client.close()
    deadline = time.monotonic() + 60
    while open_files(web) or tasks(web) > idle:
        assert time.monotonic() < deadline, (open_files(web), tasks(web), idle)
        time.sleep(0.02)
    assert len(web.search("/instances")) == 1


@pytest.mark.parametrize("what", STREAMS)
def test_a_client_that_resets_its_connection_leaves_nothing(web: LiveArchive, what: str) -> None:
    path, accept = STREAMS[what]
    idle = tasks(web)
    client = begin(web, path, accept)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    deadline = time.monotonic() + 60
    while open_files(web) or tasks(web) > idle:
        assert time.monotonic() < deadline, (open_files(web), tasks(web), idle)
        time.sleep(0.02)
    left = {path.name for path in web.context.scratch.rglob("*") if path.is_file()}
    assert left <= {"server.lock", "connection.json"}
