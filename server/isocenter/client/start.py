"""`isocenter.start()`: a server of one's own, for a script, a notebook or a test, that ends with it.

Without a data folder everything is thrown away at the end. Not here: the process itself (`process`), finding
servers that run already (`connect`).
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from isocenter.client.archive import Archive
from isocenter.client.process import STARTS_WITHIN, ServerProcess
from isocenter.client.server_info import ServerInfo
from isocenter.client.transport import Transport
from isocenter.errors import Conflict, Timeout, Unavailable

_LONGEST_SOCKET = 100  # bytes of a path: Linux allows 107, macOS 103
_TAKEN = "Another Isocenter server runs on"


class StartedArchive(Archive):
    """An archive whose server `isocenter.start` started, or found running on the folder.

    A context manager: leaving it stops the server if it was started here; so does the end of the program.

    Attributes:
        process: the server; None when it is another's, which is left alone.
        data: its data folder.
    """

    def __init__(
        self,
        info: ServerInfo,
        data: Path,
        *,
        dataset: str = "main",
        process: ServerProcess | None = None,
        scratch: Path | None = None,
    ) -> None:
        super().__init__(Transport(info.url, info.token), dataset)
        self.data, self.process, self.info = data, process, info
        self._scratch = scratch
        self._owner = os.getpid()
        if process is not None:
            _running.add(self)

    def close(self) -> None:
        """Close the connections, and stop the server if it was started here. Again changes nothing."""
        super().close()
        if self in _running and self._owner == os.getpid():  # a forked child only looks on
            _running.discard(self)
            assert self.process is not None
            self.process.stop()
            _remove(self._scratch)

    def __repr__(self) -> str:
        whose = "started here" if self.process else f"process {self.info.pid}, not started here"
        return f"<Isocenter archive {self.dataset_name!r} on {self.data} ({whose})>"


_running: set[StartedArchive] = set()


@atexit.register
def _stop_all() -> None:
    started = [archive for archive in _running if archive._owner == os.getpid()]
    for archive in started:
        if archive.process is not None:
            archive.process.ask_to_stop()  # all at once: each takes its time
    for archive in started:
        archive.close()


def start(
    data: str | os.PathLike[str] | None = None,
    *,
    dataset: str = "main",
    http_port: int | None = None,
    dicom: bool | int = False,
    workers: int = 1,
    settings: Mapping[str, object] | None = None,
    timeout: float = STARTS_WITHIN,
) -> StartedArchive:
    """Start a server that ends with this program, however that ends, and connect to it.

    ::

        with isocenter.start() as archive:
            archive.store("folder")

    Args:
        data: the data folder, which stays; a new one that is removed at the end when absent. A folder that
            is served already is connected to, and its server left running at the end.
        dataset: which dataset to work with.
        http_port: listen on this TCP port of the loopback address (0: a free one), for browsers and other
            programs; on a unix socket that only you can use when absent.
        dicom: listen for associations too: True on a free port, or the port. `archive.info` has it.
        workers: server processes.
        settings: more, by dotted key: `{"on_conflict": "replace", "catalog.flush_seconds": 5}`.
        timeout: seconds that it may take to be ready.

    Raises:
        Unavailable: it did not start; its last words are the hint.
        Timeout: it was not ready in time.
        Conflict: the folder is served already, and not on the ports that are asked for.
    """
    wanted = _Wanted(http_port, dicom)
    if data is not None and (found := _server_of(Path(data).expanduser())):
        return _attached(found, Path(data).expanduser().absolute(), wanted, dataset)
    # One that is thrown away is removed by the server too, if it outlives this program by a moment.
    scratch = Path(tempfile.mkdtemp(prefix="isocenter-"))
    folder = scratch if data is None else Path(data).expanduser().absolute()
    arguments = [*wanted.arguments(folder, scratch), "--workers", str(workers)]
    arguments += ["--throw-away", "--unlisted"] if data is None else []
    environment = _environment(settings or {}, inherit=data is not None)
    process = ServerProcess(folder, arguments, environment=environment)
    try:
        info = process.start().wait_ready(timeout)
    except BaseException as error:
        process.stop()
        try:
            other = _other_server(error, folder, timeout)
        finally:
            _remove(scratch)
        if other is None:
            raise
        return _attached(other, folder, wanted, dataset)
    return StartedArchive(info, folder, dataset=dataset, process=process, scratch=scratch)


class _Wanted:
    """Where the server is to listen."""

    def __init__(self, http_port: int | None, dicom: bool | int) -> None:
        self.http_port = http_port
        self.dicom_port = None if dicom is False else 0 if dicom is True else dicom

    def arguments(self, folder: Path, scratch: Path) -> list[str]:
        """As `isocenter serve` takes it."""
        if self.http_port is not None:
            http = ["--http-port", str(self.http_port)]
        else:
            own = folder / "run" / "http.sock"
            place = own if len(os.fsencode(own)) <= _LONGEST_SOCKET else scratch / "http.sock"
            http = ["--http-socket", str(place)]
        dicom = ["--no-dicom"] if self.dicom_port is None else ["--dicom-port", str(self.dicom_port)]
        return [*http, *dicom]

    def lacks(self, info: ServerInfo) -> str:
        """What a running server does not offer of this; empty when it does."""
        port = info.url.rpartition(":")[2] if info.url.startswith("http://") else None
        if self.http_port is not None and (port is None or str(self.http_port) not in ("0", port)):
            return f"HTTP is at {info.url}"
        if self.dicom_port is not None and info.dicom_port is None:
            return "it does not listen for DICOM"
        if self.dicom_port is not None and self.dicom_port not in (0, info.dicom_port):
            return f"DICOM is at port {info.dicom_port}"
        return ""


def _attached(info: ServerInfo, folder: Path, wanted: _Wanted, dataset: str) -> StartedArchive:
    if lacks := wanted.lacks(info):
        raise Conflict(
            f"{folder} is served already, by process {info.pid}, but {lacks}",
            hint="stop that server, or leave the ports out to work with it",
        )
    return StartedArchive(info, folder, dataset=dataset)


def _server_of(folder: Path) -> ServerInfo | None:
    """The running server of a folder, if it answers."""
    info = ServerInfo.read(folder / "run" / "connection.json")
    if info is None or not info.runs():
        return None
    try:
        with Transport(info.url, info.token).request("GET", "/healthz"):
            return info
    except Unavailable:
        return None


def _other_server(error: BaseException, folder: Path, timeout: float) -> ServerInfo | None:
    """The server that was a moment faster on the same folder, when that is why ours ended."""
    if not isinstance(error, Unavailable) or _TAKEN not in error.hint:
        return None
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := _server_of(folder):
            return found
        time.sleep(0.05)
    raise Timeout(f"{folder} belongs to another server, which does not answer", hint=error.hint) from error


def _environment(settings: Mapping[str, object], *, inherit: bool) -> dict[str, str]:
    """That of this process and the settings; for what is thrown away no settings of the user's own."""
    own = {n: v for n, v in os.environ.items() if inherit or not n.startswith("ISOCENTER_")}
    for key, value in settings.items():
        name = "ISOCENTER_" + key.upper().replace(".", "__")
        own[name] = value if isinstance(value, str) else json.dumps(value, default=os.fspath)
    return own


def _remove(scratch: Path | None) -> None:
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
