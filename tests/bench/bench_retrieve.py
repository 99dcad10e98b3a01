"""C-GET and C-MOVE of stored 0.5 MB CT images, beside DCMTK's own storescu to the same kind of receiver."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import pydicom
from harness import NAGLE_OFF, Row, ct_files, free_port, receiver, report, timed

from isocenter.cli.throwaway import Running, server

REST = 40.0
"""Seconds after storing: meanwhile the catalog takes the rows over, which is not what is measured."""
COUNT = int(os.environ.get("BENCH_FILES", "1000"))


def move(running: Running, study: str) -> float:
    """Seconds that movescu needs to have the study moved to RECEIVER."""
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    where = ["-aec", running.ae_title, "-aem", "RECEIVER", "127.0.0.1", str(running.dicom_port)]
    return timed(["movescu", "-S", *keys, *where], env=NAGLE_OFF)


def get(running: Running, study: str) -> float:
    """Seconds that getscu needs for the study; it leaves Nagle on unless told, and ignores what it gets."""
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    where = ["-aec", running.ae_title, "127.0.0.1", str(running.dicom_port)]
    return timed(["getscu", "-S", "--ignore", *keys, *where])


def measure(folder: Path) -> list[Row]:
    """Store the files, one study, then move it to receivers with Nagle off and on, then get it."""
    rows, port = [], free_port()
    files = ct_files(folder / "files", COUNT, series=COUNT)
    names, study = [str(file) for file in files], str(pydicom.dcmread(files[0]).StudyInstanceUID)
    data = folder / "data"
    data.mkdir()
    (data / "isocenter.toml").write_text(f'[peers.RECEIVER]\nhost = "127.0.0.1"\nport = {port}\n')
    with server(data) as running:
        here = ["127.0.0.1", str(running.dicom_port)]
        timed(["dcmsend", "-aec", running.ae_title, *here, *names], env=NAGLE_OFF)
        time.sleep(REST)
        for what, env in (("Nagle off", NAGLE_OFF), ("Nagle on", {})):
            with receiver(folder / what, port, env):
                own = COUNT / timed(["storescu", "-aec", "RECEIVER", "127.0.0.1", str(port), *names], env=env)
                if not rows:  # storescu's files are in memory, ours were stored past the page cache
                    first = COUNT / move(running, study)
                    rows.append(
                        Row("C-MOVE, from the disk", first, "files/s", f"storescu ({own:.0f})", first / own)
                    )
                moved = COUNT / move(running, study)
            beside = f"storescu ({own:.0f})"
            rows.append(Row(f"C-MOVE, receiver with {what}", moved, "files/s", beside, moved / own, "1"))
        got = COUNT / get(running, study)
        rows.append(Row("C-GET by getscu, Nagle on", got, "files/s", beside, got / own, "1"))
    return rows


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        report(f"C-MOVE and C-GET of {COUNT} stored CT images of 0.5 MB", measure(Path(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
