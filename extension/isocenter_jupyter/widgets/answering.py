"""Requests of a widget's browser side that come over its comm, answered in threads.

A request is a message `{"isocenter": "request", "id", "method", "path", "headers", "body"}`; its answer is
`{"isocenter": "answer", "id", "status", "headers"}` with one binary buffer, the body; a message
`{"isocenter": "cancel", "id"}` gives it up. What may be asked is a list: reading, of one dataset of one
server. The method `ASK` calls what the widget offers by name, with JSON both ways. The token stays in Python.
"""

from __future__ import annotations

import contextvars
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from isocenter.errors import BadRequest, Forbidden, IsocenterError, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from isocenter.client.archive import Archive

LARGEST = 64 << 20
"""Bytes of one answer; more would hold up everything else that the kernel tells."""

_AT_ONCE = 6
_WAITING = 256
_BLOCK = 1 << 18
_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_READ = (
    "changes",
    "cohorts",
    "datasets",
    "instances",
    "jobs",
    "patients",
    "series",
    "statistics",
    "studies",
    "system",
    "tables",
)
_READING_POSTS = frozenset({"/api/tables/query", "/api/tables/count", "/api/tables/facets"})
_SENT = frozenset({"accept", "content-type", "if-none-match", "range"})
_TOLD_NOT = frozenset({"set-cookie", "connection", "transfer-encoding", "server", "date"})

Answer = Callable[[Any], Any]
_threads: list[ThreadPoolExecutor] = []
_threads_lock = threading.Lock()


