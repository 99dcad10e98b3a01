"""C-GET and C-MOVE of stored 0.5 MB CT images, beside DCMTK's own storescu to the same kind of receiver."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from harness import NAGLE_OFF, Row, ct_files, free_port, report, timed

from isocenter.cli.throwaway import Running, server

COUNT = int(os.environ.get("BENCH_FILES", "1000"))


@contextlib.contextmanager
def receiver(folder: Path, port: int, env: dict[str, str]) -> Iterator[None]:
    """DCMTK's storescp, which throws away what it receives (so that its disk is not what is measured)."""
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "--ignore", "-aet", "RECEIVER", str(port)], cwd=folder, env={**os.environ, **env}
    )
    try:
        time.sleep(1.0)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def move(running: Running, studies: list[str]) -> float:
    """Seconds that movescu needs to have all studies moved to RECEIVER."""
    taken = 0.0
    for study in studies:
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
        where = ["-aec", running.ae_title, "-aem", "RECEIVER", "127.0.0.1", str(running.dicom_port)]
        taken += timed(["movescu", "-S", *keys, *where], env=NAGLE_OFF)
    return taken


def get(running: Running, studies: list[str]) -> float:
    """Seconds that getscu needs for all studies; it leaves Nagle on unless told, and ignores what it gets."""
    taken = 0.0
    for study in studies:
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
        where = ["-aec", running.ae_title, "127.0.0.1", str(running.dicom_port)]
        taken += timed(["getscu", "-S", "--ignore", *keys, *where])
    return taken


def studies_of(files: Sequence[Path]) -> list[str]:
    """The distinct Study Instance UIDs of the files."""
    read = (pydicom.dcmread(file, specific_tags=["StudyInstanceUID"]) for file in files)
    return sorted({data_set.StudyInstanceUID for data_set in read})


def measure(folder: Path) -> list[Row]:
    """Store the files, then move them to receivers with Nagle off and on, then get them."""
    rows, port = [], free_port()
    files = ct_files(folder / "files", COUNT)
    names, studies = [str(file) for file in files], studies_of(files)
    data = folder / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text(f'[peers.RECEIVER]\nhost = "127.0.0.1"\nport = {port}\n')
    with server(data) as running:
        here = ["127.0.0.1", str(running.dicom_port)]
        timed(["dcmsend", "-aec", running.ae_title, *here, *names], env=NAGLE_OFF)
        for what, env in (("Nagle off", NAGLE_OFF), ("Nagle on", {})):
            with receiver(folder / what, port, env):
                own = COUNT / timed(["storescu", "-aec", "RECEIVER", "127.0.0.1", str(port), *names], env=env)
                moved = COUNT / move(running, studies)
            beside = f"storescu ({own:.0f})"
            rows.append(Row(f"C-MOVE, receiver with {what}", moved, "files/s", beside, moved / own, "1"))
        got = COUNT / get(running, studies)
        rows.append(Row("C-GET by getscu, Nagle on", got, "files/s", beside, got / own, "1"))
    return rows


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        report(f"C-MOVE and C-GET of {COUNT} stored CT images of 0.5 MB", measure(Path(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
