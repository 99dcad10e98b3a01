"""The process that runs one SELECT of a user, started by `sandbox` with one thread and without environment.

It reads one request from standard input, gives up what it does not need (address space, file writing,
settings, the environment), answers on standard output and ends.  `sandbox` starts it, talks to it and kills
it.

Frames in both directions: one byte of kind, eight bytes of length (little endian), the payload.
    R  request as JSON (first frame in)       T  table for the request, as an Arrow IPC stream
    A  a piece of the answer's IPC stream     E  an error body as JSON              D  the end

Not here: which rows a dataset has (`query.Scope`), which SQL is taken (`statements`).
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from isocenter.catalog.confinement import confine
from isocenter.catalog.statements import check, only_select
from isocenter.errors import InvalidQuery, IsocenterError, TooLarge

HEAD = struct.Struct("<cQ")
_ROWS = 20_000


def write_frame(sink: BinaryIO, kind: bytes, payload: bytes | memoryview) -> None:
    """One frame, flushed."""
    sink.write(HEAD.pack(kind, len(payload)))
    sink.write(payload)
    sink.flush()


def read_frame(source: BinaryIO) -> tuple[bytes, bytes]:
    """The next frame; EOFError when the other side is gone."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    kind, length = HEAD.unpack(head)
    return kind, source.read(length)


class Answer:
    """A sink for pyarrow that sends what it is given as frames."""

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, piece: bytes) -> int:
        """Send a piece of the stream."""
        with memoryview(piece) as view:
            write_frame(self._sink, b"A", view)
            return view.nbytes

    def flush(self) -> None:
        """Pieces leave at once."""

    def close(self) -> None:
        """The frame that ends the answer is not sent here: only a complete answer has one."""
        self.closed = True


def teach(
    connection: duckdb.DuckDBPyConnection, request: dict[str, Any], tables: dict[str, pa.Table]
) -> None:
    """Make the request's tables known to a fresh DuckDB, which can be told nothing more afterwards."""
    files = ", ".join("'" + name.replace("'", "''") + "'" for name in request["files"])
    for setting in (
        f"memory_limit='{int(request['memory'] * 0.7) // 2**20}MiB'",
        f"threads={int(request['threads'])}",
        "temp_directory=''",
        "TimeZone='UTC'",
        "python_enable_replacements=false",
        "autoinstall_known_extensions=false",
        "autoload_known_extensions=false",
        "allow_community_extensions=false",
        "allow_persistent_secrets=false",
        f"allowed_paths=[{files}]",
    ):
        connection.execute(f"SET {setting}")
    for name, table in tables.items():
        connection.register(name, table)
    for name, select in request["views"].items():
        connection.execute(f'CREATE VIEW "{name}" AS {select}')
    connection.execute("SET enable_external_access=false; SET lock_configuration=true")


def answer(
    connection: duckdb.DuckDBPyConnection,
    request: dict[str, Any],
    tables: dict[str, pa.Table],
    sink: BinaryIO,
) -> None:
    """Run the request's SELECT and send its rows."""
    statement = only_select(request["sql"])
    teach(connection, request, tables)
    check(connection, statement, list(request["views"]))
    reader = connection.sql(statement).to_arrow_reader(_ROWS)
    out = pa.PythonFile(Answer(sink), "w")
    with pa.ipc.new_stream(out, reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    write_frame(sink, b"D", b"")


def as_error(error: BaseException, request: dict[str, Any]) -> IsocenterError:
    """What the caller is told; paths of catalog files are not."""
    if isinstance(error, IsocenterError):
        return error
    text = str(error).split("\n\nLINE ")[0].strip()
    for name in request.get("files", ()):
        text = text.replace(name, "(catalog)")
    if isinstance(error, (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError)):
        return TooLarge(
            "The query needs more memory than a query may use", hint="select fewer rows or columns"
        )
    if "bad_alloc" in text or "Out of Memory" in text:
        return TooLarge(
            "The query needs more memory than a query may use", hint="select fewer rows or columns"
        )
    return InvalidQuery(text[:1000] or type(error).__name__)


def main() -> None:
    """Answer one request and end without clean-up, which could fail within the limits."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    request: dict[str, Any] = {}
    try:
        _, payload = read_frame(source)
        request = json.loads(payload)
        confine(int(request["memory"]), int(request["cpu_seconds"]), request["files"])
        tables = {}
        for name in request["tables"]:
            _, payload = read_frame(source)
            tables[name] = pa.ipc.open_stream(payload).read_all()
        answer(duckdb.connect(":memory:"), request, tables, sink)
    except EOFError:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - whatever it was, the caller is told and the process ends
        with contextlib.suppress(OSError):
            write_frame(sink, b"E", json.dumps(as_error(error, request).to_json()).encode())
        os._exit(1)
    os._exit(0)
