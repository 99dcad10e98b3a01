"""HTTP to one server, with the standard library: TCP, TLS and unix sockets, kept-alive connections, errors.

Thread-safe: each request takes an idle connection or opens one. Not here: what is asked (`archive`, `frame`,
`store`), nor where the server is (`connect`).
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from isocenter.client.options import options
from isocenter.errors import BadRequest, IsocenterError, Timeout, Unauthorized, Unavailable, from_json

Body = bytes | Callable[[], Iterable[bytes]] | None

_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)
_TOKEN = re.compile(r"[!-~]*")
_IDLE = 8
_LEFT_OVER = 4096
_BLOCK = 1 << 18


class Response(io.RawIOBase):
    """The answer to a request: a readable stream, so that large bodies are never whole in memory.

    Closing it early drops the connection; reading it to the end gives the connection back.
    """

    def __init__(self, transport: Transport, connection: http.client.HTTPConnection) -> None:
        super().__init__()
        self._transport = transport
        self._connection: http.client.HTTPConnection | None = connection
        self._answer = connection.getresponse()
        self.status = self._answer.status
        self.headers: http.client.HTTPMessage = self._answer.headers

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes of the body into `buffer`; 0 at its end."""
        try:
            count = self._answer.readinto(buffer)
        except TimeoutError:
            self.close()
            raise _silent() from None
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Unavailable("The server stopped in the middle of an answer", hint=str(error)) from None
        if count == 0 and len(buffer):
            if self._answer.length:
                self.close()
                raise Unavailable("The server stopped in the middle of an answer")
            self._finish()
        return count

    def readall(self) -> bytes:
        """All that is left of the body."""
        blocks = []
        buffer = bytearray(_BLOCK)
        while count := self.readinto(buffer):
            blocks.append(bytes(memoryview(buffer)[:count]))
        return b"".join(blocks)

    def finish(self) -> None:
        """Read what is left, little as it should be, so that the connection can be kept."""
        if not self.closed and self._connection is not None:
            self.readinto(bytearray(_LEFT_OVER))
            if self._connection is not None and not self._answer.length:
                self.readinto(bytearray(1))
        self.close()

    def json(self) -> Any:
        """The whole body as JSON."""
        data = self.readall()
        try:
            return json.loads(data or b"null")
        except ValueError:
            hint = "is this the address of an Isocenter server?"
            raise Unavailable(f"{self._transport.url} did not answer with JSON", hint=hint) from None

    def close(self) -> None:
        """Give the connection back if the body is read, else close it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()
        super().close()

    def _finish(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            if self._answer.will_close:
                connection.close()
            else:
                self._transport.give_back(connection)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket (the server that a Jupyter extension supervises)."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


class Transport:
    """Requests to one server.

    Args:
        url: `http://host:port`, `https://…`, either with a path before our routes (a proxy), or
            `http+unix://` followed by the percent-encoded path of a socket (`unix:/path` works too).
        token: bearer token, if any; white space around it is not part of it.
        verify: whether certificates are checked; the path of a PEM file names the authorities.

    Raises:
        Unavailable: the URL is none of a server.
        BadRequest: the token is none.
    """

    def __init__(
        self, url: str, token: str | None = None, *, verify: bool | str | os.PathLike[str] = True
    ) -> None:
        self.url = url.rstrip("/")
        self.token = _token(token)
        self._scheme, self._host, self._port, self._prefix = _parts(self.url)
        self._tls = _tls(verify) if self._scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def __repr__(self) -> str:
        return f"Transport({self.url!r})"

    def get(self, path: str, **parameters: str | int | None) -> Any:
        """The JSON that a GET answers with; parameters that are None are left out."""
        said = {name: value for name, value in parameters.items() if value is not None}
        target = f"{path}?{urlencode(said)}" if said else path
        with self.request("GET", target, headers={"Accept": "application/json"}) as response:
            return response.json()

    def post(self, path: str, content: Any, *, accept: str = "application/json") -> Response:
        """The answer to a POST of JSON that only reads, so it is asked again on a stale connection."""
        headers = {"Content-Type": "application/json", "Accept": accept}
        return self.request("POST", path, json.dumps(content).encode(), headers=headers)

    def request(
        self,
        method: str,
        path: str,
        body: Body = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept_status: Iterable[int] = (),
    ) -> Response:
        """Send a request and return its answer, whose body is still to be read.

        Args:
            method: of HTTP.
            path: below the server's URL, with query.
            body: bytes, or a function that gives blocks of them, together with a Content-Length header.
            headers: beyond those of authorization.
            accept_status: statuses of 400 and above that are answers and no errors.

        Raises:
            IsocenterError: the error that the server told, or Unavailable when it could not be reached.
        """
        sent = {"User-Agent": "isocenter-python", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        response = self._exchange(method, self._prefix + path, body, sent)
        if response.status < 300 or response.status in set(accept_status):
            return response
        with response:
            raise self._error(response)

    def close(self) -> None:
        """Close the idle connections; the transport stays usable."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose answer is read for the next request."""
        with self._lock:
            if len(self._idle) < _IDLE and self._owner == os.getpid():
                self._idle.append(connection)
                return
        connection.close()

    def _exchange(self, method: str, target: str, body: Body, headers: Mapping[str, str]) -> Response:
        while True:
            connection, fresh = self._connection()
            try:
                return self._send(connection, method, target, body, headers)
            except _STALE as error:
                connection.close()
                if fresh:
                    raise self._unreachable(error) from None
            except TimeoutError:
                connection.close()
                raise _silent() from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._unreachable(error) from None
            except BaseException:
                connection.close()
                raise

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: Body,
        headers: Mapping[str, str],
    ) -> Response:
        try:
            blocks = body() if callable(body) else body
            connection.request(method, target, blocks, headers=dict(headers))
        except (BrokenPipeError, ConnectionResetError):
            if connection.sock is None or not callable(body):
                raise
            # Refused in the middle of an upload: the reason may already be here to read.
        return Response(self, connection)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """An idle connection, or a new one (True)."""
        with self._lock:
            if self._owner != os.getpid():  # forked: those sockets are the parent's
                for theirs in self._idle:
                    theirs.close()  # our copy alone
                self._idle, self._owner = [], os.getpid()
            if self._idle:
                return self._idle.pop(), False
        if self._scheme == "unix":
            return _UnixConnection(self._host, options.timeout), True
        if self._tls is not None:
            tls = http.client.HTTPSConnection(
                self._host, self._port, timeout=options.timeout, context=self._tls
            )
            return tls, True
        return http.client.HTTPConnection(self._host, self._port, timeout=options.timeout), True

    def _error(self, response: Response) -> IsocenterError:
        status, body = response.status, response.readall()
        if status < 400:
            where = response.headers.get("Location", "elsewhere")
            return Unavailable(f"{self.url} redirects to {where}", hint="connect to that address instead")
        try:
            told = json.loads(body)
        except ValueError:
            told = {}
        error = from_json(told if isinstance(told, dict) else {}, status)
        if isinstance(error, Unauthorized) and not error.hint:
            error.hint = (
                "the token was refused: make one with `isocenter token create`"
                if self.token
                else "give a token: isocenter.connect(url, token=...) or ISOCENTER_TOKEN"
            )
        return error

    def _unreachable(self, error: BaseException) -> Unavailable:
        told = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = f"{told}; is `isocenter serve` running there?"
        if isinstance(error, ssl.SSLCertVerificationError):
            hint = f"{error.verify_message}; give verify='authority.pem' if its certificate is your own"
        return Unavailable(f"No answer from {self.url}", hint=hint)