class Answering:
    """What one widget answers.

    Args:
        archive: where requests go; None: there is nothing but `ASK`.
        send: sends a custom message with buffers to the browser side.
        offered: what `ASK` may call: name to function of the JSON that came.
        largest: bytes of one answer.
    """

    def __init__(
        self,
        archive: Archive | None,
        send: Callable[[dict[str, Any], list[bytes]], None],
        offered: Mapping[str, Answer],
        largest: int = LARGEST,
    ) -> None:
        self._archive, self._send, self._offered, self._largest = archive, send, offered, largest
        self._waiting: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def take(self, content: object) -> bool:
        """Take a message; whether it was one of ours."""
        kind = content.get("isocenter") if isinstance(content, dict) else None
        if not isinstance(content, dict) or kind not in ("request", "cancel"):
            return False
        name = str(content.get("id"))
        if kind == "cancel":
            self._cancel(name)
        else:
            self._start(name, content)
        return True

    def close(self) -> None:
        """Give up what is not answered yet."""
        with self._lock:
            for given_up in self._waiting.values():
                given_up.set()

    def _cancel(self, name: str) -> None:
        with self._lock:
            given_up = self._waiting.get(name)
        if given_up is not None:
            given_up.set()

    def _start(self, name: str, content: dict[str, Any]) -> None:
        given_up = threading.Event()
        with self._lock:
            full = len(self._waiting) >= _WAITING
            if not full:
                self._waiting[name] = given_up
        if full:
            self._refuse(name, Unavailable("The widget asks for too much at once", hint="wait a moment"))
        elif _no_threads():
            self._work(name, content, given_up)
        else:
            context = contextvars.copy_context()  # which cell a message belongs to
            _pool().submit(context.run, self._work, name, content, given_up)

    def _work(self, name: str, content: dict[str, Any], given_up: threading.Event) -> None:
        try:
            if not given_up.is_set():
                status, headers, body = self._answer(content, given_up)
                if not given_up.is_set():
                    self._tell(name, status, headers, body)
        except IsocenterError as error:
            if not given_up.is_set():
                self._refuse(name, error)
        except Exception as error:  # noqa: BLE001 - the browser waits for an answer, whatever happened
            if not given_up.is_set():
                told = f"{type(error).__name__}: {error}"
                self._refuse(name, IsocenterError("The widget's Python side failed", hint=told))
        finally:
            with self._lock:
                self._waiting.pop(name, None)

    def _answer(
        self, content: dict[str, Any], given_up: threading.Event
    ) -> tuple[int, dict[str, str], bytes]:
        method, path = str(content.get("method", "GET")).upper(), str(content.get("path", ""))
        body = content.get("body")
        if method == "ASK":
            return 200, {"content-type": "application/json"}, self._ask(path, body)
        if self._archive is None:
            raise Forbidden("This widget asks no server")
        check(self._archive.dataset_name, method, path)
        sent = bound(self._archive.dataset_name, body) if method == "POST" else None
        given = content.get("headers") or {}
        headers = {str(n): str(v) for n, v in given.items() if str(n).lower() in _SENT}
        with self._archive.transport.request(
            method, path, sent, headers=headers, accept_status=range(300, 600)
        ) as response:
            told = {n.lower(): v for n, v in response.headers.items() if n.lower() not in _TOLD_NOT}
            return response.status, told, self._read(response, given_up)

    def _ask(self, name: str, body: object) -> bytes:
        offered = self._offered.get(name)
        if offered is None:
            raise NotFound(f"The widget answers no {name!r}")
        given = json.loads(body) if isinstance(body, str) and body else None
        return json.dumps(offered(given), allow_nan=False).encode()

    def _read(self, response: Any, given_up: threading.Event) -> bytes:
        length = response.headers.get("Content-Length")
        if length is not None and length.isdecimal() and int(length) > self._largest:
            raise self._too_large()
        blocks, size = [], 0
        while block := response.read(_BLOCK):
            size += len(block)
            if size > self._largest:
                raise self._too_large()
            if given_up.is_set():
                return b""
            blocks.append(block)
        return b"".join(blocks)

    def _too_large(self) -> TooLarge:
        hint = "ask for less, or open the notebook where the Isocenter extension of Jupyter runs"
        return TooLarge(f"More than {self._largest >> 20} MB do not pass through the kernel", hint=hint)

    def _refuse(self, name: str, error: IsocenterError) -> None:
        body = json.dumps(error.to_json(), default=str).encode()
        self._tell(name, error.status, {"content-type": "application/json"}, body)

    def _tell(self, name: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self._send({"isocenter": "answer", "id": name, "status": status, "headers": headers}, [body])


def check(dataset: str, method: str, path: str) -> None:
    """Refuse what a widget may not ask.

    Args:
        dataset: the one that may be read.
        method: GET, or POST for the queries that are posted.
        path: with its query.

    Raises:
        Forbidden: another method, dataset or root.
        BadRequest: no path at all.
    """
    plain = _PLAIN.fullmatch(path) is not None and "//" not in path.partition("?")[0]
    if not plain or any(
        part in (".", "..") for part in path.partition("?")[0].lower().replace("%2e", ".").split("/")
    ):
        raise BadRequest("This is no path of the server", hint="absolute, quoted, without dots")
    split = urlsplit(path)
    if method == "POST":
        allowed = split.path in _READING_POSTS
    else:
        allowed = method == "GET" and _readable(dataset, split.path)
    named = parse_qs(split.query).get("dataset", [dataset])
    if not allowed or ("/api/" in split.path and any(name != dataset for name in named)):
        raise Forbidden(f"A widget may not ask {method} {split.path}", hint=f"it reads dataset {dataset!r}")


def bound(dataset: str, body: object) -> bytes:
    """The JSON of a query, bound to the dataset."""
    content = json.loads(body) if isinstance(body, str) else None
    if not isinstance(content, dict):
        raise BadRequest("The body is a JSON object")
    return json.dumps({**content, "dataset": dataset}).encode()


def root_of(dataset: str) -> str:
    """The path before `/dicom-web` and `/wado` of a dataset."""
    return "" if dataset == "main" else f"/datasets/{quote(dataset)}"


def _readable(dataset: str, path: str) -> bool:
    root = root_of(dataset)
    if path.startswith(f"{root}/dicom-web/") or path == f"{root}/wado":
        return True
    head = path.removeprefix("/api/").partition("/")[0]
    return path.startswith("/api/") and head in _READ


def _no_threads() -> bool:
    """marimo sends messages of the thread that runs a cell alone."""
    return "marimo" in sys.modules and "ipykernel" not in sys.modules


def _pool() -> ThreadPoolExecutor:
    """One pool for all widgets: more connections would not make a server faster."""
    with _threads_lock:
        if not _threads:
            _threads.append(ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="isocenter-widget"))
        return _threads[0]
