"""Jupyter's event bus tells what happens to the data server; nobody has to ask for it again and again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from live_jupyter import TOKEN, Jupyter, jupyter
from recorder import recorder
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

SCHEMA = "https://isocenter.invalid/events/server/v1"


async def subscribed(to: Jupyter) -> WebSocketClientConnection:
    where = f"{to.url.replace('http', 'ws', 1)}api/events/subscribe"
    return await websocket_connect(HTTPRequest(where, headers={"Authorization": f"token {TOKEN}"}))


async def next_event(channel: WebSocketClientConnection) -> dict[str, Any]:
    while True:
        told = json.loads(await asyncio.wait_for(channel.read_message(), 60) or "{}")
        if told["schema_id"] == SCHEMA:
            return dict(told)


@pytest.mark.slow
async def test_started_failed_and_stopped_are_told(tmp_path: Path) -> None:
    with jupyter(tmp_path, "--Isocenter.mode=supervise") as running:
        channel = await subscribed(running)
        state = await asyncio.to_thread(running.start)
        event = await next_event(channel)
        assert (event["action"], event["pid"], event["data"]) == ("started", state["pid"], state["data"])
        assert "token" not in json.dumps(event)
        os.kill(state["pid"], signal.SIGKILL)
        event = await next_event(channel)
        assert event["action"] == "failed"
        assert "signal 9" in event["message"]
        assert (await next_event(channel))["action"] == "started"
        await asyncio.to_thread(running.ask, "isocenter/server/stop", "POST", b"")
        assert (await next_event(channel))["action"] == "stopped"
        channel.close()


async def test_attached_is_told(tmp_path: Path) -> None:
    with recorder() as record, jupyter(tmp_path, f"--Isocenter.url={record.url}") as running:
        channel = await subscribed(running)
        assert (await asyncio.to_thread(running.state))["mode"] == "attach"
        event = await next_event(channel)
        assert (event["action"], event["url"], event["version"]) == ("attached", record.url, "1")
        channel.close()
