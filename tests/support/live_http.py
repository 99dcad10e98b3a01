"""A real HTTP server in a thread of the test's process, on a free port, with its own event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import requests

from isocenter.http.application import make_application, make_server
from isocenter.http.context import Context


class LiveHttp:
    """Serves `routes` with `context`; `url` is where. Use as a context manager; it closes the context.

    `secret` is that of this start, whose digest the context's tokens know.
    """

    def __init__(
        self, context: Context, routes: Iterable[Any], *, host: str = "127.0.0.1", secret: str = ""
    ) -> None:
        self.context = context
        self.secret = secret
        self._routes = list(routes)
        self._socket = socket.create_server((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.web = requests.Session()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="live-http")
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> LiveHttp:
        self._ready: Future[None] = Future()
        self._thread.start()
        self._ready.result(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()
        assert self._stop is not None
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.context.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = make_server(make_application(self.context, self._routes), self.context)
        self._socket.setblocking(False)
        server.add_sockets([self._socket])
        self._ready.set_result(None)
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET a path."""
        return self.web.get(self.url + path, timeout=60, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """POST to a path."""
        return self.web.post(self.url + path, timeout=60, **options)
