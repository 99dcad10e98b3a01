"""DICOMweb: storing, stored frames over six connections, searches, metadata of a series of 500.

One server of two workers; the clients are processes of their own, plain HTTP over kept-alive connections.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from harness import Row, ct_files, report

from isocenter.cli.throwaway import Running, server

COUNT = int(os.environ.get("BENCH_FILES", "500"))
CONNECTIONS = 6
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
FRAME = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
BODY = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=here'}


class Client:
    """One kept-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(
        self, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes, str]:
        """Status, body and ETag."""
        method = "GET" if body is None else "POST"
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("ETag", "")


def store(running: Running, files: list[Path], each: int) -> float:
    """Files a second, `each` of them in one request, one request after the other."""
    client = Client(running.url, running.token)
    began = time.perf_counter()
    for start in range(0, len(files), each):
        parts = (b"--here\r\n\r\n" + path.read_bytes() + b"\r\n" for path in files[start : start + each])
        status, answer, _ = client.ask("/dicom-web/studies", BODY, b"".join(parts) + b"--here--\r\n")
        if status != 200:
            raise RuntimeError(answer.decode())
    return len(files) / (time.perf_counter() - began)


def fetch(url: str, token: str, paths: list[str], seconds: float) -> int:
    """Frames fetched in the time."""
    client, done = Client(url, token), 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        status, body, _ = client.ask(paths[done % len(paths)], FRAME)
        if status != 200 or len(body) < 500_000:
            raise RuntimeError(body.decode(errors="replace")[:500])
        done += 1
    return done


def frames(running: Running, paths: list[str]) -> float:
    """Frames a second over all connections."""
    with multiprocessing.get_context("spawn").Pool(CONNECTIONS) as pool:
        pool.starmap(fetch, [(running.url, running.token, paths, 0.5)] * CONNECTIONS)
        done = pool.starmap(
            fetch, [(running.url, running.token, paths[n:], SECONDS) for n in range(CONNECTIONS)]
        )
    return sum(done) / SECONDS


def milliseconds(work: Callable[[], object], times: int = 50) -> float:
    """Median duration."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def metadata(client: Client, series: str) -> list[Row]:
    """First, again, and unchanged."""
    path = series + "/metadata"
    began = time.perf_counter()
    status, body, etag = client.ask(path)
    first = 1000 * (time.perf_counter() - began)
    count = len(json.loads(body))
    if status != 200:
        raise RuntimeError(body.decode())
    again = milliseconds(lambda: client.ask(path), 10)
    unchanged = milliseconds(lambda: client.ask(path, {"If-None-Match": etag}), 30)
    what = f"metadata of {count} instances"
    return [
        Row(f"{what}, first", first, "ms", reach="100"),
        Row(f"{what}, again", again, "ms", reach="10"),
        Row(f"{what}, unchanged", unchanged, "ms", reach="2"),
    ]


def main() -> int:
    """Measure and print."""
    folder = os.environ.get("BENCH_FOLDER")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as name, server() as running:
        files = ct_files(Path(name) / "files", 2 * COUNT)
        rows = [
            Row("STOW, 1 file a request", store(running, files[:COUNT], 1), "files/s"),
            Row("STOW, 50 files a request", store(running, files[COUNT:], 50), "files/s"),
        ]
        client = Client(running.url, running.token)
        found = json.loads(client.ask("/dicom-web/instances")[1])
        urls = [urlsplit(one["00081190"]["Value"][0]).path for one in found]
        rate = frames(running, [url + "/frames/1" for url in urls])
        rows.append(Row("stored frames of 0.5 MB, 6 connections", rate, "frames/s", reach="800"))
        search = milliseconds(lambda: client.ask("/dicom-web/studies?PatientID=BENCH-1"))
        rows.append(Row("QIDO, studies by PatientID", search, "ms", reach="10"))
        client.ask(urls[-1].partition("/series/")[0] + "/metadata")  # starts the query process
        rows += metadata(client, urls[0].partition("/series/")[0])
    report("DICOMweb", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
