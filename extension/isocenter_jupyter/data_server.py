"""The data server of this Jupyter: attached to, or supervised; which of the two is decided late.

`attach`: the server at `url`, or the one that `isocenter.connect()` finds. `supervise`: one for the data
folder. `auto`: attach if an address is configured (or in ISOCENTER_URL), or no folder is and some server of
this user runs; else supervise. Nothing is looked for, let alone started, before somebody asks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from isocenter.client.connect import connect
from isocenter.client.server_info import ServerInfo, runtime_folder
from isocenter.errors import Conflict, IsocenterError, Unavailable
from isocenter_jupyter.supervision import Supervision, Tell
from isocenter_jupyter.upstream import Target, Upstream

Mode = Literal["auto", "attach", "supervise"]

LOOK_AGAIN = 5.0
"""Seconds for which an attached server is believed to be there."""


@dataclass(frozen=True)
class Choice:
    """What the configuration says.

    Attributes:
        mode: see the module.
        url, token: of the server to attach to; found when empty.
        data: the folder to supervise a server for.
        data_is_chosen: whether the configuration names the folder, so that no other server will do.
        arguments: more of `isocenter serve`.
    """

    mode: Mode
    url: str
    token: str
    data: Path
    data_is_chosen: bool
    arguments: Sequence[str] = ()


class DataServer:
    """What handlers and kernels ask for the data server."""

    def __init__(self, choice: Choice, *, tell: Tell, log: logging.Logger) -> None:
        self.choice = choice
        self.upstream = Upstream()
        self._supervision = Supervision(choice.data, choice.arguments, tell=tell, log=log)
        self._tell = tell
        self._found: ServerInfo | None = None
        self._missed: IsocenterError | None = None
        self._looked = 0.0
        self._looking = asyncio.Lock()

    # --- what handlers ask

    async def state(self) -> dict[str, Any]:
        """What a page shows; see `server/docs/jupyter.md`. No token, and nobody's data."""
        attached = await self._attached()
        if attached is not None:
            return {**self._facts("attach", "running", attached), "managed": False}
        if not self._may_supervise:
            missed = self._missed or Unavailable("No data server was found")
            facts = self._facts("attach", "unreachable", None)
            return {**facts, "managed": False, "message": missed.message, "hint": missed.hint}
        kept = self._supervision
        facts = self._facts("supervise", kept.state, kept.info if kept.state == "running" else None)
        facts |= {"data": str(kept.data), "restarts": kept.restarts}
        # Of another Jupyter, or a shell: this one may neither stop nor start it.
        facts["managed"] = kept.owned or kept.state != "running"
        if kept.error is not None and kept.state != "running":
            facts |= {"message": kept.error.message, "hint": kept.error.hint}
        elif kept.state == "stopped":
            facts["hint"] = "start it here, or by isocenter.connect() in a notebook"
        return facts

    async def target(self) -> Target:
        """Where requests go.

        Raises:
            Unavailable: no server runs.
        """
        attached = await self._attached()
        if attached is not None:
            return Target(attached.url, attached.token)
        if not self._may_supervise:
            raise self._missed or Unavailable("No data server was found")
        kept = self._supervision
        if kept.state == "running" and kept.info is not None:
            return Target(kept.info.url, kept.info.token)
        if kept.state == "failed" and kept.error is not None:
            raise kept.error
        told = {"starting": "The data server is starting"}.get(kept.state, "The data server does not run")
        raise Unavailable(told, hint="start it in Isocenter's side bar, or wait until it has started")

    def forget(self, target: Target) -> None:
        """Look for the server anew: this one does not know our token."""
        if self._found is not None and self._found.url == target.url:
            self._found, self._looked = None, 0.0

    async def ready(self) -> ServerInfo:
        """The server, started if need be: what a kernel is told.

        Raises:
            IsocenterError: there is none and it cannot be started.
        """
        attached = await self._attached()
        if attached is not None:
            return attached
        self.start()
        return await self._supervision.ready()

    def start(self) -> None:
        """Start it, if it is ours to start; returns at once.

        Raises:
            Conflict: this Jupyter only attaches.
        """
        if self._found is not None:
            return
        if not self._may_supervise:
            raise self._missed or Conflict("This Jupyter only attaches to a server")
        self._supervision.start()

    async def stop(self) -> None:
        """Stop it.

        Raises:
            Conflict: it is not this Jupyter that runs it.
        """
        kept = self._supervision
        if self._found is not None or (kept.state == "running" and not kept.owned):
            raise Conflict("This server was not started here", hint="stop it where it was started")
        await kept.stop()

    async def log(self, lines: int) -> str:
        """The last lines of its log; empty when it is not ours."""
        return await asyncio.to_thread(self._supervision.log_tail, lines)

    async def close(self) -> None:
        """Stop what this Jupyter runs, and end all connections."""
        await self._supervision.stop()
        await self.upstream.close()

    # --- attached or not

    @property
    def _may_supervise(self) -> bool:
        choice = self.choice
        return choice.mode == "supervise" or (choice.mode == "auto" and not choice.url)

    @property
    def _may_attach(self) -> bool:
        choice = self.choice
        if choice.mode == "auto":
            return bool(choice.url) or (not choice.data_is_chosen and not self._supervision.wanted)
        return choice.mode == "attach"

    async def _attached(self) -> ServerInfo | None:
        """The server that is attached to; looked for again when it was a while ago."""
        if not self._may_attach:
            return None
        async with self._looking:
            gone = self._found is not None and not self._found.runs()
            if gone or not self._looked or time.monotonic() - self._looked > LOOK_AGAIN:
                before = self._found
                self._found, self._missed = await asyncio.to_thread(_look, self.choice.url, self.choice.token)
                self._looked = time.monotonic()
                if self._found is not None and (before is None or before.url != self._found.url):
                    self._tell("attached", self._found)
            return self._found

    def _facts(self, mode: str, state: str, info: ServerInfo | None) -> dict[str, Any]:
        dicom = None
        if info is not None and info.dicom_port is not None:
            dicom = {"host": info.dicom_host, "port": info.dicom_port, "ae_title": info.ae_title}
        return {
            "mode": mode,
            "state": state,
            "found": state == "running",
            "url": info.url if info else None,
            "data": str(info.data) if info and info.data else None,
            "version": info.version if info else None,
            "pid": info.pid if info else None,
            "dicom": dicom,
            "restarts": 0,
            "message": "",
            "hint": "",
        }


def _look(url: str, token: str) -> tuple[ServerInfo | None, IsocenterError | None]:
    """The server that a notebook would find, or why there is none; blocks."""
    try:
        with connect(url or None, token or None) as archive:
            found, system = archive.transport, archive.system()
    except IsocenterError as error:
        return None, error
    for file in _connection_files():
        info = ServerInfo.read(file)
        if info is not None and info.url.rstrip("/") == found.url:
            return replace(info, token=found.token), None
    port = system.get("DicomPort")
    told = ServerInfo(
        url=found.url,
        token=found.token,
        version=str(system.get("Version", "")),
        ae_title=str(system.get("DicomAet", "")),
        dicom_host=urlsplit(found.url).hostname if port else None,
        dicom_port=port if isinstance(port, int) else None,
    )
    return told, None


def _connection_files() -> list[Path]:
    folder = runtime_folder()
    try:
        return list(folder.glob("*.json")) if folder else []
    except OSError:
        return []
