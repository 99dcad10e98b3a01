"""A server with a handler that tells what it saw, over a state in a temporary folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from live_http import LiveHttp

from isocenter.config import Settings
from isocenter.errors import NoSpace
from isocenter.http.context import Context
from isocenter.http.handler import Handler
from isocenter.http.stream import send_pieces
from isocenter.security import Action, HubUsers, Tokens, digest_of, new_secret
from isocenter.state import open_state


class Told(Handler):
    """Tells who asked, by which URL."""

    def get(self, dataset: str | None = None) -> None:
        if dataset:
            self.dataset(dataset)
        self.write_json({"name": self.identity.name, "base": self.base_url, "id": self.request_id})


class Takes(Handler):
    """Takes a body of at most 1000 bytes as JSON."""

    max_body = 1000
    actions: ClassVar = {"POST": Action.STORE}

    def post(self) -> None:
        self.write_json(self.json_body())


class Breaks(Handler):
    """Fails in all ways."""

    async def get(self, how: str) -> None:
        if how == "full":
            raise NoSpace("The disk is full", hint="free some", detail={"free": 0})
        if how == "late":
            self.write(b"x" * 10)
            await self.flush()
        if how == "wait":
            await asyncio.sleep(0)
        raise RuntimeError("secret of ours")


class Endless(Handler):
    """Streams until nobody listens."""

    async def get(self) -> None:
        archive: Any = self.context.archive

        def pieces() -> Iterator[bytes]:
            while True:
                archive.sent += 1
                yield b"x" * 1_000_000

        await send_pieces(self, pieces())


ROUTES = [
    (r"/told", Told),
    (r"/datasets/(?P<dataset>[^/]+)/told", Told),
    (r"/takes", Takes),
    (r"/breaks/(.*)", Breaks),
    (r"/endless", Endless),
]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LiveHttp]]:
    with ExitStack() as stack:

        def start(host: str = "127.0.0.1", **settings: Any) -> LiveHttp:
            state = open_state(tmp_path)
            stack.callback(state.close)
            archive: Any = SimpleNamespace(datasets={"main": object(), "ct-lab": object()}, sent=0)
            secret = new_secret()
            chosen = Settings(data=tmp_path, **settings)
            hub = HubUsers(chosen.jupyterhub) if chosen.jupyterhub else None
            tokens = Tokens(state, local=digest_of(secret), hub=hub)
            context = Context(archive, chosen, tokens)
            return stack.enter_context(LiveHttp(context, ROUTES, host=host, secret=secret))

        yield start


@pytest.fixture
def live(serve: Callable[..., LiveHttp]) -> LiveHttp:
    return serve()
