"""Requests to the data server by aiohttp: bodies as streams in both directions, nothing interpreted.

aiohttp (which jupyter-server-proxy brings) and not Tornado's client: it reads an answer that comes before the
body is sent, holds back whoever is faster, sets no limit to a body and keeps connections. Nothing here knows
Jupyter (`proxy`), nor which headers pass (`headers`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiohttp
import yarl

from isocenter.errors import Unavailable

BLOCK = 256 * 1024
_WAITING = 4
_CONNECT, _CLOSE = 10.0, 2.0
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True)
class Target:
    """Where the data server is.

    Attributes:
        url: `http://host:port`, `https://…`, `http+unix://` and a percent-encoded path, or `unix:/path`.
        token: its bearer token, if it wants one.
    """

    url: str
    token: str | None = None

    @property
    def socket(self) -> str | None:
        """The unix socket it listens on, if it does."""
        if self.url.startswith("unix:"):
            return self.url.removeprefix("unix:")
        return unquote(urlsplit(self.url).netloc) if self.url.startswith("http+unix:") else None

    @property
    def base(self) -> str:
        """What comes before a path in a request's URL."""
        return "http://localhost" if self.socket else self.url.rstrip("/")


class Body:
    """The body of a request on its way: a few pieces wait here at most, then its sender is held back."""

    def __init__(self) -> None:
        self._pieces: deque[bytes | None] = deque()
        self._room, self._filled = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._open = True

    async def give(self, piece: bytes | None) -> None:
        """Pass a piece on, or the end (None); dropped when nobody reads any more."""
        await self._room.wait()
        if self._open:
            self._pieces.append(piece)
            self._filled.set()
            if len(self._pieces) >= _WAITING:
                self._room.clear()

    def close(self) -> None:
        """Nobody reads any more: whoever gives is let go."""
        self._open = False
        self._pieces.clear()
        self._room.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while not self._pieces:
                self._filled.clear()
                await self._filled.wait()
            piece = self._pieces.popleft()
            self._room.set()
            if piece is None:
                return
            yield piece


class Upstream:
    """The connections to data servers; made and closed on the loop."""

    def __init__(self) -> None:
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}

    async def send(
        self, target: Target, method: str, path: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        """The answer, whose body is still to be read; close it.

        Raises:
            Unavailable: the data server does not answer.
        """
        answer = None
        try:
            answer = await self._session(target.socket).request(
                method,
                yarl.URL(target.base + path, encoded=True),
                headers=dict(headers),
                data=aiter(body) if body is not None else None,
                allow_redirects=False,
            )
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            hint = f"it may be starting again ({type(error).__name__})"
            raise Unavailable("The data server does not answer", hint=hint) from None
        finally:
            # A refusal comes before the body is read; what else is sent of it would wait for ever.
            if body is not None and (answer is None or answer.status >= 400):
                body.close()
        return answer

    def _session(self, socket: str | None) -> aiohttp.ClientSession:
        """One for each unix socket, and one for all TCP."""
        session = self._sessions.get(socket)
        if session is None or session.closed:
            connector = aiohttp.UnixConnector(socket, limit=0) if socket else aiohttp.TCPConnector(limit=0)
            session = self._sessions[socket] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
                auto_decompress=False,
                skip_auto_headers=_NOT_ADDED,
                read_bufsize=BLOCK,
            )
        return session

    async def close(self) -> None:
        """End all connections; one whose other end takes nothing more is not waited for."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.close(), _CLOSE)
