"""A real Jupyter Server with the extension, as a process of its own, and requests to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_line import environment

TOKEN = "secret"


@dataclass(frozen=True)
class Answer:
    """An answer of Jupyter, refusals included."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Jupyter:
    """A running Jupyter Server; whoever asks is logged in by its token, unless headers say otherwise."""

    process: subprocess.Popen[bytes]
    url: str
    home: Path
    log: Path
    env: dict[str, str] = field(repr=False)
    of_ours_alone: bool = False
    """Kernels that come and go leave traces of Jupyter's own in its log: only those of our code count."""

    @property
    def proxy(self) -> str:
        return f"{self.url}isocenter/proxy"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask below Jupyter's base URL."""
        own = {"Authorization": f"token {TOKEN}"} if headers is None else dict(headers)
        request = urllib.request.Request(f"{self.url}{path}", body, own, method=method)
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=60) as told:
                return Answer(told.status, told.headers, told.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def state(self) -> dict[str, Any]:
        return dict(self.ask("isocenter/server").json())

    def start(self) -> dict[str, Any]:
        """Start the data server, and wait until it runs."""
        assert self.ask("isocenter/server/start", "POST", b"").status == 200
        return self.wait(lambda state: state["state"] == "running")

    def wait(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The state as soon as it is as wanted."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = self.state()
            if until(state):
                return state
            time.sleep(0.1)
        raise AssertionError(f"{state}\n{self.log.read_text()}")

    def traces(self) -> list[str]:
        """Traces in the log that should not be there."""
        entries = re.split(r"^(?=\[[A-Z] )", self.log.read_text(), flags=re.M)
        return [
            one for one in entries if "Traceback" in one and ("isocenter" in one or not self.of_ours_alone)
        ]

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(60)


@contextlib.contextmanager
def jupyter(home: Path, *options: str, **variables: str) -> Iterator[Jupyter]:
    """Start one whose home is `home`; neither servers nor settings of this user are known to it."""
    # Its paths hold unix sockets, which have to be short.
    env = environment(
        home, JUPYTER_RUNTIME_DIR=str(home / "jupyter"), JUPYTER_CONFIG_DIR=str(home / "config")
    )
    env = {name: value for name, value in env.items() if not name.startswith("JUPYTERHUB")} | variables
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--port=0"]
    command += ["--ServerApp.jpserver_extensions={'isocenter_jupyter': True}"]
    command += [
        f"--IdentityProvider.token={TOKEN}",
        *(["--allow-root"] if os.geteuid() == 0 else []),
        *options,
    ]
    log = home / f"jupyter-{time.monotonic_ns()}.log"
    with log.open("wb") as words:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=words, stderr=words)
    try:
        made = Jupyter(process, _url(process, home / "jupyter", log), home, log, env)
        yield made
    finally:
        process.terminate()
        process.wait(60)
    assert not made.traces(), log.read_text()


def _url(process: subprocess.Popen[bytes], folder: Path, log: Path) -> str:
    path = folder / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):  # not written yet, or nobody listens
            url = str(json.loads(path.read_text())["url"])
            urllib.request.urlopen(f"{url}api", timeout=60).close()
            return url
        time.sleep(0.1)
    raise AssertionError(log.read_text())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
