"""`ServerProcess`: `isocenter serve` as a child of this process.

For scripts and notebooks (`start`) and the Jupyter extension. Nothing here blocks but what says so: `start`
only spawns, `poll` looks once, and each wait has an asyncio twin. The child ends with this process even if
that is killed (`serve --with-parent`). Not here: which folder is served and what is made of it (`start`),
restarts (the extension).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from isocenter.client.server_info import ServerInfo
from isocenter.errors import Timeout, Unavailable

STARTS_WITHIN = 120.0
"""Seconds that a server may take to be ready."""
STOPS_WITHIN = 45.0
"""Seconds that it gets to finish what it is doing."""
_LOOK_EVERY = 0.05
_LOG_KEPT = 1 << 20


class ServerProcess:
    """One start of a server on a data folder.

    Args:
        data: the data folder; made when it is not there.
        arguments: more of `isocenter serve`, such as `("--http-port", "0")`.
        environment: of the child; this process's when absent.
        log: where its words go; `run/server.log` in the data folder when absent.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        arguments: Sequence[str | os.PathLike[str]] = (),
        *,
        environment: Mapping[str, str] | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.data = Path(data).expanduser().absolute()
        self.arguments = tuple(os.fspath(argument) for argument in arguments)
        self.log = Path(log) if log is not None else self.data / "run" / "server.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began = 0
        self._info: ServerInfo | None = None
        self._file = self.data / "run" / "connection.json"
        self._before = 0  # when an earlier start wrote it

    @property
    def command(self) -> list[str]:
        """What is run."""
        serve = [sys.executable, "-m", "isocenter", "serve", "--data", str(self.data), "--with-parent"]
        return [*serve, *self.arguments]

    @property
    def pid(self) -> int | None:
        """Of the child; None before it is started."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How it ended: as `subprocess` says it; None before that."""
        return self._process.poll() if self._process else None

    @property
    def connection(self) -> ServerInfo | None:
        """Where it is and its token; None until it is ready."""
        return self._info

    def start(self) -> ServerProcess:
        """Spawn it and return at once. One that runs is left as it is; one that ended starts again.

        Raises:
            Unavailable: the data folder cannot be used.
        """
        if self.running:
            return self
        self.close()
        self._info, self._before = None, self._written()
        try:
            self._spawn()
        except OSError as error:
            told = error.strerror or str(error)
            raise Unavailable(f"No server can be started on {self.data}: {told}") from error
        return self

    def _spawn(self) -> None:
        # A session of its own: Ctrl-C is for this process, which decides when its server ends.
        with self._log_file() as words:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=subprocess.STDOUT,
                env=dict(self._environment) if self._environment is not None else None,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def _log_file(self) -> Iterator[int]:
        """Appended to, so that a restart does not hide why it was needed; a long one is put aside."""
        (self.data / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > _LOG_KEPT:
                self.log.replace(self.log.with_name(self.log.name + ".old"))
        words = os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._log_began = os.fstat(words).st_size
        try:
            yield words
        finally:
            os.close(words)

    def poll(self) -> ServerInfo | None:
        """Its connection once it is ready, None while it starts.

        Raises:
            Unavailable: it has ended; its last words are the hint.
        """
        if self._info is None and self._process is not None and self._written() != self._before:
            told = ServerInfo.read(self._file)
            if told is not None and told.pid == self._process.pid:
                self._info = told
        if not self.running:
            what = f"ended with exit code {self.returncode}" if self._process else "was not started"
            raise Unavailable(f"The server on {self.data} {what}", hint=self.log_tail(8))
        return self._info

    def _written(self) -> int:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0

    def wait_ready(self, timeout: float = STARTS_WITHIN) -> ServerInfo:
        """Block until it is ready.

        Raises:
            Unavailable: it ended instead.
            Timeout: it did neither within so many seconds.
        """
        deadline = time.monotonic() + timeout
        while (told := self.poll()) is None:
            self._still(deadline, timeout)
            time.sleep(_LOOK_EVERY)
        return told

    async def ready(self, timeout: float = STARTS_WITHIN) -> ServerInfo:
        """`wait_ready` for an event loop, which it does not block."""
        deadline = time.monotonic() + timeout
        while (told := self.poll()) is None:
            self._still(deadline, timeout)
            await asyncio.sleep(_LOOK_EVERY)
        return told

    def _still(self, deadline: float, timeout: float) -> None:
        if time.monotonic() > deadline:
            raise Timeout(
                f"The server on {self.data} was not ready within {timeout:g} s", hint=self.log_tail(8)
            )

    def stop(self, grace: float = STOPS_WITHIN) -> int | None:
        """Ask it to end, and block until it has; it is killed when it has not after `grace` seconds.

        Returns:
            How it ended; negative when by a signal, None when it was never started.
        """
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
            self.close()
        return self.returncode

    async def stopped(self, grace: float = STOPS_WITHIN) -> int | None:
        """`stop` for an event loop, which it does not block."""
        self.ask_to_stop()
        deadline = time.monotonic() + grace
        while self.running and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
        if self.running:
            self.kill()
        self.close()
        return self.returncode

    def ask_to_stop(self) -> None:
        """Ask it to end, and return at once."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without asking. Its own children see their pipes close and end by themselves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until it ends by itself; how it did.

        Raises:
            subprocess.TimeoutExpired: it did not within so many seconds.
        """
        return self._process.wait(timeout) if self._process is not None else None

    def close(self) -> None:
        """Let go of a server that has ended; one that runs would see its parent gone and end."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that this start wrote; empty when it wrote none."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_began, size - 400 * lines))
                told = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(told.rstrip().splitlines()[-lines:])

    def __repr__(self) -> str:
        state = f"process {self.pid}" if self.running else "not running"
        return f"<Isocenter server on {self.data}, {state}>"
