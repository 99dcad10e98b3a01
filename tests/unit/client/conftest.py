"""A tiny HTTP server that speaks the contract of /api/tables and STOW-RS over rows in memory.

The real server has its own tests; here the client is what is tested, over real sockets.
"""

from __future__ import annotations

import contextlib
import email
import json
import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from live_archive import LiveArchive, serving

import isocenter
from isocenter.dicom.attributes import lookup
from isocenter.dicom.predicate import from_json, matches
from isocenter.errors import BadRequest, Forbidden, IsocenterError, Unauthorized

ROWS: list[dict[str, Any]] = [
    {
        "PatientID": f"P{n % 3}",
        "PatientName": f"Doe^Patient{n}",
        "StudyDate": f"2020010{n % 9 + 1}",
        "StudyTime": 37_815_000_000 + n,
        "StudyInstanceUID": f"1.2.{n % 5}",
        "SeriesInstanceUID": f"1.2.{n % 5}.{n}",
        "SOPInstanceUID": f"1.2.{n % 5}.{n}.1",
        "Modality": "CT" if n % 2 else "MR",
        "SeriesNumber": None if n == 7 else n,
        "SeriesDescription": "<b>bold</b>" if n == 1 else "T2*",
        "SliceThickness": n / 10,
    }
    for n in range(25)
]


