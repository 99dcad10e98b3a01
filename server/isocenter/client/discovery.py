"""Where servers may be: the places that `isocenter.connect()` looks at, in order, and what was found there.

The arguments; `ISOCENTER_URL`; the Jupyter server whose kernel this is, which starts one if need be, or tells
the one that its panel shows; the service `isocenter` of the JupyterHub in which this runs, with the hub's
token; the connection files that servers of this user leave in the runtime folder; `./isocenter-data`. Not
here: asking them (`connect`).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from isocenter.client.server_info import ServerInfo, runtime_folder
from isocenter.errors import from_json

HUB_URL = "ISOCENTER_JUPYTERHUB_URL"
"""Address of the service of the hub, where the hub's public address is not known or not reached."""
BELL = "ISOCENTER_JUPYTER"
"""A unix socket of the Jupyter server; who connects is told `{"url", "token", …}` or an error, in a line."""
_RINGS_FOR = 150.0


@dataclass(frozen=True)
class Candidate:
    """A server that may be there. `chosen`: the user named it and would not expect another in its place."""

    info: ServerInfo
    chosen: bool = False


@dataclass
class Search:
    """One look for servers.

    Attributes:
        url, token, data: the arguments of `connect`.
        tried: what led nowhere, a line a place.
    """

    url: str | None = None
    token: str | None = None
    data: str | os.PathLike[str] | None = None
    tried: list[str] = field(default_factory=list)

    def candidates(self, *, ring: bool = True) -> Iterator[Candidate]:
        """Servers in order, until the caller is content.

        Args:
            ring: let Jupyter start its server.
        """
        if self.url is not None:
            token = self.token or _token_for(self.url) or _environment_token(self.url)
            yield Candidate(ServerInfo(self.url, token, found_by="the argument"), chosen=True)
            return
        if self.data is not None:
            yield from self._file(Path(self.data) / "run" / "connection.json")
            return
        if named := os.environ.get("ISOCENTER_URL"):
            token = self.token or _environment_token(named) or _token_for(named)
            yield Candidate(ServerInfo(named, token, found_by="ISOCENTER_URL"), chosen=True)
            return
        self.tried.append("ISOCENTER_URL: not set")
        if ring:
            yield from self._jupyter()
        yield from self._hub()
        yield from self._published()
        yield from self._file(Path("isocenter-data", "run", "connection.json").absolute())

    def _hub(self) -> Iterator[Candidate]:
        """The service of the hub: only where the hub says that it is goes its token."""
        token = os.environ.get("JUPYTERHUB_API_TOKEN")
        if not token:
            return
        url = _hub_service()
        if url is None:
            self.tried.append(
                f"JupyterHub: its public address is not known here; its administrator sets {HUB_URL}"
            )
        else:
            yield Candidate(ServerInfo(url, self.token or token, found_by="JupyterHub"))

    def _jupyter(self) -> Iterator[Candidate]:
        path = os.environ.get(BELL)
        if not path or f"-{os.getpid()}." in os.path.basename(path):  # its own process would wait for itself
            return
        try:
            told = _ring(path)
        except (OSError, ValueError) as error:
            self.tried.append(f"Jupyter: it does not answer at {path} ({error})")
            return
        if "error" in told or not isinstance(told.get("url"), str):
            self.tried.append(f"Jupyter: {from_json(told)}")
            return
        data = told.get("data")
        info = ServerInfo(
            told["url"],
            self.token or told.get("token"),
            data=Path(data) if isinstance(data, str) else None,
            found_by="Jupyter",
        )
        yield Candidate(info)

    def _published(self) -> Iterator[Candidate]:
        """The servers of this user on this machine, the one started last first."""
        folder = runtime_folder()
        if folder is None:
            self.tried.append("connection files: this user has no home folder")
        files = sorted(_files(folder), key=_started, reverse=True)
        if folder and not files:
            self.tried.append(f"connection files: none in {folder}")
        for file in files:
            yield from self._file(file)

    def _file(self, file: Path) -> Iterator[Candidate]:
        info = ServerInfo.read(file)
        if info is None:
            self.tried.append(f"{file}: {'not readable' if file.exists() else 'not there'}")
        elif not info.runs():
            self.tried.append(f"{file}: its server has stopped")
        else:
            yield Candidate(replace(info, token=self.token or info.token))


def _hub_service() -> str | None:
    """Address of the hub's service `isocenter`, if it can be known."""
    if told := os.environ.get(HUB_URL):
        return told
    if hub := os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL"):  # https://example.org/hub/
        return hub.rstrip("/").removesuffix("/hub") + "/services/isocenter"
    base = os.environ.get("JUPYTERHUB_BASE_URL", "/").rstrip("/")
    if public := os.environ.get("JUPYTERHUB_PUBLIC_URL"):  # https://example.org/user/ada/
        split = urlsplit(public)
        hub = os.environ.get("JUPYTERHUB_HOST") or f"{split.scheme}://{split.netloc}"
        return f"{hub.rstrip('/')}{base}/services/isocenter"
    host = os.environ.get("JUPYTERHUB_HOST")  # set where each user has a subdomain
    return f"{host.rstrip('/')}{base}/services/isocenter" if host else None


def _ring(path: str) -> dict[str, Any]:
    """What the Jupyter server says of its data server, which it may have to start first.

    Raises:
        OSError: nobody is there. ValueError: it did not answer in JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bell:
        bell.settimeout(_RINGS_FOR)
        bell.connect(path)
        with bell.makefile("rb") as answer:
            told = json.loads(answer.readline(1 << 20))
    if not isinstance(told, dict):
        raise ValueError("no object")
    return told


def _environment_token(url: str) -> str | None:
    """ISOCENTER_TOKEN, unless ISOCENTER_URL says that it is another server's; the hub's for its service."""
    named = os.environ.get("ISOCENTER_URL") or url
    token = os.environ.get("ISOCENTER_TOKEN") if _same(named, url) else None
    hub = _hub_service()
    return token or (os.environ.get("JUPYTERHUB_API_TOKEN") if hub and _same(hub, url) else None)


def _token_for(url: str) -> str | None:
    """The token that the server at this very address published on this machine."""
    for file in _files(runtime_folder()):
        info = ServerInfo.read(file)
        if info is not None and _same(info.url, url) and info.runs():
            return info.token
    return None


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        return list(folder.glob("*.json"))
    except OSError:
        return []


def _started(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
