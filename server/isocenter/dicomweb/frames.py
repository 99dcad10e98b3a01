"""WADO-RS frames (PS3.18 10.4.1.1.6): one or several frames of an instance, stored, decoded or encoded.

Every frame is handled alone: the object is never converted for it. The first one is ready before the status
goes out, so that a damaged object is an error and not a cut answer; the next is made while one is sent.
Not here: rendered frames, all frames as one value (`pixeldata`), where frames are (`frame_files`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

from isocenter import metrics
from isocenter.dicom import compress, frames, pixels, uids
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.frame_files import FrameTables, Located, made_frame, open_inflated
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.lookup import InstanceLookup
from isocenter.dicomweb.media import ANY, OCTETS, FrameForm, Wanted, frame_form, wanted_forms
from isocenter.dicomweb.paths import INSTANCE, ROOT
from isocenter.errors import BadRequest, NotAcceptable, NotFound
from isocenter.http.closing import closed_on_error, ends_with_connection
from isocenter.http.conditional import not_modified, tell_representation
from isocenter.http.context import Context
from isocenter.http.multipart import MultipartWriter
from isocenter.index.records import StoredInstance

_MOST_FRAMES = 100_000


@dataclass(frozen=True)
class Cut:
    """An open object and its frames; `first` is the first that is asked for, when it is sent as stored."""

    instance: StoredInstance
    file: BinaryIO
    located: Located
    form: FrameForm
    numbers: Sequence[int]
    first: bytes | None

    def close(self) -> None:
        """Close the object."""
        self.file.close()

    @property
    def etag(self) -> str:
        """Of a single body."""
        numbers = ",".join(map(str, self.numbers))
        return f'"{self.instance.sha256[:32]}-{numbers}-{self.form.transfer_syntax}"'


class FramesHandler(DicomwebHandler):
    """Frames of an instance by their numbers, from 1."""

    face = "frames"

    @ends_with_connection
    async def get(self, frames: str, **_path: str) -> None:
        """Send the frames asked for, in the order asked for."""
        numbers = frame_numbers(frames)
        forms = wanted_forms(self.accepted(), OCTETS)
        cut = await self._cut(forms, numbers)
        try:
            with cut.file:
                await self._send(cut)
        except CannotTranscode as error:
            await self._send_stored(cut, forms, error)

    head = get

    async def _send_stored(self, cut: Cut, forms: list[Wanted], error: CannotTranscode) -> None:
        """What cannot be decoded goes as it is stored, to who takes that.

        Raises:
            NotAcceptable: the client does not.
            CannotTranscode: the answer has begun.
        """
        if self._headers_written:
            raise error
        stored = cut.instance.transfer_syntax
        hint = f"it is stored in transfer syntax {stored}: ask for transfer-syntax=*"
        try:
            other = await self._cut([form for form in forms if form.transfer_syntax == ANY], cut.numbers)
        except NotAcceptable:
            raise NotAcceptable(error.message, hint=hint) from error
        with other.file:
            if other.form.work != "stored":
                raise NotAcceptable(error.message, hint=hint) from error
            await self._send(other)

    async def _cut(self, forms: list[Wanted], numbers: Sequence[int]) -> Cut:
        """All that comes before the first frame is made, in one thread."""
        found = await self.context.short(self._begin, forms, numbers)
        if isinstance(found, Cut):
            return found
        file = await open_inflated(self.context, found)
        with closed_on_error(file):
            return await self.context.short(self._begin_in, file, found, forms, numbers)

    def _begin(self, forms: list[Wanted], numbers: Sequence[int]) -> Cut | StoredInstance:
        instance = self.context.shared(InstanceLookup).of(self.dataset(), self.target)
        if uids.is_deflated(instance.transfer_syntax):
            return instance
        return self._begin_in(self.context.archive.objects.open(instance.object), instance, forms, numbers)

    def _begin_in(
        self, file: BinaryIO, instance: StoredInstance, forms: list[Wanted], numbers: Sequence[int]
    ) -> Cut:
        try:
            located = locate(self.context, instance, file)
            form = form_of(instance, located, forms, len(numbers))
            check_numbers(located, numbers)
            first = read_stored(file, located, form, numbers[0]) if form.work == "stored" else None
            return Cut(instance, file, located, form, numbers, first)
        except BaseException:
            file.close()
            raise

    async def _send(self, cut: Cut) -> None:
        form = cut.form
        tell_representation(self, cut.etag if not form.multipart else None, cut.instance.received)
        if not form.multipart and not_modified(self):
            return
        writer = MultipartWriter(form.media_type) if form.multipart else None
        async with aclosing(each_frame(self.context, cut)) as made:
            first = await anext(made)
            self.set_header("Content-Type", writer.content_type if writer else form.content_type)
            if len(cut.numbers) == 1:
                around = len(writer.head(_headers(cut))) + len(writer.tail()) if writer else 0
                self.set_header("Content-Length", str(around + len(first)))
                writer = writer.again() if writer else None
            if self.request.method == "HEAD":
                await self.flush()
                return
            sent = await self._send_frame(writer, cut, first)
            async for frame in made:
                sent += await self._send_frame(writer, cut, frame)
        if writer:
            self.write(writer.tail())
        metrics.bytes_sent.labels(self.face).inc(sent)

    async def _send_frame(self, writer: MultipartWriter | None, cut: Cut, frame: bytes) -> int:
        if writer:
            self.write(writer.head(_headers(cut)))
            self.flush()  # apart from the frame, which would be copied to be joined to it
        self.write(frame)
        await self.flush()
        return len(frame)


def _headers(cut: Cut) -> dict[str, str]:
    return {"Content-Type": cut.form.content_type}


def locate(context: Context, instance: StoredInstance, file: BinaryIO) -> Located:
    """The pixels of the instance in `file`, its object or inflated data set; may block.

    Raises:
        NotAcceptable: it has no frames.
    """
    plain = uids.EXPLICIT_LITTLE_ENDIAN if uids.is_deflated(instance.transfer_syntax) else None
    try:
        return context.shared(FrameTables).of(instance.object, file, plain)
    except CannotTranscode as error:
        raise NotAcceptable(error.message) from error


def form_of(
    instance: StoredInstance, located: Located, forms: list[Wanted], count: int, *, whole: bool = False
) -> FrameForm:
    """The form in which frames of the instance go. Raises NotAcceptable."""

    def reach(wanted: str) -> bool:
        return compress.reach(located.image, wanted)

    return frame_form(instance.transfer_syntax, forms, count=count, reach=reach, whole=whole)


def check_numbers(located: Located, numbers: Sequence[int]) -> None:
    """Raises NotFound when the object has not all these frames."""
    count = located.table.count
    if (beyond := max(numbers)) > count:
        raise NotFound(f"There is no frame {beyond}", hint=f"frames are 1 to {count}")


def read_stored(file: BinaryIO, located: Located, form: FrameForm, number: int) -> bytes:
    """A frame that needs no decoder: as stored, or as Explicit VR Little Endian has it."""
    frame = located.table.frame(number)
    if form.transfer_syntax == located.image.transfer_syntax:
        return frames.read(file, frame)
    return pixels.read(file, located.image, frame)


async def each_frame(context: Context, cut: Cut) -> AsyncGenerator[bytes]:
    """The frames of a cut in order; the next one is begun before one is handed out."""
    ahead: asyncio.Future[bytes] | None = None
    try:
        for place, number in enumerate(cut.numbers):
            if place == 0 and cut.first is not None:
                frame = cut.first
            else:
                frame = await (ahead or _frame(context, cut, number))
            more = place + 1 < len(cut.numbers) and cut.form.work != "stored"
            ahead = asyncio.ensure_future(_frame(context, cut, cut.numbers[place + 1])) if more else None
            yield frame
    finally:
        if ahead is not None and not ahead.done():
            ahead.cancel()
        elif ahead is not None and not ahead.cancelled():
            ahead.exception()  # nobody is left to be told


async def _frame(context: Context, cut: Cut, number: int) -> bytes:
    if cut.form.work == "stored":
        return await context.short(read_stored, cut.file, cut.located, cut.form, number)
    return await made_frame(context, cut.instance, cut.located, number, cut.form.transfer_syntax)


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


routes = [(ROOT + INSTANCE + r"/frames/(?P<frames>[^/]+)", FramesHandler)]
