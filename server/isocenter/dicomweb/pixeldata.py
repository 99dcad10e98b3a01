"""WADO-RS pixel data (PS3.18 10.4.1.1.7): all pixels of the instances of a study, a series or an instance.

Uncompressed, the value of an instance is one body or part; compressed, each frame is one; a video is one
stream. Pixel Data inside sequences (icons) is bulk data, and not here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import BinaryIO

from isocenter.dicom import encapsulated, pixels, uids
from isocenter.dicom._windows import reader_of
from isocenter.dicom.header import Header
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.bodies import (
    Body,
    FrameBody,
    MadeBody,
    StoredBody,
    send_body,
    send_parts,
    send_range,
)
from isocenter.dicomweb.frame_files import open_readable
from isocenter.dicomweb.frames import Cut, each_frame, form_of, locate
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.media import OCTETS, FrameForm, Wanted, frame_form, wanted_forms
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY, Target
from isocenter.errors import IsocenterError, NotAcceptable, NotFound
from isocenter.http.closing import ends_with_connection
from isocenter.http.context import Context
from isocenter.http.ranges import ByteRange, if_range, parse_range
from isocenter.index.records import StoredInstance

_WORDS = {16: "OW", 32: "OL", 64: "OV"}


class BodySender(DicomwebHandler):
    """Sends bodies of one instance, or of many as parts; a subclass says which these are."""

    @ends_with_connection
    async def get(self, **path: str) -> None:
        """Send them."""
        one = bool(self.target.instance)
        found = [await self.instance()] if one else await self.instances()
        async with AsyncExitStack() as stack:
            bodies = self._all(found, path, stack)
            stack.push_async_callback(bodies.aclose)
            form, first, instance = await anext(bodies)
            etag = f'"{instance.sha256[:32]}-{self.etag_part(first)}"'
            if not form.multipart:
                await send_body(self, first, etag, instance.received)
                return
            wanted = self._range(first, etag) if one and self.is_only(first) else None
            if wanted is not None:
                await send_range(self, first, wanted, form.media_type)
            else:
                await send_parts(self, _joined(first, bodies), form.media_type)

    head = get

    def is_only(self, first: Body) -> bool:
        """Whether no other body follows the first; frames do."""
        return not isinstance(first, FrameBody)

    def _range(self, body: Body, etag: str) -> ByteRange | None:
        """The range of a value that is asked for."""
        if not if_range(self.request.headers.get("If-Range"), etag):
            return None
        return parse_range(self.request.headers.get("Range"), body.length)

    async def _all(
        self, found: list[StoredInstance], path: dict[str, str], stack: AsyncExitStack
    ) -> AsyncGenerator[tuple[FrameForm, Body, StoredInstance]]:
        """Every body that can be sent, the first before any status goes out.

        Raises:
            IsocenterError: of the first instance, when there is none.
        """
        problem: IsocenterError | None = None
        count = 0
        for instance in found:
            try:
                file, header = await open_readable(self.context, instance)
            except IsocenterError as error:
                problem = problem or error
                continue
            with file:
                bodies = self.bodies(instance, file, header, path)
                try:
                    async for form, body in bodies:
                        count += 1
                        yield form, body, instance
                except (NotAcceptable, NotFound) as error:
                    # All that can be had in what the client takes is sent (PS3.18 10.4.3.3).
                    problem = problem or error
                except CannotTranscode as error:
                    if self._headers_written:
                        raise
                    problem = problem or NotAcceptable(error.message, hint="ask for transfer-syntax=*")
        if not count:
            raise problem or NotFound("There is no such value")

    def bodies(
        self, instance: StoredInstance, file: BinaryIO, header: Header, path: dict[str, str]
    ) -> AsyncIterator[tuple[FrameForm, Body]]:
        """The bodies of one instance, with the form they go in."""
        raise NotImplementedError

    def etag_part(self, body: Body) -> str:
        """What tells a body from others of the same object."""
        return f"{body.location.rpartition('/')[2]}-{body.content_type.rpartition('=')[2]}".replace('"', "")

    def url_of(self, instance: StoredInstance) -> str:
        """The URL of an instance as the client sees it."""
        uids = instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID
        return self.root + Target(*uids).path


async def _joined(
    first: Body, rest: AsyncIterator[tuple[FrameForm, Body, StoredInstance]]
) -> AsyncIterator[Body]:
    yield first
    async for _, body, _ in rest:
        yield body


class PixelDataHandler(BodySender):
    """The pixel data of what the path names."""

    face = "pixeldata"

    async def bodies(
        self, instance: StoredInstance, file: BinaryIO, header: Header, path: dict[str, str]
    ) -> AsyncIterator[tuple[FrameForm, Body]]:
        """Those of one instance."""
        forms = wanted_forms(self.accepted(), OCTETS)
        if not self.target.instance:
            forms = [form for form in forms if form.multipart]
        async for form, body in pixel_bodies(
            self.context, instance, file, header, forms, self.url_of(instance)
        ):
            yield form, body


async def pixel_bodies(
    context: Context, instance: StoredInstance, file: BinaryIO, header: Header, forms: list[Wanted], url: str
) -> AsyncIterator[tuple[FrameForm, Body]]:
    """The pixel data of an instance in the first form that it can be sent in.

    Args:
        context: of the server.
        instance: it.
        file: its object, or its inflated data set.
        header: of that file.
        forms: what the client takes, best first.
        url: of the instance.

    Raises:
        NotFound: it has no pixel data.
        NotAcceptable: not in these forms.
        CannotTranscode: a frame is damaged.
    """
    found = header.pixel_data
    if found is None:
        raise NotFound("The instance has no Pixel Data")
    location = f"{url}/bulkdata?offset={found.offset}"
    if uids.is_video(instance.transfer_syntax):
        form = frame_form(instance.transfer_syntax, forms, count=1)
        read = reader_of(file)
        segments = await context.short(encapsulated.stream, read, found.offset)
        yield form, StoredBody(file, segments, location, form.content_type)
        return
    if found.length is not None:
        plain = _native_form(instance, forms)
        if plain is not None:
            yield plain, _native(file, header, location, plain.content_type)
            return
    located = await context.short(locate, context, instance, file)
    count = located.table.count
    form = form_of(instance, located, forms, count, whole=True)
    cut = Cut(instance, file, located, form, range(1, count + 1), None)
    if form.media_type == OCTETS and form.transfer_syntax == uids.EXPLICIT_LITTLE_ENDIAN:
        first = await anext(each_frame(context, replace(cut, numbers=[1])))
        if count > 1 and located.image.bits % 8:
            raise NotAcceptable("Frames of single bits are not joined: ask for them one by one")
        yield form, MadeBody(cut, len(first), location)
        return
    number = 0
    async for frame in each_frame(context, cut):
        number += 1
        yield form, FrameBody(frame, form.content_type, f"{url}/frames/{number}")


def _native_form(instance: StoredInstance, forms: list[Wanted]) -> FrameForm | None:
    """The form of an uncompressed value; None when frames have to be encoded."""
    try:
        return frame_form(instance.transfer_syntax, forms, count=1)
    except NotAcceptable:
        return None


def _native(file: BinaryIO, header: Header, location: str, content_type: str) -> StoredBody:
    found = header.pixel_data
    assert found is not None
    assert found.length is not None
    vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(found.tag, found.vr)
    big = uids.is_big_endian(header.transfer_syntax)
    if big and vr == "OW":
        vr = _WORDS.get(pixels.describe(header).bits_allocated, "OW")
    segments = [(found.offset, found.length)]
    return StoredBody(file, segments, location, content_type, vr=vr, big_endian=big)


routes = [(ROOT + path + r"/pixeldata", PixelDataHandler) for path in (STUDY, SERIES, INSTANCE)]
