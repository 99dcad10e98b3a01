"""The supervisor: binds every listener once, spawns workers and one keeper, replaces what hangs or dies.

The sockets are inherited by identical workers, not opened by each with SO_REUSEPORT: a connection then never
waits for one stalled worker while another is free, and a second server on the same port is an error. Children
are spawned, never forked: deltalake and DuckDB run threads that do not survive a fork.

A child that says nothing for `SILENCE` seconds has a stalled loop; it is killed and replaced. A child whose
supervisor is gone sees its pipe close and stops by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from isocenter.config import Settings
from isocenter.errors import Conflict, IsocenterError, Unavailable

log = logging.getLogger("isocenter.supervisor")

SILENCE = 10.0
"""Seconds without a heartbeat after which a child is replaced (design: a stalled loop is a defect)."""
STARTING = 120.0
"""Seconds a child may take to say that it is ready."""
DRAIN = 30.0
"""Seconds that children get to finish what they are doing."""
CRASHES, CRASH_WINDOW = 5, 60.0
"""So many unexpected ends in so many seconds stop the server."""

Main = Callable[[Settings, "Sockets", Connection], None]


@dataclass(frozen=True)
class Sockets:
    """The listening sockets that the workers share."""

    http: tuple[socket.socket, ...]
    dicom: tuple[socket.socket, ...]
    dicom_tls: tuple[socket.socket, ...] = ()

    @property
    def http_port(self) -> int:
        """The TCP port that HTTP listens on; not to be asked of a unix socket."""
        return int(self.http[0].getsockname()[1])

    @property
    def dicom_port(self) -> int:
        """The TCP port that DICOM listens on; 0 when it does not."""
        return int(self.dicom[0].getsockname()[1]) if self.dicom else 0

    def close(self) -> None:
        """Close this process's copies."""
        for listener in (*self.http, *self.dicom, *self.dicom_tls):
            listener.close()


@dataclass
class Child:
    """One spawned process and what was last heard of it."""

    name: str
    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    heard: float = field(default_factory=time.monotonic)

    def is_silent(self) -> bool:
        """Whether it has said nothing for too long."""
        return time.monotonic() - self.heard > (SILENCE if self.ready else STARTING)


def bind(settings: Settings) -> Sockets:
    """Open all listeners.

    Raises:
        Unavailable: a port is in use or the address is not of this machine.
    """
    opened: list[socket.socket] = []

    def listen(what: str, host: str, port: int) -> tuple[socket.socket, ...]:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            for other in opened:
                other.close()
            raise Unavailable(
                f"{what} cannot listen on {host}:{port}: {error.strerror or error}",
                hint=f"another server may be running; choose another port with --{what.lower()}-port",
            ) from error
        listener.setblocking(False)
        opened.append(listener)
        return (listener,)

    http, dicom = settings.http, settings.dicom
    return Sockets(
        http=(_unix_listener(http.socket),) if http.socket else listen("HTTP", http.host, http.port),
        dicom=listen("DICOM", dicom.host, dicom.port) if dicom.listen else (),
        dicom_tls=listen("DICOM-TLS", dicom.host, dicom.tls.port) if dicom.listen and dicom.tls else (),
    )


