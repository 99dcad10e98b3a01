"""A real JupyterHub: dummy authenticator, everybody's server as a process of this user, a proxy in Python."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_line import environment

ADMIN = "admin-token-of-the-test"
_CONFIG = """
load_subconfig({example!r})
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = [{python!r}, "-c", "from configurable_http_proxy.cli import main; main()"]
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args.extend(["--allow-root", "--ServerApp.jpserver_extensions={{'isocenter_jupyter': True}}"])
c.Spawner.http_timeout = c.Spawner.start_timeout = 90
c.JupyterHub.services.extend([{{"name": "test", "api_token": {admin!r}}}])
scopes = ["admin:users", "admin:servers", "tokens", "access:servers"]
c.JupyterHub.load_roles.extend([{{"name": "test", "services": ["test"], "scopes": scopes}}])
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Hub:
    """A running hub; `url` is its public address, without a last slash."""

    url: str
    home: Path
    log: Path

    def ask(self, path: str, token: str, method: str = "GET", content: Any = None, **headers: str) -> Answer:
        """Ask with a token of the hub."""
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        own = {"Authorization": f"token {token}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        request = urllib.request.Request(f"{self.url}{path}", body, own, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as told:
                return Answer(told.status, told.headers, told.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def user(self, name: str) -> str:
        """Make a user; a token of theirs."""
        (self.home / "homes" / name).mkdir(parents=True, exist_ok=True)
        assert self.ask(f"/hub/api/users/{name}", ADMIN, "POST", b"").status in (201, 409)
        told = self.ask(f"/hub/api/users/{name}/tokens", ADMIN, "POST", {"note": "test"})
        assert told.status == 201, told.body
        return str(told.json()["token"])

    def spawn(self, name: str) -> None:
        """Start the Jupyter server of a user and wait until it is there."""
        told = self.ask(f"/hub/api/users/{name}/server", ADMIN, "POST", b"")
        assert told.status in (201, 202), told.body
        self.wait(
            lambda: bool(self.ask(f"/hub/api/users/{name}", ADMIN).json()["servers"].get("", {}).get("ready"))
        )

    def despawn(self, name: str) -> None:
        """Stop it."""
        self.ask(f"/hub/api/users/{name}/server", ADMIN, "DELETE")
        self.wait(lambda: not self.ask(f"/hub/api/users/{name}", ADMIN).json()["servers"])

    def wait(self, until: Any) -> None:
        deadline = time.monotonic() + 90
        while not until():
            assert time.monotonic() < deadline, self.log.read_text()[-6000:]
            time.sleep(0.2)


@contextlib.contextmanager
def jupyterhub(home: Path, example: Path, variables: Mapping[str, str] | None = None) -> Iterator[Hub]:
    """Start one with an example's configuration."""
    port, hub, api = free_ports(3)
    (home / "homes").mkdir()
    told = _CONFIG.format(
        example=str(example),
        port=port,
        hub=hub,
        api=api,
        python=sys.executable,
        home=str(home / "homes"),
        admin=ADMIN,
    )
    (home / "config.py").write_text(told)
    env = environment(home, **(variables or {}))
    env = {name: value for name, value in env.items() if not name.startswith("JUPYTER")}
    env["JUPYTER_RUNTIME_DIR"] = str(home / "jupyter")
    log = home / "hub.log"
    with log.open("wb") as words:
        command = [sys.executable, "-m", "jupyterhub", "-f", str(home / "config.py")]
        process = subprocess.Popen(command, env=env, cwd=home, stdout=words, stderr=words)
    running = Hub(f"http://127.0.0.1:{port}", home, log)
    try:
        running.wait(lambda: _is_up(running, process))
        yield running
    finally:
        process.terminate()
        process.wait(90)


def _is_up(hub: Hub, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, hub.log.read_text()
    try:
        return hub.ask("/hub/api/users", ADMIN).status == 200
    except (urllib.error.URLError, OSError):
        return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody has just now."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in opened]
    for listener in opened:
        listener.close()
    return ports
