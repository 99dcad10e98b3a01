"""Memory of the server while an object of 4 GB is stored and served: RSS of every process, above idle.

The object is a multi-frame image whose frames are a hole in a sparse file. It comes by STOW-RS in chunks and
by C-STORE, and goes by WADO-RS, C-GET, as one frame and as metadata. What WADO-RS serves is compared with
what was sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pydicom
from harness import Row, report
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage
from scu import STUDY_GET, association, command, encoded, identifier
from web_client import AS_STORED, WebClient, data_set_of

from isocenter.cli.throwaway import Running, server
from isocenter.datasets.phantoms import Subject, ct
from isocenter.network.association import Association
from isocenter.network.messages import Field, response
from isocenter.network.negotiation import Proposal
from isocenter.network.send import FileRange
from isocenter.network.service import Ending, Message

SIZE = int(float(os.environ.get("BENCH_GIGABYTES", "4")) * 1e9)
SOP_CLASS = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
ROWS = COLUMNS = 512
FRAME = ROWS * COLUMNS * 2
FRAMES = SIZE // FRAME
CHUNK = 1024 * 1024
REACH = "under 200"


@dataclass
class Growth:
    """Highest RSS of each process of a server above what it had at rest, in bytes."""

    process: psutil.Process
    idle: dict[int, int] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)
    together: int = 0

    def sample(self) -> None:
        """Look once; a process that was not there at rest counts with all it has."""
        now = {one.pid: _rss(one) for one in (self.process, *self.process.children(recursive=True))}
        grown = {pid: rss - self.idle.get(pid, 0) for pid, rss in now.items()}
        for pid, more in grown.items():
            self.highest[pid] = max(self.highest.get(pid, 0), more)
        self.together = max(self.together, sum(grown.values()))


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def watched(running: Running) -> Iterator[Growth]:
    """Sample the server's processes 50 times a second."""
    growth = Growth(psutil.Process(running.process.pid))
    growth.sample()
    growth.idle, growth.highest, growth.together = growth.highest, {}, 0
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            growth.sample()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield growth
    finally:
        over.set()
        thread.join()
        growth.sample()


def sparse(folder: Path, name: str) -> tuple[Path, int, pydicom.Dataset]:
    """A Part 10 file of SIZE whose Pixel Data is a hole; where its data set begins; its header."""
    image = next(iter(ct(Subject(PatientID=f"BIG-{name}", seed=name), slices=1, size=8)))
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SOP_CLASS
    image.NumberOfFrames, image.Rows, image.Columns = FRAMES, ROWS, COLUMNS
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.PixelData = b""
    whole = BytesIO()
    image.save_as(whole, enforce_file_format=True)
    length = FRAMES * FRAME
    head = whole.getvalue()[:-4] + length.to_bytes(4, "little")
    path = folder / f"{name}.dcm"
    path.write_bytes(head)
    os.truncate(path, len(head) + length)
    return path, len(head) - len(data_set_of(head)), image


def stow(running: Running, path: Path, _start: int, _image: pydicom.Dataset) -> None:
    """STOW-RS with chunked transfer coding."""
    place = urlsplit(running.url)
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: {place.netloc}\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Bearer {running.token}\r\nAccept: application/dicom+json\r\nConnection: close\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=part\r\n\r\n'
    )
    with socket.create_connection((place.hostname, place.port)) as peer, path.open("rb") as file:
        peer.sendall(head.encode())
        _chunk(peer, b"--part\r\nContent-Type: application/dicom\r\n\r\n")
        while piece := file.read(CHUNK):
            _chunk(peer, piece)
        _chunk(peer, b"\r\n--part--\r\n")
        _chunk(peer, b"")
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]


def _chunk(peer: socket.socket, piece: bytes) -> None:
    peer.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))


def c_store(running: Running, path: Path, start: int, image: pydicom.Dataset) -> None:
    """C-STORE, read from the sparse file as it is sent."""

    async def send() -> None:
        told = command(Field.C_STORE_RQ, SOP_CLASS, AffectedSOPInstanceUID=image.SOPInstanceUID)
        proposal = Proposal(SOP_CLASS, (ExplicitVRLittleEndian,))
        async with association(running.dicom_port, proposal, called=running.ae_title) as asked:
            with path.open("rb") as file:
                source = FileRange(file.fileno(), start, path.stat().st_size - start)
                reply = await asked.exchange(1, told, source)
        assert reply.status == 0, reply

    asyncio.run(send())


def wado(running: Running, path: Path, start: int, image: pydicom.Dataset) -> None:
    """WADO-RS of the whole instance, as stored; every byte of the data set compared with the file."""
    _, received = _retrieved(running, f"/dicom-web/studies/{image.StudyInstanceUID}", image, AS_STORED)
    with path.open("rb") as file:
        file.seek(start)
        assert received == hashlib.file_digest(file, "sha256").hexdigest(), "other bytes came back"