def _silent() -> Timeout:
    return Timeout(
        f"The server was silent for {options.timeout:g} s",
        hint="narrow the query, or raise isocenter.options.timeout",
    )


def _parts(url: str) -> tuple[str, str, int | None, str]:
    """Scheme (http, https, unix), host or socket path, port, and the path before ours."""
    if url.startswith("unix:"):
        return "unix", url.removeprefix("unix:").replace("//", "/", 1), None, ""
    try:
        split = urlsplit(url)
        if split.scheme == "http+unix":
            return "unix", unquote(split.netloc), None, split.path
        host, port = split.hostname or "", split.port
        known = split.scheme in ("http", "https") and bool(host.encode("idna"))
    except ValueError:  # brackets that do not close, a port that is none, a host that is no name
        known = False
    if not known:
        raise Unavailable(f"{url!r} is no address of a server", hint="write http://127.0.0.1:8042")
    return split.scheme, host, port, quote(split.path, safe="/%")


def _token(told: str | None) -> str | None:
    """A token as a header carries it (RFC 6750); one that does not fit is not repeated in the error."""
    token = (told or "").strip()
    if not _TOKEN.fullmatch(token):
        hint = "a token is one line of letters, digits and some signs; was more than it copied?"
        raise BadRequest("What was given as a token is none", hint=hint)
    return token or None


def _tls(verify: bool | str | os.PathLike[str]) -> ssl.SSLContext:
    if verify is True:
        return ssl.create_default_context()
    if verify is not False:
        return ssl.create_default_context(cafile=os.fspath(verify))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
