"""`isocenter lab`: a server with the demonstration files, and JupyterLab that finds it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from isocenter.cli import output
from isocenter.cli.demo import gather, show
from isocenter.cli.throwaway import server
from isocenter.errors import NotFound


def run(*, notebook: Path | None, data: Path | None, browser: bool, slices: int) -> int:
    """Serve until JupyterLab ends; its exit code.

    Args:
        notebook: what to open first.
        data: serve this folder as it is; a throw-away one with the demonstration files when absent.
        browser: let JupyterLab open a browser.
        slices: of the generated head CT.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotFound(
            "JupyterLab is not installed", hint="pip install jupyterlab, or `make lab` in a checkout"
        )
    if notebook is not None and not notebook.exists():
        raise NotFound(f"No notebook {notebook}", hint="run `make lab` at the top of a checkout")
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-files-")))
        running = stack.enter_context(server(data))
        if data is None:
            show(running, gather(scratch, slices=slices))
        output.err.print(f"The server is at {running.url}; Ctrl-C ends it with JupyterLab", style="dim")
        return _jupyter(notebook, running.environment(), browser=browser)


def _jupyter(notebook: Path | None, environment: dict[str, str], *, browser: bool) -> int:
    command = [sys.executable, "-m", "jupyterlab", *([str(notebook)] if notebook else [])]
    if not browser:
        command.append("--no-browser")
    if os.geteuid() == 0:
        command.append("--allow-root")  # who runs this as root has decided so; JupyterLab would only refuse
    with subprocess.Popen(command, env=environment) as process:
        try:
            return _wait(process)
        finally:
            process.terminate()  # nothing to one that has ended


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the terminal sent it to JupyterLab too, which asks before it ends