def _retrieved(running: Running, study: str, image: pydicom.Dataset, accept: str) -> tuple[int, str]:
    """Bytes of the answer, and the digest of its data set."""
    path = f"{study}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    with WebClient(running.url, running.token) as web:
        headers = {"Accept": accept, "Authorization": f"Bearer {running.token}"}
        web.connection.request("GET", path, headers=headers)
        answer = web.connection.getresponse()
        assert answer.status == 200, answer.read()[:500]
        first = answer.read(CHUNK)
        count, digest = len(first), hashlib.sha256(data_set_of(first))
        while piece := answer.read(CHUNK):
            count += len(piece)
            digest.update(piece)
    return count, digest.hexdigest()


class Dropping:
    """Takes what a C-GET brings and drops it."""

    def __init__(self) -> None:
        self.received = 0

    def established(self, asked: Association) -> None:
        """Nothing to prepare."""

    def message_begin(self, asked: Association, message: Message) -> Dropping:
        return self

    def feed(self, fragment: memoryview) -> None:
        self.received += len(fragment)

    def abort(self) -> None:
        """Nothing was kept."""

    def message_end(self, asked: Association, message: Message) -> None:
        asked.respond(message, response(message.command, 0))

    def ended(self, asked: Association, ending: Ending) -> None:
        """Nothing to tidy up."""


def c_get(running: Running, path: Path, start: int, image: pydicom.Dataset) -> None:
    """C-GET of the study."""

    async def fetch() -> int:
        taker = Dropping()
        proposals = (Proposal(STUDY_GET), Proposal(SOP_CLASS, (ExplicitVRLittleEndian,), scp=True))
        async with association(
            running.dicom_port, *proposals, called=running.ae_title, service=taker
        ) as asked:
            context = asked.context_for(STUDY_GET)
            assert context is not None
            wanted = encoded(
                identifier("STUDY", {"StudyInstanceUID": image.StudyInstanceUID}), context.transfer_syntax
            )
            told = command(Field.C_GET_RQ, STUDY_GET)
            replies = [reply async for reply in asked.replies(context, told, wanted)]
        assert replies[-1].status == 0, replies[-1]
        return taker.received

    assert asyncio.run(fetch()) == path.stat().st_size - start


def one_frame(running: Running, _path: Path, _start: int, image: pydicom.Dataset) -> None:
    """WADO-RS of the last frame, then of the metadata."""
    place = f"/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}"
    place += f"/instances/{image.SOPInstanceUID}"
    with WebClient(running.url, running.token) as web:
        kind = 'multipart/related; type="application/octet-stream"'
        assert len(web.ask("GET", f"{place}/frames/{FRAMES}", Accept=kind)) > FRAME
        assert image.SOPInstanceUID.encode() in web.ask("GET", f"{place}/metadata")


def warm_up(running: Running) -> None:
    """Let every way be used once with a small object, and flush, so that what is loaded once is at rest."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(4):  # more than once: there are several workers
            image = next(iter(ct(Subject(seed=f"small {number}"), slices=1, size=16)))
            path = Path(name) / "small.dcm"
            image.save_as(path, enforce_file_format=True)
            stow(running, path, 0, image)
            with WebClient(running.url, running.token) as web:
                place = f"/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}"
                web.ask("GET", place, Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
                web.ask("GET", f"{place}/metadata")
    time.sleep(5.0)


Way = Callable[[Running, Path, int, Any], None]
WAYS: tuple[tuple[str, str, Way], ...] = (
    ("STOW-RS, chunked", "web", stow),
    ("C-STORE", "dimse", c_store),
    ("WADO-RS, instance as stored", "web", wado),
    ("C-GET", "dimse", c_get),
    ("WADO-RS, last frame and metadata", "web", one_frame),
)


def measure(folder: Path) -> list[Row]:
    """Store and serve, one way after the other, in one server."""
    made = {name: sparse(folder, name) for name in ("web", "dimse")}
    rows = []
    data = folder / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text("[catalog]\nflush_seconds = 1.0\n")
    with server(data, log=folder / "log") as running:
        warm_up(running)
        for what, name, way in WAYS:
            with watched(running) as growth:
                began = time.perf_counter()
                way(running, *made[name])
                seconds = time.perf_counter() - began
            length = made[name][0].stat().st_size
            if way is one_frame:
                rows.append(Row(what, seconds, "s"))
            else:
                rows.append(Row(what, length / seconds / 1e6, "MB/s"))
            one = max(growth.highest.values()) / 1e6
            rows.append(Row("  most that one process grew", one, "MB", reach=REACH))
            rows.append(Row("  all processes together", growth.together / 1e6, "MB", reach=REACH))
            print(f"{what}: {seconds:.1f} s, {one:.0f} MB", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        report(f"Memory of the server with an object of {SIZE / 1e9:g} GB, above idle", measure(Path(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
