"""What the measurements share: files to send, foreign servers, and how results are printed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.datasets.phantoms import Subject, ct

sys.path.append(str(Path(__file__).parents[1] / "support"))  # what tests and measurements share

NAGLE_OFF = {"TCP_NODELAY": "1"}  # what DCMTK, and so dcmsend and Orthanc, read
ORTHANC = shutil.which(
    "Orthanc", path=f"/usr/sbin:{os.environ.get('PATH', os.defpath)}"
)  # Debian has it there


@dataclass(frozen=True)
class Row:
    """One measured figure, what it is compared with, and what the design asks for."""

    what: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    reach: str = ""


def report(title: str, rows: Sequence[Row]) -> None:
    """Print the rows; as JSON lines with `--json`."""
    if "--json" in sys.argv:
        for row in rows:
            print(json.dumps({"bench": title, **row.__dict__}))
        return
    print(f"\n{title}")
    width = max(len(row.what) for row in rows)
    for row in rows:
        ratio = f"{row.ratio:6.2f} x {row.beside}" if row.ratio is not None else row.beside
        reach = f"   [reach {row.reach}]" if row.reach else ""
        print(f"  {row.what:{width}}  {row.value:12,.2f} {row.unit:10} {ratio}{reach}")


def ct_files(folder: Path, count: int, *, size: int = 512, series: int = 100) -> list[Path]:
    """`count` CT images of 0.5 MB (512 x 512 x 16 bit), in studies of a series of `series`."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    while len(made) < count:
        subject = Subject(PatientID=f"BENCH-{len(made) // series}", seed="bench")
        for image in ct(subject, slices=min(series, count - len(made)), size=size):
            path = folder / f"{len(made):05}.dcm"
            image.save_as(path, enforce_file_format=True)
            made.append(path)
    os.sync()  # or the first to be measured shares the disk with their writing
    return made


def bare_loop(files: Sequence[Path], folder: Path) -> float:
    """Seconds to write the same files and sync each with its directory, nothing else."""
    folder.mkdir(parents=True)
    contents = [path.read_bytes() for path in files]
    directory = os.open(folder, os.O_RDONLY)
    started = time.perf_counter()
    for number, content in enumerate(contents):
        with open(folder / f"{number}.new", "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(folder / f"{number}.new", folder / f"{number}.dcm")
        os.fsync(directory)
    took = time.perf_counter() - started
    os.close(directory)
    return took


def timed(command: Sequence[str], *, env: dict[str, str] | None = None) -> float:
    """Seconds that the command takes; its output is the error when it fails."""
    return together([command], env=env)


def together(commands: Sequence[Sequence[str]], *, env: dict[str, str] | None = None) -> float:
    """Seconds until all of the commands, started at once, have ended well."""
    started = time.perf_counter()
    running = [
        subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for command in commands
    ]
    outputs = [process.communicate()[0] for process in running]
    took = time.perf_counter() - started
    for process, output in zip(running, outputs, strict=True):
        if process.returncode:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {output[-2000:].decode()}")
    return took


@contextlib.contextmanager
def receiver(folder: Path, port: int, env: dict[str, str]) -> Iterator[None]:
    """DCMTK's storescp, a process an association, which throws away what it receives: no disk is measured."""
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "--ignore", "--fork", "-aet", "RECEIVER", str(port)],
        cwd=folder,
        env={**os.environ, **env},
    )
    try:
        time.sleep(1.0)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    dicom_port: int
    url: str

    def count(self) -> int:
        """Instances it holds."""
        with urllib.request.urlopen(f"{self.url}/statistics") as answer:
            return int(json.load(answer)["CountInstances"])


@contextlib.contextmanager
def orthanc(env: dict[str, str] | None = None, *, keep: Path | None = None, **more: Any) -> Iterator[Orthanc]:
    """Orthanc as Debian ships it: fresh SQLite index, default synchronisation, no plugins.

    Its files are in `keep`, which stays, or in a temporary folder.
    """
    if ORTHANC is None:
        raise RuntimeError("Orthanc is not installed: apt-get install orthanc")
    with contextlib.ExitStack() as stack:
        folder = keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="orthanc-"))
        http, dicom = free_port(), free_port()
        settings = {
            "Name": "bench",
            "StorageDirectory": f"{folder}/storage",
            "IndexDirectory": f"{folder}/index",
            "HttpPort": http,
            "DicomPort": dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowEcho": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [],
            **more,
        }
        path = Path(folder) / "orthanc.json"
        path.write_text(json.dumps(settings))
        process = subprocess.Popen(
            [ORTHANC, str(path)],
            env={**os.environ, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            running = Orthanc(dicom, f"http://127.0.0.1:{http}")
            _wait(running)
            yield running
        finally:
            process.terminate()
            process.wait(60)


def _wait(running: Orthanc) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            running.count()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
