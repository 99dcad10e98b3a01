"""Research queries: a process of its own with a warm DuckDB and the decoded tail of each dataset.

A worker asks over a pair of sockets and gets Arrow record batches as they are made; whoever stops reading
stops the query's output, whoever closes it ends it. The process starts with the first question and again if
it dies; it ends with its parent. Its end of each pair is handed over to it: a socket with a name in the file
system would stay there when the parent is killed. What runs in it is in `questions`.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, Protocol

import pyarrow as pa

from isocenter.errors import IsocenterError, Unavailable

_SCHEMA, _BATCH, _VALUE, _END, _ERROR = b"S", b"B", b"V", b"E", b"X"
_TRIES = 3
_DYING_SECONDS = 0.5
_START_SECONDS = 60.0
_GONE = (EOFError, OSError)


class Answering(Protocol):
    """What answers in the process; made there, so that nothing of it crosses over."""

    def answer(self, question: dict[str, Any]) -> Any:
        """A plain value, or a `pyarrow.RecordBatchReader`."""

    def close(self) -> None:
        """End."""


class MakesAnswering(Protocol):
    """Something picklable that makes an `Answering` in the process."""

    def __call__(self) -> Answering:
        """Make it."""


class Asks(Protocol):
    """Who research questions are put to: the query process, or this one."""

    def start(self) -> None:
        """Get ready before the first question."""

    def ask(self, question: dict[str, Any]) -> Any:
        """A plain answer."""

    def rows(self, question: dict[str, Any]) -> pa.RecordBatchReader:
        """An answer in rows."""

    def close(self) -> None:
        """End."""


class Here:
    """Answers in this process: for a tool that asks once and ends, where a process would cost a second.

    Args:
        make: makes what answers, with the first question.
    """

    def __init__(self, make: MakesAnswering) -> None:
        self._make = make
        self._mutex = threading.Lock()
        self._answering: Answering | None = None

    def start(self) -> None:
        """Nothing to do: it would only be slower."""

    def ask(self, question: dict[str, Any]) -> Any:
        """A plain answer, or rows."""
        with self._mutex:
            if self._answering is None:
                self._answering = self._make()
        return self._answering.answer(question)

    rows = ask

    def close(self) -> None:
        """End what answers."""
        if self._answering is not None:
            self._answering.close()


class Research:
    """Asks the query process. Safe for threads; many may ask at once.

    Args:
        make: makes what answers, in the process.
    """

    def __init__(self, make: MakesAnswering) -> None:
        self._make = make
        self._mutex = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    def start(self) -> None:
        """Start the process, if it is not running. Raises Unavailable after `close`."""
        self._running()

    def ask(self, question: dict[str, Any]) -> Any:
        """A plain answer. Raises what the question raised, Unavailable when the process keeps dying."""
        connection, kind, body = self._begin(question)
        connection.give_back()
        if kind != _VALUE:
            raise Unavailable("The query process gave rows to a question for a value")
        return pickle.loads(body)

    def rows(self, question: dict[str, Any]) -> pa.RecordBatchReader:
        """An answer in rows; the reader must be read to its end or closed.

        Raises:
            IsocenterError: what the question raised; an error after the first rows comes from the reader.
        """
        connection, kind, body = self._begin(question)
        if kind != _SCHEMA:
            connection.drop()
            raise Unavailable("The query process gave no rows")
        schema = pa.ipc.read_schema(pa.py_buffer(body))
        return pa.RecordBatchReader.from_batches(schema, _batches(connection, schema))

    def close(self) -> None:
        """End the process."""
        with self._mutex:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _begin(self, question: dict[str, Any]) -> tuple[_Asking, bytes, bytes]:
        """Send a question and get the first message; a process that is gone is started again."""
        for attempt in range(_TRIES):
            asking: _Asking | None = None
            try:
                asking = self._running().connect()
                asking.send(question)
                kind, body = asking.receive()
            except _GONE as error:
                if asking is not None:
                    asking.drop()
                self._forget()
                if attempt == _TRIES - 1:
                    raise Unavailable("The query process died", hint="try again; a smaller query?") from error
                continue
            if kind == _ERROR:
                asking.give_back()
                raise _error(body)
            return asking, kind, body
        raise Unavailable("The query process cannot be reached")

    def _running(self) -> _Process:
        with self._mutex:
            if self._closed:
                raise Unavailable("The archive is closed")
            if self._process is None or not self._process.is_alive():
                if self._process is not None:
                    self._process.stop()
                self._process = _Process(self._make)
            return self._process

    def _forget(self) -> None:
        """A process that hung up is about to end, though the system may still count it as alive."""
        with self._mutex:
            if self._process is not None and self._process.has_ended(_DYING_SECONDS):
                self._process.stop()
                self._process = None


class _Process:
    """One running query process and the connections to it that wait for use."""

    def __init__(self, make: MakesAnswering) -> None:
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._handing = threading.Lock()
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        self._lifeline = ours
        self._process = spawn.Process(target=_serve, args=(make, theirs), name="isocenter-query", daemon=True)
        self._process.start()
        theirs.close()
        if not ours.poll(_START_SECONDS) or not _is_ready(ours):
            self.stop()
            raise Unavailable("The query process does not start")

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def has_ended(self, within: float) -> bool:
        self._process.join(within)
        return not self._process.is_alive()

    def connect(self) -> _Asking:
        try:
            return _Asking(self._idle.get_nowait(), self._idle)
        except queue.Empty:
            return _Asking(self._hand_over(), self._idle)

    def _hand_over(self) -> Connection:
        """Our end of a new pair, whose other end the process has now."""
        ours, theirs = multiprocessing.Pipe()
        try:
            with theirs, self._handing:
                send_handle(self._lifeline, theirs.fileno(), self._process.pid)
        except BaseException:
            ours.close()
            raise
        return ours

    def stop(self) -> None:
        """The process ends when its lifeline does; it is not waited for long."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self._lifeline.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


