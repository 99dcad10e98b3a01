"""`<base>isocenter/server`: the state of the data server, its log, and starting and stopping it.

What the side bar asks, again and again: so asking is no activity, and keeps no Jupyter from its rest.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from isocenter.errors import IsocenterError
from isocenter_jupyter.authorization import permitted
from isocenter_jupyter.data_server import DataServer

_MOST_LINES = 2000


class ServerHandler(APIHandler):
    """What the routes about the server share."""

    auth_resource: ClassVar[str] = "isocenter:server"
    _track_activity = False

    def initialize(self, data_server: DataServer) -> None:
        """Tornado calls this with the arguments of the route."""
        self.data_server = data_server

    async def tell_state(self) -> None:
        """Answer with the state as it is now."""
        state = await self.data_server.state()
        self.finish(json.dumps({**state, "proxy": f"{self.base_url}isocenter/proxy/"}))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An error of ours as everywhere, one of Jupyter as Jupyter tells it."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, IsocenterError):
            self.set_status(error.status)
            self.finish(json.dumps(error.to_json()))
        else:
            super().write_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """What is told is no event."""
        if not isinstance(value, IsocenterError):
            super().log_exception(typ, value, tb)


class StateHandler(ServerHandler):
    """`GET server`: state, address, folder and version; never the token."""

    @web.authenticated
    @permitted("state", "GET")
    async def get(self) -> None:
        """Tell the state."""
        await self.tell_state()


class StartHandler(ServerHandler):
    """`POST server/start`: returns while it starts."""

    @web.authenticated
    @permitted("start", "POST")
    async def post(self) -> None:
        """Start it if it does not run, and tell the state."""
        self.data_server.start()
        await self.tell_state()


class StopHandler(ServerHandler):
    """`POST server/stop`: returns when it has ended."""

    @web.authenticated
    @permitted("stop", "POST")
    async def post(self) -> None:
        """Stop it if this Jupyter runs it, and tell the state."""
        await self.data_server.stop()
        await self.tell_state()


class LogHandler(ServerHandler):
    """`GET server/log?lines=100`: the end of the log of a supervised server, `{"text"}`."""

    @web.authenticated
    @permitted("log", "GET")
    async def get(self) -> None:
        """Tell the last lines."""
        told = self.get_query_argument("lines", "100")
        lines = min(int(told), _MOST_LINES) if told.isascii() and told.isdecimal() else 100
        self.finish(json.dumps({"text": await self.data_server.log(lines)}))
