"""Event channels: what is done through one worker reaches the sockets of every worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect
from workitem_documents import elements, workitem

from isocenter.security import Role
from isocenter.worklist.subscriptions import WORKLIST, Wish
from isocenter.worklist.workitems import Worklist

LOCK = "2.25.1"


@asynccontextmanager
async def channel(
    web: Any, aetitle: str = "WATCHER", **headers: str
) -> AsyncIterator[WebSocketClientConnection]:
    url = f"ws://127.0.0.1:{web.port}/dicom-web/subscribers/{aetitle}"
    connection = await websocket_connect(HTTPRequest(url, headers=headers))
    try:
        yield connection
    finally:
        open_yet = connection.close_code is None
        connection.close()
        if open_yet:
            while await connection.read_message() is not None:
                pass


async def events(connection: WebSocketClientConnection, count: int) -> list[tuple[str, int]]:
    """(workitem, event type) of the next messages."""
    found = []
    for _ in range(count):
        message = json.loads(await asyncio.wait_for(connection.read_message(), 60) or "{}")
        assert message["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
        assert 0 < message["00000110"]["Value"][0] < 65536
        found.append((message["00001000"]["Value"][0], message["00001002"]["Value"][0]))
    return found


@pytest.fixture
def worklist(web: Any) -> Worklist:
    made = Worklist(web.main.index)
    made.subscribe(Wish(WORKLIST, "WATCHER"))
    return made


async def test_two_workers_and_two_watchers_are_told_of_the_same(
    serve: Callable[..., Any], web: Any, worklist: Worklist
) -> None:
    other = serve()
    worklist.subscribe(Wish(WORKLIST, "SECOND"))
    async with channel(web) as one, channel(other, "SECOND") as two:
        headers = {"Content-Type": "application/dicom+json"}
        for server, uid in ((web, "1.1"), (other, "1.2")):
            path = f"/dicom-web/workitems?{uid}"
            answer = await asyncio.to_thread(server.post, path, json=workitem(), headers=headers)
            assert answer.status_code == 201
        assert await events(one, 2) == await events(two, 2) == [("1.1", 1), ("1.2", 1)]


async def test_two_sockets_of_one_subscriber_on_two_workers(
    serve: Callable[..., Any], web: Any, worklist: Worklist, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = []
    last_delivered = Worklist.last_delivered

    def noted(self: Worklist, aetitle: str) -> int:
        try:
            return last_delivered(self, aetitle)
        finally:
            ready.append(aetitle)

    monkeypatch.setattr(Worklist, "last_delivered", noted)
    async with channel(web) as one, channel(serve()) as two:
        while len(ready) < 2:  # both are open and have read what waited: nothing
            await asyncio.sleep(0.01)
        worklist.create(workitem(), "1.1")
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        assert await events(one, 2) == await events(two, 2) == [("1.1", 1), ("1.1", 1)]


async def test_what_came_before_the_channel_was_opened_comes_first_and_once(
    web: Any, worklist: Worklist
) -> None:
    worklist.create(workitem(), "1.1")
    async with channel(web) as connection:
        assert await events(connection, 1) == [("1.1", 1)]
        while worklist.last_delivered("WATCHER") == 0:
            await asyncio.sleep(0.01)
    worklist.create(workitem(), "1.2")
    async with channel(web) as connection:
        assert await events(connection, 1) == [("1.2", 1)]


async def test_each_subscriber_gets_what_is_its_own(web: Any, worklist: Worklist) -> None:
    worklist.create(workitem(), "1.1")
    worklist.create(workitem(), "1.2")
    worklist.subscribe(Wish("1.2", "OTHER"))
    async with channel(web, "OTHER") as connection:
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        worklist.update("1.2", elements(InputReadinessState="UNAVAILABLE"), "")
        assert await events(connection, 2) == [("1.2", 1), ("1.2", 1)]


async def test_credentials_are_asked_for(web: Any, worklist: Worklist) -> None:
    secret, token = web.context.tokens.create("reader", role=Role.READER)
    with pytest.raises(HTTPClientError, match="401"):
        async with channel(web):
            pass
    async with channel(web, Authorization=f"Bearer {secret}") as connection:
        worklist.create(workitem(), "1.1")
        assert await events(connection, 1) == [("1.1", 1)]
        web.context.tokens.create("another")
        web.context.tokens.revoke(token.id)
        worklist.create(workitem(), "1.2")
        assert await asyncio.wait_for(connection.read_message(), 60) is None
        assert connection.close_code == 1008


async def test_a_page_of_another_site_gets_no_channel(web: Any) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        async with channel(web, Origin="http://elsewhere.example"):
            pass


async def test_an_ae_title_that_is_none_and_a_plain_request(web: Any) -> None:
    with pytest.raises(HTTPClientError, match="400"):
        async with channel(web, "A_TITLE_THAT_IS_TOO_LONG"):
            pass
    answer = await asyncio.to_thread(web.get, "/dicom-web/subscribers/WATCHER")
    assert answer.status_code == 400
