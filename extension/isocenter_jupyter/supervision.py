"""One data server for one data folder, kept running while it is wanted, shared between this user's Jupyters.

`<data>/run/jupyter.lock` says which Jupyter supervises; the others use the server that it runs, and one of
them takes over when it goes. A server that somebody started by hand on the folder is used and left alone. The
server ends with its Jupyter, even if that is killed (`ServerProcess`). Nothing here blocks the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal, TypeVar

from isocenter.client.process import STARTS_WITHIN, ServerProcess
from isocenter.client.server_info import ServerInfo
from isocenter.errors import IsocenterError, Unavailable

State = Literal["stopped", "starting", "running", "failed"]
Tell = Callable[..., None]
T = TypeVar("T")

LOOK_EVERY = 0.5
BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before each try after an end that nobody wanted; the last one is repeated."""
SETTLED = 60.0
"""Seconds of running after which earlier ends are forgotten."""
TRIES = 3
"""So many starts that did not get ready, one after the other, are a failure."""
GRACE = 20.0
"""Seconds that the server gets to end when it is stopped."""
_LONGEST_SOCKET, _LONGEST_NAME = 100, 24  # bytes: Linux allows paths of 107, macOS of 103
# Jupyter's and JupyterHub's credentials are no business of the data server; nor is where clients would look.
_NOT_INHERITED = ("JUPYTER", "JPY_", "JPY-", "ISOCENTER_URL", "ISOCENTER_TOKEN", "ISOCENTER_JUPYTER")


