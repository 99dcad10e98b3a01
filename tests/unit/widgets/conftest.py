"""Widgets in Python alone: a real archive over HTTP, and what would go to the browser kept in a list."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_archive import LiveArchive, instance, serving

import isocenter
from isocenter.client.archive import Archive


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """A study of two CT images."""
    with serving(tmp_path_factory.mktemp("widgets") / "data") as start:
        web = start()
        web.store(instance(1, PatientID="P1", PatientName="Doe^Ann"), instance(2, PatientID="P1"))
        yield web


@pytest.fixture
def archive(web: LiveArchive) -> Iterator[Archive]:
    with isocenter.connect(web.url) as connected:
        yield connected


class Browser:
    """The browser side of a widget: sends requests and waits for their answers."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._told = threading.Condition()
        self._answers: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._count = 0
        widget.send = self._take
        widget._answering._send = self._take

    def ask(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON (or bytes) of an answer."""
        status, body = self.fetch(method, path, content, **headers)
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body

    def fetch(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, bytes]:
        self._count += 1
        name = str(self._count)
        body = None if content is None else json.dumps(content)
        asked = {"method": method, "path": path, "headers": headers, "body": body}
        self._widget._handle_custom_msg({"isocenter": "request", "id": name, **asked}, [])
        with self._told:
            assert self._told.wait_for(lambda: name in self._answers, 30)
            content, body = self._answers[name]
        return content["status"], body

    def _take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self._told:
            if content.get("isocenter") == "answer":
                self._answers[content["id"]] = (content, buffers[0])
            self._told.notify_all()


@pytest.fixture
def browse() -> Callable[[Any], Browser]:
    return Browser
