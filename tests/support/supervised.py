"""Children for the supervisor's tests: importable, so that a spawned process finds them."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import Connection

from isocenter.child import Child
from isocenter.config import Settings
from isocenter.errors import NoSpace
from isocenter.supervisor import Sockets


@asynccontextmanager
async def _answers_with_its_pid(sockets: Sockets) -> AsyncIterator[None]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = (await reader.readline()).strip()
        if word == b"stall":
            time.sleep(3600)
        if word == b"die":
            os._exit(9)
        writer.write(f"{os.getpid()}\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=sockets.http[0])
    async with server:
        yield


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _no_space() -> AsyncIterator[None]:
    raise NoSpace("The disk is full", hint="make room")
    yield


def worker(settings: Settings, sockets: Sockets, pipe: Connection) -> None:
    Child(pipe).run(partial(_answers_with_its_pid, sockets))


def keeper(settings: Settings, sockets: Sockets, pipe: Connection) -> None:
    Child(pipe).run(_nothing)


def cannot_start(settings: Settings, sockets: Sockets, pipe: Connection) -> None:
    Child(pipe).run(_no_space)


def dies(settings: Settings, sockets: Sockets, pipe: Connection) -> None:
    os._exit(7)


def ask(port: int, word: str = "hello") -> int:
    """The pid of the worker that answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(word.encode() + b"\n")
        return int(connection.makefile().readline() or 0)
