"""A live DICOM server in this process: an archive in a folder and its services on a free port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from isocenter.archive import Archive, Dataset
from isocenter.config import Settings, load
from isocenter.dimse.identities import Authenticate
from isocenter.dimse.server import DimseServer
from isocenter.pool import ProcessPool

T = TypeVar("T")


def bound() -> socket.socket:
    """A socket on a free port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    return made


class LiveServer:
    """A server on a loop in a thread of its own; peers and tests talk to it from outside.

    `port` and `tls_port` are where it listens, `archive` what it serves.
    """

    def __init__(self, settings: Settings, authenticate: Authenticate | None = None) -> None:
        self._authenticate = authenticate
        self.settings = settings
        self.archive = Archive.open(settings)
        self.pool = ProcessPool(1)
        self._sockets = [bound()]
        self._tls_sockets = [bound()] if settings.dicom.tls else []
        self.port = int(self._sockets[0].getsockname()[1])
        self.tls_port = int(self._tls_sockets[0].getsockname()[1]) if self._tls_sockets else 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="live-server")
        self._thread.start()
        self.server: DimseServer = self.run(self._start())

    @property
    def dataset(self) -> Dataset:
        """The dataset `main`."""
        return self.archive.datasets["main"]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def stop(self) -> None:
        """Stop and close everything."""
        try:
            self.run(self.server.stop(0.5))
            self.run(self._loop.shutdown_default_executor())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            for each in (*self._sockets, *self._tls_sockets):
                each.close()
            self.pool.close()
            self.archive.close()

    async def _start(self) -> DimseServer:
        scratch = self.settings.data / "scratch"
        scratch.mkdir(exist_ok=True)
        server = DimseServer(
            self.archive, self.settings, pool=self.pool, scratch=scratch, authenticate=self._authenticate
        )
        server.listen(self._sockets, self._tls_sockets)
        return server


@contextmanager
def live(folder: Path, authenticate: Authenticate | None = None, **flags: Any) -> Iterator[LiveServer]:
    """A live server with its data in `folder`; `flags` are settings, `__` for the dots."""
    told = {name.replace("__", "."): value for name, value in flags.items()}
    server = LiveServer(load({"data": folder, **told}), authenticate)
    try:
        yield server
    finally:
        server.stop()
