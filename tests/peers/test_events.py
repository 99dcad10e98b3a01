"""Worklist events of a real server with two workers: sockets on both are told, and of a restart too."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from tornado.websocket import WebSocketClientConnection, websocket_connect
from workitem_documents import workitem

from isocenter.cli.throwaway import Running, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WORKLIST = "1.2.840.10008.5.1.4.34.5"
SOCKETS = 8


def call(running: Running, path: str, document: Any = None) -> int:
    """POST to the worklist, on a connection of its own, so that any worker may take it."""
    url = f"{running.url}/dicom-web/workitems{path}"
    headers = {"Content-Type": "application/dicom+json", "Connection": "close"}
    return requests.post(url, json=document, headers=headers, timeout=60).status_code


async def next_event(connection: WebSocketClientConnection) -> tuple[str, int]:
    message = json.loads(await asyncio.wait_for(connection.read_message(), 60) or "{}")
    return message["00001000"]["Value"][0], message["00001002"]["Value"][0]


async def test_every_socket_is_told_whichever_worker_has_it(tmp_path: Path) -> None:
    with server(tmp_path / "data", workers=2, log=tmp_path / "log") as running:
        names = [f"WATCHER{n}" for n in range(SOCKETS)]
        for name in names:
            assert call(running, f"/{WORKLIST}/subscribers/{name}") == 201
        async with AsyncExitStack() as stack:
            channels = []
            for name in names:
                url = f"{running.url.replace('http', 'ws')}/dicom-web/subscribers/{name}"
                channel = await websocket_connect(url)
                stack.callback(channel.close)
                channels.append(channel)
            for uid in ("1.1", "1.2"):
                assert await asyncio.to_thread(call, running, f"?{uid}", workitem()) == 201
            for channel in channels:
                assert [await next_event(channel), await next_event(channel)] == [("1.1", 1), ("1.2", 1)]

    with server(tmp_path / "data", workers=2, log=tmp_path / "log") as running:
        channel = await websocket_connect(
            f"{running.url.replace('http', 'ws')}/dicom-web/subscribers/WATCHER0"
        )
        assert await next_event(channel) == (WORKLIST, 4)
        channel.close()