class Supervision:
    """Starts, watches, restarts and stops the server of a folder.

    Args:
        data: the data folder; made when it is not there.
        arguments: more of `isocenter serve`.
        tell: called with what happened: `tell("started", …)`.
        log: Jupyter's.
    """

    def __init__(self, data: Path, arguments: Sequence[str], *, tell: Tell, log: logging.Logger) -> None:
        self.data = data
        self.state: State = "stopped"
        self.info: ServerInfo | None = None
        self.error: IsocenterError | None = None
        self.restarts = 0
        self.owned = False
        self._tell, self._log = tell, log
        self._socket = socket_of(data)
        # Who names an address wants others to reach it too.
        named = any(argument.startswith("--http-") for argument in arguments)
        where = [] if named else ["--http-socket", str(self._socket)]
        self._process = ServerProcess(data, [*where, *arguments], environment=_environment())
        self._keeping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def wanted(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._keeping is not None and not self._keeping.done()

    def start(self) -> None:
        """Want it; returns at once."""
        if not self.wanted:
            self.error, self.restarts = None, 0
            self._set("starting")
            self._keeping = asyncio.create_task(self._keep_running())

    async def ready(self, timeout: float = STARTS_WITHIN) -> ServerInfo:
        """Wait until it runs.

        Raises:
            Unavailable: it does not start, is not wanted, or takes longer.
        """
        deadline = time.monotonic() + timeout
        while self.state != "running" or self.info is None:
            if self.error is not None and self.state == "failed":
                raise self.error
            left = deadline - time.monotonic()
            if self.state == "stopped" or left <= 0:
                raise Unavailable("The data server does not run", hint="start it in Isocenter's side bar")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return self.info

    async def stop(self) -> None:
        """End it, if this Jupyter runs it, and want it no more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
            self._keeping = None
        self._set("stopped")

    def log_tail(self, lines: int) -> str:
        """The last lines that it wrote; reads a file."""
        return self._process.log_tail(lines)

    # --- the task

    async def _keep_running(self) -> None:
        lock = _Lock(self.data)
        try:
            while True:
                if not await _to_its_end(lock.take) or await _to_its_end(self._other):
                    await self._follow()
                elif not await self._one_life():
                    return
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 (told, as every failure is)
            self._fail(
                error if isinstance(error, IsocenterError) else Unavailable(f"It cannot be run: {error}")
            )
        finally:
            self.owned = False
            await self._end()
            lock.give_back()

    def _other(self) -> ServerInfo | None:
        """The server that runs on the folder though none of ours does."""
        info = ServerInfo.read(self.data / "run" / "connection.json")
        return info if info is not None and info.runs() and info.pid != self._process.pid else None

    async def _follow(self) -> None:
        """Use the server of another Jupyter or shell, while it is there."""
        info = await _to_its_end(self._other)
        if info is not None and (self.state != "running" or info != self.info):
            self.info, self.owned = info, False
            self._set("running")
            self._tell("attached", self.info)
        elif info is None:
            self._set("starting")
        await asyncio.sleep(LOOK_EVERY)

    async def _one_life(self) -> bool:
        """From start to end; False when it is not worth another try."""
        self.owned = True
        self._set("starting")
        began = time.monotonic()
        try:
            await _to_its_end(functools.partial(make_private, self._socket.parent))
            await _to_its_end(self._process.start)
            self.info = await self._process.ready()
        except (IsocenterError, OSError) as error:
            await self._process.stopped()
            told = error if isinstance(error, IsocenterError) else Unavailable(f"It cannot be run: {error}")
            return await self._again(told, settled=False)
        self.error = None
        self._set("running")
        self._tell("started", self.info)
        self._log.info("Isocenter serves %s (process %s)", self.data, self.info.pid)
        while self._process.running:
            await asyncio.sleep(LOOK_EVERY)
        told = Unavailable(f"The data server ended: {_how(self._process.returncode)}", hint=self.log_tail(8))
        return await self._again(told, settled=time.monotonic() - began > SETTLED, was_ready=True)

    async def _again(self, error: IsocenterError, *, settled: bool, was_ready: bool = False) -> bool:
        """Wait before the next try; False when there have been enough."""
        self.restarts = 1 if settled else self.restarts + 1
        if self.restarts >= TRIES and not was_ready:
            self._fail(error)
            return False
        delay = BACK_OFF[min(self.restarts, len(BACK_OFF)) - 1]
        self._log.warning("%s; it is started again in %g s", error.message, delay)
        self._tell("failed", self.info, error=error)
        self.info, self.error = None, error
        self._set("starting")
        await asyncio.sleep(delay)
        return True

    async def _end(self) -> None:
        if self._process.running:
            await self._process.stopped(GRACE)
            self._tell("stopped", self.info)
        self.info = None

    def _fail(self, error: IsocenterError) -> None:
        self._log.error("The data server is given up: %s", error.message)
        self.error, self.info = error, None
        self._set("failed")
        self._tell("failed", None, error=error)

    def _set(self, state: State) -> None:
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()


class _Lock:
    """Held by the Jupyter that supervises a folder; the system gives it back when that is killed."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / "jupyter.lock"
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Whether we have it now."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None


async def _to_its_end(work: Callable[[], T]) -> T:
    """Run what may block in a thread; who cancels waits for it, or a process could start afterwards."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def private_folder() -> Path:
    """A folder of this user alone, on this machine alone, whose path is short enough for a socket in it.

    Not in the home folder: machines may share that, and their sockets would take each other's names.
    """
    told = os.environ.get("XDG_RUNTIME_DIR")
    if told and len(os.fsencode(told)) + len("/isocenter/") + _LONGEST_NAME <= _LONGEST_SOCKET:
        return Path(told, "isocenter")
    return Path(tempfile.gettempdir(), f"isocenter-{os.getuid()}")


def make_private(folder: Path) -> None:
    """Make a folder for sockets.

    Raises:
        Unavailable: somebody else has made it, who might listen in our place.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = folder.lstat()
    if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.getuid() or told.st_mode & 0o022:
        raise Unavailable(f"{folder} is not this user's own", hint="set XDG_RUNTIME_DIR to a folder that is")


def socket_of(data: Path) -> Path:
    """Where the server of a folder listens: the same place for every Jupyter of this user."""
    return private_folder() / (hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16] + ".sock")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
