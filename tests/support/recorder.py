"""A stand-in for a data server that remembers what reached it, for tests of what a proxy passes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BLOCK = bytes(1 << 20)


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """Answers every path with `answer` headers and `status`; `/api/big/<bytes>` with so many zeros.

    `sent` is how many bytes of a big answer have been handed to the connection.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answer: dict[str, str] = field(default_factory=dict)
    status: int = 200
    received: int = 0
    sent: int = 0

    @property
    def last(self) -> Request:
        return self.requests[-1]


@contextmanager
def recorder() -> Iterator[Recorder]:
    record = Recorder()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"record": record}))
    server.daemon_threads = True
    record.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    record: Recorder
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self._body()
        if self.path == "/api/system":
            self._send({"Content-Type": "application/json"}, b'{"Name": "Recorder", "Version": "1"}')
            return
        self.record.requests.append(Request(self.command, self.path, dict(self.headers), body))
        if self.path.startswith("/api/big/"):
            self._send_big(int(self.path.rpartition("/")[2]))
        else:
            self._send(self.record.answer, b"ok", self.record.status)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any  # noqa: N815

    def _body(self) -> bytes:
        """Small bodies are kept, large ones counted."""
        kept = bytearray()
        for piece in self._pieces():
            self.record.received += len(piece)
            if len(kept) < len(BLOCK):
                kept += piece
        return bytes(kept)

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left and (piece := self.rfile.read(min(left, len(BLOCK)))):
            left -= len(piece)
            yield piece

    def _send(self, headers: dict[str, str], body: bytes, status: int = 200) -> None:
        body = b"" if status in (204, 304) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_big(self, size: int) -> None:
        self.record.sent = 0
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while self.record.sent < size:
            piece = BLOCK[: size - self.record.sent]
            try:
                self.wfile.write(piece)
            except OSError:
                return
            self.record.sent += len(piece)

    def log_message(self, *_: Any) -> None:
        pass
