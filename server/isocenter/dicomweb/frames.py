"""WADO-RS frames (PS3.18 10.4.1.1.6): one or several frames of an instance, as stored or uncompressed.

A stored frame is read by its recorded byte ranges, found once and kept while the object is in use. An
uncompressed one of a compressed object is cut from the object converted to Explicit VR Little Endian.
Not here: rendered frames, and transcodes that are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import BinaryIO

from isocenter import metrics
from isocenter.dicom import frames, uids
from isocenter.dicom.frames import FrameTable
from isocenter.dicom.header import read_header
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.conversion import converted
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.media import OCTETS, FrameForm, frame_form, wanted_forms
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

    def of(self, context: Context, instance: StoredInstance) -> FrameTable:
        """The table of an object; reads its header the first time. Raises NoFrames."""
        with self._mutex:
            found = self._tables.get(instance.object)
            if found is not None:
                self._tables.move_to_end(instance.object)
                return found
        with context.archive.objects.open(instance.object) as file:
            made = frames.locate(file, read_header(file))
        with self._mutex:
            self._tables[instance.object] = made
            while len(self._tables) > self._most:
                self._tables.popitem(last=False)
        return made


_tables = FrameTables()


class FrameSender(DicomwebHandler):
    """Can send frames of an instance."""

    async def send_frames(self, instance: StoredInstance, numbers: list[int] | None) -> None:
        """Send frames of an instance, all when `numbers` is None.

        Raises:
            NotAcceptable: not in a form that the client takes, or not to be cut into frames.
            NotFound: there is no such frame.
        """
        stored = instance.transfer_syntax
        form = frame_form(stored, wanted_forms(self.accepted(), OCTETS), count=len(numbers or (1, 2)))
        async with AsyncExitStack() as stack:
            if form.decode or uids.is_big_endian(stored) or uids.is_deflated(stored):
                file = await stack.enter_async_context(_explicit(self.context, instance))
                table = await self.context.short(_table_of_converted, file)
            else:
                table = await self.context.short(_tables.of, self.context, instance)
                file = await self.context.short(self.context.archive.objects.open, instance.object)
                stack.callback(file.close)
            numbers = numbers or list(range(1, table.count + 1))
            if (beyond := max(numbers)) > table.count:
                raise NotFound(f"There is no frame {beyond}", hint=f"frames are 1 to {table.count}")
            await self._send(file, table, numbers, form)

    async def _send(self, file: BinaryIO, table: FrameTable, numbers: list[int], form: FrameForm) -> None:
        writer = MultipartWriter(form.media_type) if form.multipart else None
        self.set_header("Content-Type", writer.content_type if writer else form.content_type)
        # The first frame is read before the status goes out: a damaged object is an error, not a cut answer.
        data = await self.context.short(_read, file, table, numbers[0])
        sent = 0
        for place, number in enumerate(numbers):
            if place:
                data = await self.context.short(_read, file, table, number)
            if writer:
                self.write(writer.head({"Content-Type": form.content_type}))
            self.write(data)
            sent += len(data)
            if len(numbers) > 1:
                await self.flush()
        if writer:
            self.write(writer.tail())
        metrics.bytes_sent.labels(self.face).inc(sent)


class FramesHandler(FrameSender):
    """Frames of an instance by their numbers, from 1."""

    face = "frames"

    async def get(self, frames: str, **_path: str) -> None:
        """Send the frames asked for, in the order asked for."""
        await self.send_frames(await self.instance(), frame_numbers(frames))

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


def _table_of_converted(file: BinaryIO) -> FrameTable:
    header = read_header(file, transfer_syntax=uids.EXPLICIT_LITTLE_ENDIAN)
    return frames.locate(file, header)


def _read(file: BinaryIO, table: FrameTable, number: int) -> bytes:
    """One frame, in little endian."""
    return frames.read(file, table.frame(number))


routes = [(ROOT + INSTANCE + r"/frames/(?P<frames>[^/]+)", FramesHandler)]