class Contract(BaseHTTPRequestHandler):
    """One request; `server.facts` says how to behave and remembers what was asked."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.server.refuse_early:
            self.close_connection = True
            self._tell(Forbidden("early", hint="no thanks"), 403)
            return
        self._answer(self.rfile.read(length))

    def _answer(self, body: bytes) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        try:
            if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
                raise Unauthorized("Credentials are needed")
            if self.path.endswith("/dicom-web/studies"):
                self._store(body)
                return
            self._send(*self.server.routes[self.path.split("?")[0]](self, json.loads(body or b"null")))
        except KeyError:
            self._send(404, "text/html", b"<html>nothing</html>")
        except IsocenterError as error:
            self._tell(error, error.status)

    def _tell(self, error: IsocenterError, status: int) -> None:
        self._send(status, "application/json", json.dumps(error.to_json()).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.server.hang_up:
            self.send_header("Connection", "keep-alive")
        self.end_headers()
        self.wfile.write(body)
        if self.server.hang_up:
            self.close_connection = True

    def _store(self, body: bytes) -> None:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + body).get_payload()
        good, bad, nameless = [], [], []
        for part in parts:
            data = part.get_payload(decode=True)
            uid = self.server.uid_of(data)
            if uid is None:
                nameless.append({"00081197": {"vr": "US", "Value": [0xC000]}, **_comment("not readable")})
            elif uid.endswith(".13") or self.server.full:
                bad.append({**_uid(uid), "00081197": {"vr": "US", "Value": [0xA700]}, **_comment("no space")})
            else:
                self.server.stored[uid] = data
                good.append(_uid(uid))
        tags = (("00081199", good), ("00081198", bad), ("0008119A", nameless))
        module = {tag: {"vr": "SQ", "Value": items} for tag, items in tags if items}
        status = self.server.full or (200 if not bad and not nameless else 202 if good else 409)
        self._send(status, "application/dicom+json", json.dumps(module).encode())


def _uid(uid: str) -> dict[str, Any]:
    return {"00081155": {"vr": "UI", "Value": [uid]}}


def _comment(text: str) -> dict[str, Any]:
    return {"00000902": {"vr": "LO", "Value": [text]}}


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is not None:
            attribute = lookup(name)
            told = {"Alphabetic": value} if attribute.vr == "PN" else value
            told = "103015" if attribute.vr == "TM" else told
            made[attribute.tag_text] = {"vr": attribute.vr, "Value": [told]}
    return made


def _found(asked: dict[str, Any]) -> list[dict[str, Any]]:
    where = from_json(asked.get("where"))
    return [row for row in ROWS if matches(where, _as_json(row))]


def _query(handler: Contract, asked: dict[str, Any]) -> tuple[int, str, bytes]:
    rows = _found(asked)
    for name, way in reversed(asked["order"]):
        rows = sorted(rows, key=lambda row: (row[name] is None, row[name]), reverse=way == "desc")
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    names = asked["columns"] or [name for name in ROWS[0] if name != "SliceThickness"]
    table = pa.Table.from_pylist(
        [{n: row.get(n) for n in names} for row in rows[asked["offset"] : end]], _schema(names)
    )
    return _encoded(handler, table)


def _schema(names: list[str]) -> pa.Schema:
    types = {"SeriesNumber": pa.int32(), "SliceThickness": pa.float64(), "StudyTime": pa.int64()}
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _encoded(handler: Contract, table: pa.Table) -> tuple[int, str, bytes]:
    kind = handler.headers["Accept"]
    if kind == "application/x-ndjson":
        return 200, kind, "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
    if kind == "text/csv":
        return 200, kind, table.to_pandas().to_csv(index=False).encode()
    if "StudyDate" in table.column_names:
        at = table.column_names.index("StudyDate")
        days = [f"{t[:4]}-{t[4:6]}-{t[6:]}" for t in table["StudyDate"].to_pylist()]
        table = table.set_column(at, "StudyDate", pa.array(days).cast(pa.date32()))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=10)
    return 200, kind, sink.getvalue().to_pybytes()


def _count(_: Contract, asked: dict[str, Any]) -> tuple[int, str, bytes]:
    told = {"count": len(_found(asked))}
    if asked.get("sizes"):
        told |= {"instances": 10 * told["count"], "size": 1_500_000}
    return 200, "application/json", json.dumps(told).encode()


def _sql(handler: Contract, asked: dict[str, Any]) -> tuple[int, str, bytes]:
    if "boom" in asked["sql"]:
        raise BadRequest("Syntax error near boom", hint="look closer")
    return _encoded(handler, pa.table({"n": list(range(100)), "who": ["Doe^John"] * 100}))


def _columns(_: Contract, __: object) -> tuple[int, str, bytes]:
    told = [{"name": n, "type": "string", "description": f"the {n}"} for n in (*ROWS[0], "_size")]
    return 200, "application/json", json.dumps(told).encode()


def _statistics(_: Contract, __: object) -> tuple[int, str, bytes]:
    counts = {"CountPatients": 4, "CountStudies": 5, "CountSeries": 25, "CountInstances": 1234}
    return 200, "application/json", json.dumps({**counts, "TotalDiskSize": "617000000"}).encode()


def _system(_: Contract, __: object) -> tuple[int, str, bytes]:
    told = {"Name": "Isocenter", "Version": "0.1.0", "DicomAet": "ISOCENTER", "DicomPort": 11112}
    return 200, "application/json", json.dumps(told).encode()


class Server(ThreadingHTTPServer):
    """The server and what it saw."""

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.stored: dict[str, bytes] = {}
        self.token: str | None = None
        self.hang_up = False
        self.refuse_early = False
        self.full = 0  # the status of STOW when nothing can be stored
        self.connections = 0
        self.routes = {
            "/api/tables/query": _query,
            "/api/tables/count": _count,
            "/api/tables/sql": _sql,
            "/api/tables/columns": _columns,
            "/api/system": _system,
            "/api/statistics": _statistics,
        }

    def uid_of(self, data: bytes) -> str | None:
        """The UID of an object as the server reads it; None when it cannot."""
        import pydicom

        try:
            return str(pydicom.dcmread(pydicom.filebase.DicomBytesIO(data), force=True).SOPInstanceUID)
        except (AttributeError, pydicom.errors.InvalidDicomError):
            return None

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        """A client that hung up is what some tests do."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class UnixServer(Server):
    """The same on a unix socket."""

    address_family = __import__("socket").AF_UNIX

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)

    def get_request(self) -> Any:
        request, _ = self.socket.accept()
        return request, ("unix", 0)


@contextlib.contextmanager
def running(server: Server) -> Any:
    """Serve in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Any:
    with running(Server(("127.0.0.1", 0), Contract)) as one:
        yield one


@pytest.fixture
def unix_server(tmp_path: Path) -> Any:
    with running(UnixServer(str(tmp_path / "isocenter.sock"), Contract)) as one:
        yield one


@pytest.fixture(autouse=True)
def _no_other_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No server of this machine is found by accident, and options are as after import."""
    for name in [name for name in os.environ if name.startswith(("ISOCENTER_", "JUPYTERHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(isocenter.options, "show_identifiers", False)
    monkeypatch.setattr(isocenter.options, "timeout", 10.0)


@pytest.fixture
def archive(server: Server) -> Any:
    with isocenter.connect(server.url) as one:
        server.requests.clear()
        yield one


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real server over an archive that the tests of one file share."""
    with serving(tmp_path_factory.mktemp("web") / "data") as start:
        yield start()


@pytest.fixture(scope="module")
def real(web: LiveArchive) -> Any:
    """The client of that server."""
    with isocenter.connect(web.url) as one:
        yield one
