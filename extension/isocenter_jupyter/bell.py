"""The bell: a unix socket by which `isocenter.connect()` in a kernel asks this Jupyter for its data server.

Kernels find the socket's path in `ISOCENTER_JUPYTER`. Whoever connects is told `{"url", "token", "data"}` as
soon as the server runs: it is started if need be. Only this user can connect (0600 in a 0700 folder), who
could read the connection file as well.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from isocenter.client.server_info import ServerInfo
from isocenter.errors import IsocenterError, Unavailable
from isocenter_jupyter.supervision import make_private, private_folder

VARIABLE = "ISOCENTER_JUPYTER"


class Bell:
    """Listens from `hang` to `close`.

    Args:
        ready: gives the data server, started if need be.
    """

    def __init__(self, ready: Callable[[], Any]) -> None:
        self._ready = ready
        self._server: asyncio.Server | None = None
        # A client in this very process knows by its number that the bell is its own.
        self.path = private_folder() / f"jupyter-{os.getpid()}.sock"

    async def hang(self) -> None:
        """Listen, and let kernels and terminals that are started from now on know."""
        make_private(self.path.parent)
        self._sweep()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._answer, str(self.path))
        finally:
            os.umask(before)
        os.environ[VARIABLE] = str(self.path)
        atexit.register(self._remove)  # JupyterHub's SIGINT ends Jupyter without stopping extensions

    def _sweep(self) -> None:
        """Remove the bells of Jupyters that were killed."""
        for left in self.path.parent.glob("jupyter-*.sock"):
            number = left.stem.partition("-")[2]
            if number == str(os.getpid()) or (number.isdecimal() and not _runs(int(number))):
                left.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            told = _told(await self._ready())
        except IsocenterError as error:
            told = error.to_json()
        except Exception as error:  # noqa: BLE001 (told to whoever rang; a bell is no place to fail in)
            told = Unavailable(f"Jupyter could not start the data server: {error}").to_json()
        with contextlib.suppress(OSError):
            writer.write(json.dumps(told).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def close(self) -> None:
        """Listen no more."""
        if os.environ.get(VARIABLE) == str(self.path):
            del os.environ[VARIABLE]
        if self._server is not None:
            self._server.close()
            self._server = None
            self._remove()
            atexit.unregister(self._remove)

    def _remove(self) -> None:
        if self.path.stem.endswith(f"-{os.getpid()}"):  # not a forked child's
            self.path.unlink(missing_ok=True)


def _told(info: ServerInfo) -> dict[str, Any]:
    return {"url": info.url, "token": info.token, "data": str(info.data) if info.data else None}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
