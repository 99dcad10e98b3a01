"""WADO-RS frames (PS3.18 10.4.1.1.6): one or several frames of an instance, as stored or uncompressed.

A stored frame is read by its recorded byte ranges, found once and kept while the object is in use. An
uncompressed one of a compressed object is cut from the object converted to Explicit VR Little Endian.
Not here: rendered frames, and transcodes that are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from isocenter import metrics
from isocenter.dicom import frames, uids
from isocenter.dicom.frames import FrameTable
from isocenter.dicom.header import read_header
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.conversion import converted
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.lookup import InstanceLookup
from isocenter.dicomweb.media import OCTETS, FrameForm, Wanted, frame_form, wanted_forms
from isocenter.dicomweb.paths import INSTANCE, ROOT
from isocenter.errors import BadRequest, NotAcceptable, NotFound
from isocenter.http.context import Context
from isocenter.http.multipart import MultipartWriter
from isocenter.index.records import StoredInstance

_MOST_FRAMES = 100_000
_TABLES = 512


class FrameTables:
    """Where the frames of objects are: objects never change, so what was found once holds for ever."""

    def __init__(self, most: int = _TABLES) -> None:
        self._most = most
        self._mutex = threading.Lock()
        self._tables: OrderedDict[str, FrameTable] = OrderedDict()

    def of(self, path: str, file: BinaryIO) -> FrameTable:
        """The table of the object at `path`, read from `file` the first time. Raises NoFrames."""
        with self._mutex:
            found = self._tables.get(path)
            if found is not None:
                self._tables.move_to_end(path)
                return found
        made = frames.locate(file, read_header(file))
        with self._mutex:
            self._tables[path] = made
            while len(self._tables) > self._most:
                self._tables.popitem(last=False)
        return made


@dataclass(frozen=True)
class Cut:
    """An open file, the frames of it that are asked for, and the first of them, which was read already."""

    file: BinaryIO
    table: FrameTable
    numbers: list[int]
    first: bytes


class FrameSender(DicomwebHandler):
    """Can send frames of the instance that the path names."""

    async def send_frames(self, numbers: list[int] | None) -> None:
        """Send frames, all when `numbers` is None.

        Raises:
            NotAcceptable: not in a form that the client takes, or not to be cut into frames.
            NotFound: there is no such instance or frame.
        """
        forms = wanted_forms(self.accepted(), OCTETS)
        instance, form, cut = await self.context.short(self._begin, forms, numbers)
        if cut is not None:
            with cut.file:
                await self._send(cut, form)
            return
        async with _explicit(self.context, instance) as file:
            await self._send(await self.context.short(_cut_converted, file, numbers), form)

    def _begin(
        self, forms: list[Wanted], numbers: list[int] | None
    ) -> tuple[StoredInstance, FrameForm, Cut | None]:
        """All that comes before the status, in one thread; no `Cut` where a conversion comes first."""
        instance = self.context.shared(InstanceLookup).of(self.dataset(), self.target)
        stored = instance.transfer_syntax
        form = frame_form(stored, forms, count=len(numbers or (1, 2)))
        if form.decode or uids.is_big_endian(stored) or uids.is_deflated(stored):
            return instance, form, None
        file = self.context.archive.objects.open(instance.object)
        try:
            table = self.context.shared(FrameTables).of(instance.object, file)
            return instance, form, _cut(file, table, numbers)
        except BaseException:
            file.close()
            raise

    async def _send(self, cut: Cut, form: FrameForm) -> None:
        writer = MultipartWriter(form.media_type) if form.multipart else None
        self.set_header("Content-Type", writer.content_type if writer else form.content_type)
        headers, tail = {"Content-Type": form.content_type}, writer.tail() if writer else b""
        data, sent = cut.first, 0
        if len(cut.numbers) == 1:
            head = writer.again().head(headers) if writer else b""
            self.set_header("Content-Length", str(len(head) + len(data) + len(tail)))
        for place, number in enumerate(cut.numbers):
            if place:
                data = await self.context.short(frames.read, cut.file, cut.table.frame(number))
            if writer:
                self.write(writer.head(headers))
                self.flush()  # apart from the frame, which would be copied to be joined to it
            self.write(data)
            await self.flush()
            sent += len(data)
        self.write(tail)
        metrics.bytes_sent.labels(self.face).inc(sent)


class FramesHandler(FrameSender):
    """Frames of an instance by their numbers, from 1."""

    face = "frames"

    async def get(self, frames: str, **_path: str) -> None:
        """Send the frames asked for, in the order asked for."""
        await self.send_frames(frame_numbers(frames))

    head = get


def frame_numbers(text: str) -> list[int]:
    """The numbers of a frame list such as `1,2,7`.

    Raises:
        BadRequest: it is none.
    """
    numbers = []
    for part in text.split(","):
        if not (part.isascii() and part.strip().isdecimal() and 0 < len(part.strip()) < 10 and int(part)):
            raise BadRequest(
                f"{part[:20]!r} is no frame number", hint="frames are numbered from 1: /frames/1,2"
            )
        numbers.append(int(part))
    if len(numbers) > _MOST_FRAMES:
        raise BadRequest("Too many frames at once")
    return numbers


@asynccontextmanager
async def _explicit(context: Context, instance: StoredInstance) -> AsyncIterator[BinaryIO]:
    """The data set in Explicit VR Little Endian, in an open file."""
    try:
        async with converted(context, instance, uids.EXPLICIT_LITTLE_ENDIAN) as (file, _, _):
            yield file
    except CannotTranscode as error:
        hint = f"it is stored in transfer syntax {instance.transfer_syntax}: ask for transfer-syntax=*"
        raise NotAcceptable(error.message, hint=hint) from error


def _cut_converted(file: BinaryIO, numbers: list[int] | None) -> Cut:
    header = read_header(file, transfer_syntax=uids.EXPLICIT_LITTLE_ENDIAN)
    return _cut(file, frames.locate(file, header), numbers)


def _cut(file: BinaryIO, table: FrameTable, numbers: list[int] | None) -> Cut:
    """The first frame is read before the status goes out: a damaged object is an error, not a cut answer."""
    wanted = numbers or list(range(1, table.count + 1))
    if (beyond := max(wanted)) > table.count:
        raise NotFound(f"There is no frame {beyond}", hint=f"frames are 1 to {table.count}")
    return Cut(file, table, wanted, frames.read(file, table.frame(wanted[0])))


routes = [(ROOT + INSTANCE + r"/frames/(?P<frames>[^/]+)", FramesHandler)]
