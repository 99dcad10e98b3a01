"""Metrics are those of the whole server, whichever process answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COUNT = (
    "from isocenter import metrics;"
    "metrics.http_requests.labels('qido', 'GET', '200').inc(2);"
    "metrics.http_seconds.labels('qido').observe(0.2)"
)
TELL = COUNT + ";print(metrics.exposition().decode())"


def run(program: str, folder: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_all_processes_are_counted_by_any_of_them(tmp_path: Path) -> None:
    run(COUNT, tmp_path)
    run(COUNT, tmp_path)
    told = run(TELL, tmp_path)
    assert 'isocenter_http_requests_total{face="qido",method="GET",status="200"} 6.0' in told
    assert 'isocenter_http_seconds_count{face="qido"} 3.0' in told