class _Asking:
    """One connection while it is used for one question."""

    def __init__(self, connection: Connection, idle: queue.LifoQueue[Connection]) -> None:
        self._connection = connection
        self._idle = idle

    def send(self, question: dict[str, Any]) -> None:
        self._connection.send_bytes(pickle.dumps(question))

    def receive(self) -> tuple[bytes, bytes]:
        message = self._connection.recv_bytes()
        return message[:1], message[1:]

    def give_back(self) -> None:
        self._idle.put(self._connection)

    def drop(self) -> None:
        self._connection.close()


def _batches(asking: _Asking, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    whole = False
    try:
        while True:
            kind, body = asking.receive()
            if kind == _BATCH:
                yield pa.ipc.read_record_batch(pa.py_buffer(body), schema)
                continue
            whole = True
            if kind == _ERROR:
                raise _error(body)
            return
    except _GONE as error:
        raise Unavailable("The query process died before the last row") from error
    finally:
        if whole:
            asking.give_back()
        else:
            asking.drop()


def _is_ready(lifeline: Connection) -> bool:
    try:
        return bool(lifeline.recv())
    except _GONE:
        return False


def _error(body: bytes) -> Exception:
    error = pickle.loads(body)
    return error if isinstance(error, Exception) else Unavailable("The query failed")


# --- in the process -------------------------------------------------------------------------------------


def _serve(make: MakesAnswering, lifeline: Connection) -> None:
    """Answer until the parent is gone."""
    answering = make()
    lifeline.send(True)
    with suppress(*_GONE):
        while True:
            _accept(lifeline, answering)
    answering.close()
    os._exit(0)  # threads may still be asked something, and DuckDB's own teardown complains on standard error


def _accept(lifeline: Connection, answering: Answering) -> None:
    """Take one end of a pair; one that is lost, since too many files are open, hangs up on who asks."""
    try:
        connection = Connection(recv_handle(lifeline))
    except RuntimeError:
        return
    threading.Thread(target=_converse, args=(connection, answering), daemon=True).start()


def _converse(connection: Connection, answering: Answering) -> None:
    """Questions of one connection, one after the other, until it closes."""
    with suppress(*_GONE), connection:
        while True:
            for message in _messages(answering, pickle.loads(connection.recv_bytes())):
                connection.send_bytes(message)


def _messages(answering: Answering, question: dict[str, Any]) -> Iterator[bytes]:
    """The answer, message by message; an error is the last one."""
    try:
        answer = answering.answer(question)
        if not isinstance(answer, pa.RecordBatchReader):
            yield _VALUE + pickle.dumps(answer)
            return
        with answer:
            yield _SCHEMA + answer.schema.serialize().to_pybytes()
            for batch in answer:
                yield _BATCH + batch.serialize().to_pybytes()
        yield _END
    except Exception as error:  # noqa: BLE001 (told to the asker)
        yield _ERROR + pickle.dumps(_portable(error))


def _portable(error: Exception) -> Exception:
    """An error that the asker can unpickle: ours as they are, others by their name."""
    if isinstance(error, IsocenterError):
        return error
    return IsocenterError(f"The query failed: {type(error).__name__}: {str(error)[:500]}")
