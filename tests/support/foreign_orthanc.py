"""Debian's Orthanc as a foreign peer: on a free port, with files of its own, no plugins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from live_dicom import bound

PROGRAM = shutil.which("Orthanc", path=f"/usr/sbin:{os.environ.get('PATH', os.defpath)}")


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """Run it over an empty folder; gives its URL. Skips the test where it is not installed."""
    if PROGRAM is None:
        pytest.skip("Orthanc is not installed (Debian: orthanc)")
    with bound() as http, bound() as dicom:
        ports = http.getsockname()[1], dicom.getsockname()[1]
    told = {"StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"), "Plugins": []}
    told |= {"HttpPort": ports[0], "DicomPort": ports[1], "AuthenticationEnabled": False}
    settings = folder / "orthanc.json"
    settings.write_text(json.dumps(told))
    quiet = subprocess.DEVNULL
    with subprocess.Popen([PROGRAM, str(settings)], stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{ports[0]}"
            _wait(url, process)
            yield url
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{url}/system", timeout=5).raise_for_status()
            return
        except requests.RequestException:
            assert process.poll() is None, "Orthanc ended"
            assert time.monotonic() < end, "Orthanc does not answer"
            time.sleep(0.1)