def _unix_listener(path: Path) -> socket.socket:
    """A unix socket of mode 0600; one that a killed server left is replaced, one that is served is not.

    Raises:
        Unavailable: somebody listens there, or the path cannot be one (systems allow about 100 bytes).
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # before any thread runs: it is the process's
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()
        listener.bind(os.fspath(path))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"HTTP cannot listen on {path}: {error.strerror or error}",
            hint="another server may be running; a short path in a folder that exists is needed",
        ) from error
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        return caller.connect_ex(os.fspath(path)) == 0


@contextlib.contextmanager
def only_server_of(data: Path) -> Iterator[None]:
    """Hold the data folder: a second server on it is an error, whatever ports it has.

    Raises:
        Conflict: another server runs on this folder.
    """
    run = data / "run"
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (run / "server.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another Isocenter server runs on {data}",
                hint="stop it, or choose another folder with --data",
            ) from error
        lock.truncate(0)
        lock.write(uuid.uuid4().hex)  # the name of this start, which `/api/system` tells
        lock.flush()
        yield


class Supervisor:
    """Runs `worker` in `settings.workers` processes and `keeper` in one.

    Args:
        settings: handed to every child.
        sockets: handed to every worker.
        worker, keeper: importable functions `(settings, sockets, pipe)`. They send `"ready"` once and
            `"alive"` at least every second on the pipe, and stop on SIGTERM or when the pipe closes.
        on_ready: called once, when every child has said that it is ready.
        on_lost: called with the process id of a child that is gone.
        is_orphan: asked twice a second; true ends the server as SIGTERM does.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sockets,
        *,
        worker: Main,
        keeper: Main,
        on_ready: Callable[[], None],
        on_lost: Callable[[int], None] = lambda pid: None,
        is_orphan: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._mains = {f"worker-{n}": worker for n in range(settings.workers)} | {"keeper": keeper}
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._is_orphan = is_orphan
        self._children: dict[str, Child] = {}
        self._crashes: deque[float] = deque()
        self._stopping = False
        self._was_ready = False

    def run(self) -> None:
        """Start all, watch them until SIGTERM or SIGINT, then stop them.

        Raises:
            IsocenterError: a child could not start, or children kept dying.
        """
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            for name in self._mains:
                self._start(name)
            while not self._stopping and not self._is_orphan():
                self._listen()
                self._replace_lost()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._stop_children()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=self._mains[name], args=(self._settings, self._sockets, theirs), name=f"isocenter-{name}"
        )
        process.start()
        theirs.close()
        self._children[name] = Child(name, process, ours)

    def _listen(self) -> None:
        pipes = {child.pipe: child for child in self._children.values()}
        for pipe in wait(list(pipes), timeout=0.5):
            child = pipes[pipe]  # type: ignore[index]
            try:
                told = child.pipe.recv()
            except (EOFError, OSError):
                child.process.join(timeout=1.0)
                continue
            child.heard = time.monotonic()
            if isinstance(told, IsocenterError):
                raise told
            child.ready = child.ready or told == "ready"
        if not self._was_ready and all(child.ready for child in self._children.values()):
            self._was_ready = True
            self._on_ready()

    def _replace_lost(self) -> None:
        for child in list(self._children.values()):
            if self._stopping:
                return
            if child.process.exitcode is None and not child.is_silent():
                continue
            if child.process.exitcode is None:
                log.error("%s does not answer: it is replaced", child.name)
                child.process.kill()
            else:
                log.error("%s ended with code %s: it is replaced", child.name, child.process.exitcode)
            self._forget(child)
            self._count_crash(child)
            self._start(child.name)

    def _forget(self, child: Child) -> None:
        child.process.join()
        if child.process.pid is not None:
            self._on_lost(child.process.pid)
        child.process.close()
        child.pipe.close()

    def _count_crash(self, child: Child) -> None:
        now = time.monotonic()
        self._crashes.append(now)
        while now - self._crashes[0] > CRASH_WINDOW:
            self._crashes.popleft()
        if len(self._crashes) >= CRASHES:
            del self._children[child.name]
            raise Unavailable(
                f"{child.name} ended {CRASHES} times within {CRASH_WINDOW:.0f} s",
                hint="the log above says why; `isocenter doctor` checks the installation and the data folder",
            )

    def _stop_children(self) -> None:
        for child in self._children.values():
            if child.process.exitcode is None and child.process.pid:
                os.kill(child.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + DRAIN
        for child in self._children.values():
            child.process.join(max(deadline - time.monotonic(), 0.1))
            if child.process.exitcode is None:
                log.error("%s did not stop within %.0f s: it is killed", child.name, DRAIN)
                child.process.kill()
            self._forget(child)
        self._children.clear()
