"""The server extension `isocenter_jupyter`: a data server for the notebooks of this Jupyter, at its origin.

It attaches to a server or supervises one (`data_server`, `supervision`), tells what it does (`handlers`,
events of `events/server.yaml`), passes requests on (`proxy`) and answers kernels (`bell`). At activation
nothing is started and nothing waited for, unless `autostart` says so.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import Bool, Enum, List, Unicode

from isocenter.client.server_info import ServerInfo
from isocenter.errors import IsocenterError
from isocenter_jupyter.bell import Bell
from isocenter_jupyter.data_server import Choice, DataServer
from isocenter_jupyter.handlers import LogHandler, StartHandler, StateHandler, StopHandler
from isocenter_jupyter.proxy import ProxyHandler

EVENT = "https://isocenter.invalid/events/server/v1"
_SCHEMA = Path(__file__).parent / "events" / "server.yaml"


class Isocenter(ExtensionApp):
    """The extension and its settings: `c.Isocenter.mode = "supervise"` in `jupyter_server_config.py`."""

    name = "isocenter_jupyter"
    extension_url = "/isocenter/server"

    mode = Enum(
        ("auto", "attach", "supervise"),
        "auto",
        help="attach to a server; supervise one for `data`; or whichever fits what is configured and runs",
    ).tag(config=True)
    url = Unicode(
        "",
        help="the server to attach to: http://host:port or unix:/path; looked for when empty",
    ).tag(config=True)
    token = Unicode("", help="its token; better in the environment, as ISOCENTER_TOKEN").tag(config=True)
    data = Unicode(
        "", help="the data folder of a supervised server; isocenter in the user's data folder when empty"
    ).tag(config=True)
    arguments = List(
        Unicode(),
        ["--no-dicom", "--workers", "1"],
        help="more of `isocenter serve` for a supervised server, such as ['--dicom-port', '11112']",
    ).tag(config=True)
    autostart = Bool(False, help="start a supervised server with Jupyter, not when it is first wanted").tag(
        config=True
    )

    data_server: DataServer
    bell: Bell

    def initialize_handlers(self) -> None:
        """Add our handlers to Jupyter Server's, and tell it what we will emit."""
        self.serverapp.event_logger.register_event_schema(_SCHEMA)
        self.data_server = DataServer(self._choice(), tell=self._emit, log=self.log)
        self.bell = Bell(self.data_server.ready)
        shared = {"data_server": self.data_server}
        routes: list[tuple[str, type[Any]]] = [
            (r"server", StateHandler),
            (r"server/start", StartHandler),
            (r"server/stop", StopHandler),
            (r"server/log", LogHandler),
            (r"proxy(?:/.*)?", ProxyHandler),
        ]
        self.handlers.extend((url_path_join("/isocenter", path), handler, shared) for path, handler in routes)

    def _choice(self) -> Choice:
        named = self.url or ("" if self.mode == "supervise" else os.environ.get("ISOCENTER_URL", ""))
        data = Path(self.data).expanduser().absolute() if self.data else _default_data()
        return Choice(self.mode, named, self.token, data, bool(self.data), tuple(self.arguments))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Jupyter's loop runs: hang up the bell, and start the server if it is to be there from now on."""
        try:
            await self.bell.hang()
        except (OSError, IsocenterError) as error:
            self.log.warning("Kernels cannot ask for the data server: %s", error)
        if self.autostart:
            self._starting = asyncio.create_task(self._autostart())

    async def _autostart(self) -> None:
        try:
            await self.data_server.ready()
        except IsocenterError as error:
            self.log.warning("The data server did not start with Jupyter: %s", error)

    async def stop_extension(self) -> None:
        """Jupyter ends: so does the server, and nothing that goes wrong here keeps Jupyter from ending."""
        for close in (self.bell.close, self.data_server.close):
            try:
                await close()
            except Exception as error:  # noqa: BLE001 (other extensions have to be stopped too)
                self.log.warning("Isocenter did not stop cleanly: %s", error)

    def _emit(self, action: str, info: ServerInfo | None, error: IsocenterError | None = None) -> None:
        told: dict[str, Any] = {"action": action}
        if info is not None:
            told |= {"url": info.url, "pid": info.pid, "version": info.version}
            told |= {"data": str(info.data) if info.data else None}
        if error is not None:
            told |= {"message": error.message, "hint": error.hint}
        self.serverapp.event_logger.emit(
            schema_id=EVENT, data={name: value for name, value in told.items() if value is not None}
        )


def _default_data() -> Path:
    """One archive a user, wherever Jupyter is started."""
    told = os.environ.get("XDG_DATA_HOME")
    return (Path(told) if told else Path.home() / ".local" / "share") / "isocenter"
