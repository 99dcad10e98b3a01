"""A JupyterLab of its own, whose notebooks find a given server, and notebooks in headless Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "isocenter-test"
STARTS_WITHIN = 120.0
_READY = """async () => {
  const { sessionContext } = window.jupyterapp.shell.currentWidget;
  await sessionContext.ready;
  await sessionContext.session.kernel.info;
}"""


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path
    settings: Path

    def theme(self, name: str) -> None:
        """`JupyterLab Light` or `JupyterLab Dark`, for pages that are opened from now on."""
        self._setting("themes", {"theme": name, "adaptive-theme": False})

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook; its address."""
        listed = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "metadata": {},
                "source": text,
                "outputs": [],
                "execution_count": None,
            }
            for n, text in enumerate(cells)
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        content = {"cells": listed, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / f"{name}.ipynb").write_text(json.dumps(content))
        return f"{self.url}doc/tree/{name}.ipynb?token={TOKEN}"

    def run(self, page: Any, name: str, *cells: str) -> None:
        """Open a notebook of these cells in the page and run all of it."""
        page.goto(self.notebook(name, *cells), wait_until="load", timeout=60_000)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.evaluate(_READY)
        page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def _setting(self, plugin: str, content: Mapping[str, object]) -> None:
        folder = self.settings / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(content))


@contextlib.contextmanager
def lab(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Lab]:
    """Start JupyterLab; stop it, and its kernels, at the end.

    Args:
        folder: for everything that it writes.
        environment: of its kernels; names the server that `isocenter.connect()` finds.
        options: more of the command line.
    """
    notebooks, settings = folder / "notebooks", folder / "settings"
    for made in (notebooks, settings):
        made.mkdir(parents=True, exist_ok=True)
    places = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME")}
    places |= {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--port=0",
        "--ServerApp.port_retries=0",
    ]
    command += [
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}",
        "--expose-app-in-browser",
    ]
    started = Lab("", notebooks, settings)
    started._setting("notification", {"fetchNews": "false", "checkForUpdates": False})
    log = folder / "lab.log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [*command, *options],
            stdout=words,
            stderr=words,
            env={**os.environ, **environment, **places},
            start_new_session=True,
        )
    try:
        started.url = _url(folder / "runtime", process, log)
        yield started
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(runtime: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            told = json.loads((runtime / f"jpserver-{process.pid}.json").read_text())
            return str(told["url"])
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


_VALUE = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "";
  future.onIOPub = (message) => { if (message.header.msg_type === "stream") text += message.content.text; };
  await future.done;
  return text;
}"""


def kernel_value(page: Any, expression: str) -> Any:
    """The value of an expression in the kernel of the notebook in view."""
    return json.loads(page.evaluate(_VALUE, f"import json; print(json.dumps({expression}))"))
