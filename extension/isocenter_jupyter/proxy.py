"""`<base>isocenter/proxy/…`: the data server, at Jupyter's own origin and behind Jupyter's own login.

jupyter-server-proxy's handler, with its WebSockets and its login, but bodies are streams in both directions:
the original keeps a whole request and a whole answer in memory. What a browser sends as credentials ends
here; the data server gets its own token and the user's name. A caller chooses a path, never a host or port.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import re
import sys
from http.client import responses
from typing import Any, ClassVar

import aiohttp
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server_proxy.handlers import LocalProxyHandler
from tornado import web
from tornado.httpclient import HTTPError
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketError

from isocenter.errors import IsocenterError, Unavailable, from_json
from isocenter_jupyter.authorization import require
from isocenter_jupyter.data_server import DataServer
from isocenter_jupyter.headers import for_browser, for_data_server, has_body
from isocenter_jupyter.paths import checked, is_polled, query_for_data_server, route_of
from isocenter_jupyter.upstream import BLOCK, Body, Target

# The body of a refused upload is read and dropped up to here, so that its sender gets to read why.
_MOST_DRAINED = 64 * 1024 * 1024
_REFUSED = 1011
_ANONYMOUS = re.compile(r"[0-9a-f]{32}")


@web.stream_request_body
class ProxyHandler(LocalProxyHandler):
    """Passes one request, or one WebSocket, to the data server."""

    auth_resource: ClassVar[str] = "isocenter:data"

    def initialize(self, data_server: DataServer) -> None:
        """Tornado calls this with the arguments of the route."""
        self.data_server = data_server
        self.target = Target("")
        self._path = ""
        self._body: Body | None = None
        self._received = 0
        self._answer: asyncio.Task[aiohttp.ClientResponse] | None = None

    # --- before the body

    async def prepare(self) -> None:
        """Login, XSRF, authorization and path; then the request is on its way, before its body has come."""
        await super().prepare()
        method = self.request.method or ""
        path = self.request.path.removeprefix(self.prefix)
        await require(self, route_of(method, path), method)
        try:
            path = checked(path)
            self.target = await self.data_server.target()
        except IsocenterError as error:
            self._tell(error)
            return
        query = query_for_data_server(self.request.query)
        self._path = f"{path}?{query}" if query else path
        self._record_activity()
        if not self._is_websocket:
            self.request.connection.set_max_body_size(sys.maxsize)
            self._body = Body() if has_body(self.request.headers) else None
            self._answer = asyncio.ensure_future(self._send())

    def get_login_url(self) -> str:
        """No redirect to a login page: whoever is not logged in gets 403."""
        raise web.HTTPError(403)

    def check_xsrf_cookie(self) -> None:
        """As everywhere in Jupyter; jupyter-server-proxy leaves it to what it passes requests to."""
        JupyterHandler.check_xsrf_cookie(self)

    @property
    def prefix(self) -> str:
        """The path of the proxy, without a last slash."""
        return f"{self.base_url}isocenter/proxy"

    @property
    def _is_websocket(self) -> bool:
        return self.request.headers.get("Upgrade", "").lower() == "websocket"

    async def _send(self) -> aiohttp.ClientResponse:
        """Ask the data server; once more when it has a new token since it was started again."""
        upstream, method, body = self.data_server.upstream, self.request.method or "GET", self._body
        answer = await upstream.send(self.target, method, self._path, self.proxy_request_headers(), body)
        if answer.status != 401:
            return answer
        answer.close()
        self.data_server.forget(self.target)
        fresh = await self.data_server.target()
        if body is not None or fresh == self.target:
            raise Unavailable(
                "The data server does not know the token of this Jupyter",
                hint="configure Isocenter.token, or start the server again",
            )
        self.target = fresh
        return await upstream.send(fresh, method, self._path, self.proxy_request_headers(), None)

    def proxy_request_headers(self) -> dict[str, str]:
        """What the data server gets to see; jupyter-server-proxy asks for it too, for WebSockets."""
        trusted = self.serverapp.trust_xheaders
        told = self.request.headers.get("X-Forwarded-Host", "").split(",")[0].strip() if trusted else ""
        return for_data_server(
            self.request.headers,
            token=self.target.token,
            user=self._user_name,
            proto=self.request.protocol,
            host=told or self.request.host,
            prefix=self.prefix,
        )

    @property
    def _user_name(self) -> str:
        """Who asks: of JupyterHub or another identity provider; of the system where Jupyter made one up."""
        name = str(getattr(self.current_user, "username", "") or "")
        return getpass.getuser() if not name or _ANONYMOUS.fullmatch(name) else name

    # --- the body

    async def data_received(self, chunk: bytes) -> None:
        """Pass a piece on; the browser is held back while the data server is slower."""
        self._received += len(chunk)
        if self._body is not None and not self._refused:
            await self._body.give(chunk)
        elif self._received > _MOST_DRAINED and not self._finished and self._answer is not None:
            self.set_header("Connection", "close")
            await self._relay()
            web.RequestHandler.on_connection_close(self)  # no end of the body is awaited

    @property
    def _refused(self) -> bool:
        answer = self._answer
        if answer is None or not answer.done() or answer.cancelled():
            return False
        return answer.exception() is not None or answer.result().status >= 400

    # --- the answer

    async def proxy(self, *_args: Any) -> None:
        """The body has come whole: its end is passed on, and the answer back."""
        if self._body is not None:
            await self._body.give(None)
        await self._relay()

    async def http_get(self, *args: Any) -> None:
        """A GET that is no WebSocket."""
        await self.proxy(*args)

    post = put = delete = head = patch = options = proxy

    async def _relay(self) -> None:
        assert self._answer is not None
        try:
            answer = await self._answer
        except IsocenterError as error:
            self._tell(error)
            return
        except asyncio.CancelledError:
            if self._answer.cancelled():
                return  # the browser went away while the data server thought
            raise
        try:
            await self._pass_back(answer)
        except StreamClosedError:
            pass  # the browser went away
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._hang_up()  # or the answer would look as if it were whole
        finally:
            answer.close()

    async def _pass_back(self, answer: aiohttp.ClientResponse) -> None:
        connection = self._headers.get("Connection")
        self.set_status(answer.status, answer.reason)
        self._headers = for_browser(answer.headers.items(), self.prefix)
        self.set_cors_headers()
        if connection:
            self.set_header("Connection", connection)
        # WebSocketHandlerMixin's `flush` gives nothing to wait for, and would let an answer pile up here.
        await JupyterHandler.flush(self)
        if self.request.method != "HEAD" and answer.status not in (204, 304):
            async for piece in answer.content.iter_chunked(BLOCK):
                self.write(piece)
                await JupyterHandler.flush(self)
        self.finish()

    def _hang_up(self) -> None:
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def _tell(self, error: IsocenterError, status: int | None = None) -> None:
        """Answer with an error of ours, in the one shape it has everywhere."""
        self.set_status(status or error.status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(error.to_json()))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The same for what Jupyter and Tornado refuse; their page needs a user, and there may be none."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = getattr(error, "log_message", None) or responses.get(status_code, "It failed here")
        self._tell(from_json({"error": {"message": message}}, status_code), status_code)

    def compute_etag(self) -> None:
        """None of ours: the data server has its own."""

    def on_connection_close(self) -> None:
        """The browser went away: the data server is told by its connection."""
        if self._is_websocket:
            super().on_connection_close()
            return
        web.RequestHandler.on_connection_close(self)
        if self._answer is not None and not self._answer.cancel() and self._answer.exception() is None:
            self._answer.result().close()

    # --- WebSockets

    async def open(self, *_args: Any) -> None:
        """The browser opened one: open the other end."""
        self.unix_socket = self.target.socket
        try:
            await self.proxy_open("localhost", 0, self._path.partition("?")[0])
        except (HTTPError, WebSocketError, OSError) as error:
            self.log.warning("The data server opens no WebSocket: %s", error)
            self.close(_REFUSED, "the data server opens no WebSocket here")

    def get_client_uri(self, protocol: str, host: str, port: int, proxied_path: str) -> str:
        """Where the other end is: the data server, whatever jupyter-server-proxy would make of a path."""
        return re.sub("^http", "ws", self.target.base) + self._path

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """None: the data server speaks none."""
        return None

    # --- activity

    def _record_activity(self) -> None:
        """Somebody is at work here, unless a page asks by itself: that keeps no Jupyter from its rest."""
        path = self.request.path.removeprefix(self.prefix)
        asked_not_to = self.get_query_argument("no_track_activity", None) is not None
        if asked_not_to or self._is_websocket or is_polled(self.request.method or "", path):
            return
        super()._record_activity()
