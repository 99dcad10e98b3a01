"""HTTP requests written byte by byte, since clients would mend what is wrong with them."""

from __future__ import annotations

import http.client
import io
import json
import socket

from live_archive import LiveArchive


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, raw: bytes, method: str) -> None:
        received = http.client.HTTPResponse(_Sock(raw), method=method)  # type: ignore[arg-type]
        received.begin()
        self.status, self.headers, self.body = received.status, received.headers, received.read()

    def is_ours(self) -> bool:
        """Whether the body is an error in our one shape."""
        told = json.loads(self.body)["error"]
        return bool(told["code"]) and bool(told["message"])


class _Sock:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def ask(
    web: LiveArchive, target: str | bytes, *headers: str | bytes, method: str = "GET", body: bytes = b""
) -> Answer:
    """Send a request as it stands, and read to the end."""
    lines = [
        f"{method} ".encode() + raw_bytes(target) + b" HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
    ]
    lines += [*map(raw_bytes, headers), b"Content-Length: %d" % len(body), b"", body]
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as connection:
        connection.sendall(b"\r\n".join(lines))
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    return Answer(raw, method)


def raw_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
