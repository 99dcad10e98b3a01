"""The event channel of a subscriber (PS3.18 8.10.4, 11.13): a WebSocket through which reports come.

Reports are queued in the index, so that they reach the sockets of every worker: each follows the index's
version and reads on. A channel gets what no channel of its AE title was sent before, then all that comes; a
report may come twice after a fault, and none is lost within a day. A slow client holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from isocenter.archive import Dataset
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.paths import ROOT
from isocenter.dicomweb.ups import AETITLE, ae_title
from isocenter.errors import BadRequest, IsocenterError, Unavailable
from isocenter.http.addresses import cross_site
from isocenter.http.admission import allowed_origin, identify
from isocenter.http.context import Context
from isocenter.security import Action
from isocenter.worklist.workitems import Worklist

LOOK = 0.1
"""Seconds between two looks at the index's version."""
PING = 30.0
"""Seconds between pings, so that a connection that is dead is found so."""
_NOT_ALLOWED = 1008  # RFC 6455 7.4.1: policy violation

log = logging.getLogger("isocenter.dicomweb")


class Watch:
    """Follows one index in this process while somebody waits: `signal` is set after each commit."""

    def __init__(self) -> None:
        self.signal = asyncio.Event()
        self._users = 0
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def used(self, context: Context, dataset: Dataset) -> AsyncIterator[Watch]:
        """Follow while inside."""
        self._users += 1
        if self._task is None:
            self._task = asyncio.create_task(self._follow(context, dataset))
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _follow(self, context: Context, dataset: Dataset) -> None:
        seen: int | None = None  # so that the first look signals: what came before it was not waited for
        while True:
            with contextlib.suppress(Unavailable):
                version = await context.short(dataset.index.reader.data_version)
                if version != seen:
                    seen, passed = version, self.signal
                    self.signal = asyncio.Event()
                    passed.set()
            await asyncio.sleep(LOOK)


class Watches:
    """The watch of each dataset in this process."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Dataset, Watch] = WeakKeyDictionary()

    def of(self, dataset: Dataset) -> Watch:
        """The watch of a dataset; called on the loop only."""
        return self._of.setdefault(dataset, Watch())


class Channel(WebSocketHandler, DicomwebHandler):
    """The event channel of a subscriber: a WebSocket, one DICOM JSON data set a message."""

    face = "ups"
    _work: asyncio.Task[None] | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Become a WebSocket."""
        ae_title(self.path_kwargs["aetitle"])
        asked = [part.strip().lower() for part in self.request.headers.get("Connection", "").split(",")]
        if self.request.headers.get("Upgrade", "").lower() != "websocket" or "upgrade" not in asked:
            raise BadRequest("The event channel is a WebSocket", hint="open its ws:// URL")
        await WebSocketHandler.get(self, *args, **kwargs)

    def check_origin(self, origin: str) -> bool:
        """Browsers do not hold pages of other sites back from sockets."""
        origins = self.context.settings.http.cors_origins
        return not cross_site(self.request) or bool(allowed_origin(self.request, origins))

    @property
    def ping_interval(self) -> float | None:
        """How often the client is asked whether it is there."""
        return PING

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to send."""
        self._work = asyncio.create_task(self._send_events())

    def on_message(self, message: str | bytes) -> None:
        """Nothing is expected of a subscriber."""

    def on_close(self) -> None:
        """The subscriber went away."""
        if self._work is not None:
            self._work.cancel()

    async def _send_events(self) -> None:
        try:
            await self._follow()
        except (WebSocketClosedError, asyncio.CancelledError):
            pass
        except IsocenterError as error:
            self.close(_NOT_ALLOWED if error.status in (401, 403) else 1011)
        except Exception:
            log.exception("An event channel failed [%s]", self.request_id)
            self.close(1011)

    async def _follow(self) -> None:
        dataset, aetitle = self.dataset(), ae_title(self.path_kwargs["aetitle"])
        worklist = Worklist(dataset.index)
        after: int | None = None
        async with self.context.shared(Watches).of(dataset).used(self.context, dataset) as watch:
            while True:
                signal = watch.signal  # before reading: what is committed meanwhile sets this one
                found = await self.context.short(worklist.events, aetitle, after)
                if found:
                    self._still_allowed()
                for event in found:
                    report = {"00000110": {"vr": "US", "Value": [event.id % 0xFFFF + 1]}}
                    report |= json.loads(event.content)
                    message = json.dumps(dict(sorted(report.items())), ensure_ascii=False)
                    await self.write_message(message)
                    after = event.id
                if found:
                    await self.context.short(worklist.delivered, aetitle, found[-1].id)
                    continue
                if after is None:
                    after = await self.context.short(worklist.last_delivered, aetitle)
                await signal.wait()

    def _still_allowed(self) -> None:
        """A token may have been revoked since the channel was opened."""
        origins = self.context.settings.http.cors_origins
        identify(self.request, self.context.tokens, origins).require(Action.READ, self.dataset_name)


routes = [(ROOT + r"/subscribers/" + AETITLE, Channel)]
