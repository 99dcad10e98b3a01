"""SQL that a user wrote, over the rows of a scope, in a process of its own.

Four fences, none of which relies on another: only one SELECT over the offered tables is taken
(`statements`); DuckDB has no external access save the files of the scope, and a locked configuration; the
process has an address space limit and can write no file and, where the kernel has Landlock, read no other;
it is killed at the deadline, which counts the time that the caller waits for it. Settings alone are no
sandbox: inside allowed paths COPY truncated a file, and string functions outgrew the memory limit.

Not here: our own queries (`query`), who may ask (the callers).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from isocenter.catalog.sandboxed import HEAD, write_frame
from isocenter.catalog.sql_errors import clearer
from isocenter.errors import IsocenterError, Timeout, TooLarge, Unavailable, from_json

_PROGRAM = (
    "from isocenter.catalog.confinement import renounce; renounce(); "  # before any import starts a thread
    "from isocenter.catalog.sandboxed import main; main()"
)


@dataclass(frozen=True)
class Exposed:
    """What a user's SQL sees.

    Args:
        views: the SELECT behind each table name offered, over `read_parquet` of `files` and the names in
        `tables`.
        files: the data files that these may read.
        tables: Arrow tables by the name that the views use.
    """

    views: Mapping[str, str]
    files: Sequence[str] = ()
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


class Sandbox:
    """Runs users' SQL, each in a fresh process; one is kept started, since starting takes 0.4 s.

    Args:
        memory: bytes a query may use beyond the interpreter.
        seconds: time a caller may wait for a query, all in all.
        threads: processor threads of a query.
        at_once: queries that run at the same time; a further one waits for its turn, within its time.
    """

    def __init__(
        self, *, memory: int = 2 * 2**30, seconds: float = 60.0, threads: int = 2, at_once: int = 4
    ) -> None:
        self.memory = memory
        self.seconds = seconds
        self.threads = threads
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, sql: str, exposed: Exposed, *, seconds: float | None = None) -> pa.RecordBatchReader:
        """The rows of a SELECT, streamed; closing or dropping the reader ends the query.

        Raises:
            InvalidQuery: not one SELECT, or one that DuckDB refuses.
            Timeout: not answered within the deadline (also while reading).
            TooLarge: beyond the memory of a query (also while reading).
            Unavailable: too many queries run already.
        """
        seconds = self.seconds if seconds is None else seconds
        if not self._turns.acquire(timeout=seconds):
            raise Unavailable("Too many queries run already", hint="try again later")
        query = _Query(self._process, seconds, self._turns.release)
        try:
            request = {
                "sql": sql,
                "views": dict(exposed.views),
                "files": list(exposed.files),
                "tables": list(exposed.tables),
                "memory": self.memory,
                "threads": self.threads,
                "cpu_seconds": int(query.left * self.threads) + 5,
            }
            query.ask(request, exposed.tables)
            stream = pa.ipc.open_stream(pa.PythonFile(query, "r"))
        except BaseException:
            query.close()
            raise
        return pa.RecordBatchReader.from_batches(stream.schema, query.batches(stream))

    def _process(self) -> subprocess.Popen[bytes]:
        with self._lock:
            process, self._spare = self._spare, None
            if process is None or process.poll() is not None:
                process = _start()
            if not self._closed:
                self._spare = _start()
            return process

    def close(self) -> None:
        """End the process that is kept started."""
        with self._lock:
            self._closed = True
            process, self._spare = self._spare, None
        if process is not None:
            _end(process)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _start() -> subprocess.Popen[bytes]:
    """A fresh interpreter (never a fork) without our environment."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8", "TZ": "UTC", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"},
        cwd="/",
        close_fds=True,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kill, close the pipes, and reap."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    return process.wait()


class _Query:
    """One question to one process: a readable file for pyarrow, whose waiting time is limited."""

    closed = False

    def __init__(
        self, start: Callable[[], subprocess.Popen[bytes]], seconds: float, ended: Callable[[], None]
    ) -> None:
        self.left = seconds
        self.error: IsocenterError | None = None
        self._end = ended
        try:
            self._process = process = start()
        except BaseException:
            ended()
            raise
        assert process.stdin is not None, "started with pipes"
        assert process.stdout is not None, "started with pipes"
        self._sink, self._source = process.stdin, process.stdout.fileno()
        self._waiting = bytearray()
        self._ended = False

    def ask(self, request: Mapping[str, object], tables: Mapping[str, pa.Table]) -> None:
        """Send the request and its tables."""
        try:
            write_frame(self._sink, b"R", json.dumps(request).encode())  # type: ignore[arg-type]
            for table in tables.values():
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table)
                write_frame(self._sink, b"T", memoryview(sink.getvalue()))  # type: ignore[arg-type]
        except BrokenPipeError:
            raise Unavailable("The query process ended before it was asked") from None

    def batches(self, stream: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The answer's batches; an error of the process is raised as such."""
        try:
            yield from stream
            while self._next():  # the frame that says the answer is complete
                pass
        except pa.ArrowException as error:
            raise self.error or error from None
        finally:
            self.close()
        if self.error is not None:
            raise self.error

    # -- a file for pyarrow ----------------------------------------------------------------------------

    def read(self, size: int = -1) -> bytes:
        """`size` bytes of the answer's stream, fewer at its end; all without a size."""
        while (size < 0 or len(self._waiting) < size) and self._next():
            pass
        if self.error is not None:
            raise self.error
        size = len(self._waiting) if size < 0 else size
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece

    def close(self) -> None:
        """End the process, and the turn."""
        if self.closed:
            return
        self.closed = True
        _end(self._process)
        self._end()

    def __del__(self) -> None:
        """A reader that nobody began to read ends its query when it goes."""
        if hasattr(self, "_process"):
            self.close()

    def _next(self) -> bool:
        """Read a frame; False when there are no more."""
        if self._ended:
            return False
        head = self._exactly(HEAD.size)
        if head is None:
            return self._died()
        kind, length = HEAD.unpack(head)
        payload = self._exactly(length)
        if payload is None:
            return self._died()
        if kind == b"A":
            self._waiting += payload
            return True
        self._ended = True
        if kind == b"E":
            self.error = clearer(from_json(json.loads(payload)))
        return False

    def _exactly(self, size: int) -> bytes | None:
        """So many bytes, None when the process ends first; Timeout when the waiting is over."""
        pieces: list[bytes] = []
        while size:
            started = time.monotonic()
            ready, _, _ = select.select([self._source], [], [], max(0.0, self.left))
            self.left -= time.monotonic() - started
            if not ready:
                self._ended = True
                self.error = Timeout("The query took longer than a query may", hint="select fewer rows")
                raise self.error
            piece = os.read(self._source, min(size, 1 << 20))
            if not piece:
                return None
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _died(self) -> bool:
        """The process is gone without a word: out of memory, most likely, since it has a limit."""
        self._ended = True
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            self.error = Timeout("The query used more processor time than a query may")
        elif code < 0 or code == 1:
            hint = "select fewer rows or columns"
            self.error = TooLarge("The query was ended by its memory limit", hint=hint, detail={"exit": code})
        else:
            self.error = Unavailable("The query process ended unexpectedly", detail={"exit": code})
        return False
