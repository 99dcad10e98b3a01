"""STOW-RS (PS3.18 10.5): instances as DICOM files, in parts or alone, of one study or many.

The body goes to the archive while it arrives; the sender waits while the disk is behind. Each instance has
its own result. Instances may also come as metadata and bulk data (JSON, XML): these parts wait in a scratch
file (`bulk_parts`) until the body is over, and are stored as the objects made of them (`dicom.assembly`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from isocenter import metrics
from isocenter.archive import Origin
from isocenter.dicom._meta import read_meta
from isocenter.dicom.assembly import assemble, bulk_places
from isocenter.dicom.xml_model import to_xml
from isocenter.dicomweb.bulk_parts import BulkParts, scratch_file
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.representation import DICOM_JSON, DICOM_XML, choose
from isocenter.dicomweb.store_answer import Result, answer, failure, success
from isocenter.errors import BadRequest, IsocenterError, TooLarge, UnreadableObject
from isocenter.http.accept import MediaType, parse_media_type
from isocenter.http.failures import UnsupportedMedia
from isocenter.http.multipart import Event, MultipartReader, PartData, PartEnd, PartStart
from isocenter.security import Action

if TYPE_CHECKING:
    from isocenter.archive import Reception, Stored

# Instances whose group commit is still to come; more than two groups of 64 would only wait in memory.
_UNDER_WAY = 128
_BACKLOG = 4 * 1024 * 1024
_PEEK = 4096
_DICOM = "application/dicom"
_IDENTITY = ("00080016", "00080018")

log = logging.getLogger("isocenter.dicomweb")


class Arrival:
    """One instance on its way into the archive, with the UIDs that its file meta claims."""

    def __init__(self, reception: Reception) -> None:
        self.reception = reception
        self.size = 0
        self._peek = b""
        self._done: Future[Stored] | None = None

    def feed(self, data: bytes) -> None:
        """More of the instance."""
        if len(self._peek) < _PEEK:
            self._peek += data[: _PEEK - len(self._peek)]
        self.size += len(data)
        self.reception.feed(data)

    def finish(self) -> None:
        """It is whole."""
        self._done = self.reception.finish()

    async def result(self) -> Result:
        """What became of it, once that is durable."""
        if self._done is None:
            raise BadRequest("The body ends inside an instance")
        try:
            stored = await asyncio.wrap_future(self._done)
        except Exception as error:
            if not isinstance(error, IsocenterError):
                log.error("An instance could not be stored", exc_info=error)
            return failure(error, *self._claimed())
        metrics.instances_received.labels("stow", stored.outcome.kind).inc()
        metrics.bytes_received.labels("stow").inc(self.size)
        return success(stored.keys, self._claimed()[0])

    def _claimed(self) -> tuple[str, str]:
        """SOP class and instance by the file meta information."""
        meta = read_meta(self._peek)[0]
        return meta.get("MediaStorageSOPClassUID", ""), meta.get("MediaStorageSOPInstanceUID", "")


class StoreHandler(DicomwebHandler):
    """Store instances, of any study or only of the one that the path names."""

    actions: ClassVar = {**DicomwebHandler.actions, "POST": Action.STORE}

    def check(self) -> None:
        """Look at the type of the body before its first byte."""
        self._current: Arrival | None = None
        self._count = 0
        self._under_way: deque[Arrival] = deque()
        self._results: list[Result] = []
        self._events: Callable[[bytes], Iterator[Event]] | None = None
        self._reader: MultipartReader | None = None
        self._parts: BulkParts | None = None
        super().check()
        if self.request.method == "POST":
            self.face = "stow"
            self._form = choose(self.accepted())
            self._choose(parse_media_type(self.request.headers.get("Content-Type", "")))

    @property
    def max_body_now(self) -> int:
        """As large as the settings allow."""
        return self.context.settings.http.max_body

    def _choose(self, media: MediaType) -> None:
        if media.name == _DICOM:
            self._begin()
            return
        inner = media.get("type", _DICOM).lower()
        multipart = media.name in ("multipart/related", "multipart/mixed")
        kind = inner if multipart else media.name
        if not (multipart and kind == _DICOM) and kind not in (DICOM_JSON, DICOM_XML):
            raise UnsupportedMedia(
                f"Instances are stored as {_DICOM}, not {media.get('type') or media.name or 'nothing'}",
                hint='Content-Type: multipart/related; type="application/dicom"; boundary=...',
            )
        if multipart:
            self._reader = MultipartReader(media.get("boundary"))
            self._events = self._reader.feed
        if kind != _DICOM:
            self._parts = BulkParts(self.context, kind, self.context.settings.dicomweb.store_instances)
            if not multipart:
                self._parts.begin({})
                self._events = lambda chunk: iter([PartData(chunk)])

    def receive(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand on what arrived; hold the sender back while the disk or the index is behind."""
        if self._events is not None:
            events = self._events(chunk)
            return self._use(events) if self._parts is None else self._parts.take(events)
        if self._current is not None:
            self._current.feed(chunk)
        return self._wait() if self._behind else None

    def _use(self, events: Iterator[Event]) -> Awaitable[None] | None:
        """Take events until there are no more, or until disk and index have to come after first."""
        for event in events:
            self._take(event)
            if self._behind:
                return self._go_on(events)
        return None

    async def _go_on(self, events: Iterator[Event]) -> None:
        await self._wait()
        for event in events:
            self._take(event)
            if self._behind:
                await self._wait()

    @property
    def _behind(self) -> bool:
        backlog = 0 if self._current is None else self._current.reception.backlog
        return backlog > _BACKLOG or len(self._under_way) > _UNDER_WAY

    def _take(self, event: Event) -> None:
        if isinstance(event, PartStart):
            kind = parse_media_type(event.headers.get("content-type", _DICOM)).name
            if kind in (_DICOM, "application/octet-stream"):
                self._begin()
            else:
                self._count += 1
                self._results.append(failure(UnsupportedMedia(f"A part is {kind[:60]}, not {_DICOM}")))
        elif self._current is None:
            return
        elif isinstance(event, PartData):
            self._current.feed(bytes(event.data))
        elif isinstance(event, PartEnd):
            self._end()

    def _begin(self) -> None:
        self._count += 1
        most = self.context.settings.dicomweb.store_instances
        if self._count > most:
            raise TooLarge(
                f"One request stores at most {most} instances",
                hint="send them in several requests; what came before is stored",
            )
        origin = Origin(self.identity.name, self.dataset_name, self.request.remote_ip or "")
        self._current = Arrival(self.dataset().receive(origin, study=self.target.study or None))

    def _end(self) -> None:
        if self._current is not None:
            self._current.finish()
            self._under_way.append(self._current)
            self._current = None

    async def _wait(self) -> None:
        if self._current is not None:
            await self._current.reception.drained()
        while len(self._under_way) > _UNDER_WAY:
            self._results.append(await self._under_way.popleft().result())

    async def post(self, **_path: str) -> None:
        """The body is over: wait for what is under way, and answer with the result of each instance."""
        try:
            last = self._reader.finish() if self._reader is not None else iter(())
            if self._parts is not None:
                await self._parts.take(last)
                await self._assemble(self._parts)
            else:
                for event in last:
                    self._take(event)
            self._end()
        except BadRequest as error:
            self._abort()
            self._results.append(failure(error))
        while self._under_way:
            self._results.append(await self._under_way.popleft().result())
        if not self._results:
            raise BadRequest("The body holds no instance")
        status, body = await self.context.short(self._told)
        self.set_status(status)
        self.set_header("Content-Type", DICOM_XML if self._form.multipart else self._form.content_type)
        self.write(body)

    def _told(self) -> tuple[int, bytes]:
        status, module = answer(self._results, self.root)
        if self._form.multipart:
            return status, to_xml(module)
        return status, json.dumps(module, ensure_ascii=False, separators=(",", ":")).encode()

    async def _assemble(self, parts: BulkParts) -> None:
        """Store the instances that metadata and bulk data are."""
        for document in await parts.finish():
            path = await self.context.short(scratch_file, self.context)
            try:
                bulk = {place.uri: found for place in bulk_places(document) if (found := parts.of(place.uri))}
                await self.context.compute(assemble, document, bulk, parts.path, str(path))
                await self._store_file(path)
            except UnreadableObject as error:
                self._results.append(failure(error, *map(_uid, (document, document), _IDENTITY)))
            finally:
                await self.context.short(path.unlink)

    async def _store_file(self, path: Path) -> None:
        self._begin()
        with open(path, "rb") as file:
            while piece := await self.context.short(file.read, _BACKLOG // 4):
                assert self._current is not None
                self._current.feed(piece)
                await self._current.reception.drained()
        self._end()
        await self._wait()

    def refuse(self, error: Exception) -> None:
        """A body that cannot be read on: nothing of the instance under way stays."""
        self._abort()
        super().refuse(error)

    def on_connection_close(self) -> None:
        """The sender went away in the middle of an instance."""
        super().on_connection_close()
        self._abort()

    def on_finish(self) -> None:
        """Nothing of the parts stays."""
        super().on_finish()
        self._drop_parts()

    def _drop_parts(self) -> None:
        if self._parts is not None:
            self._parts.close()

    def _abort(self) -> None:
        self._drop_parts()
        if self._current is not None:
            self._current.reception.abort()
            self._current = None


def _uid(document: dict[str, Any], tag: str) -> str:
    """A UID of a data set in the DICOM JSON model, empty where it has none."""
    element = document.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""
