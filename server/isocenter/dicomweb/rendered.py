"""WADO-RS rendered resources (PS3.18 10.4.1.1.3): studies, series, instances and frames to be looked at.

One body where one thing is asked for, a multipart answer for several. A multi-frame image as a single still
picture is the frame that stands for it, with a Warning. A part that cannot be rendered is left out; each part
tells where it is (Content-Location). Not here: thumbnails, WADO-URI.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import BinaryIO

from isocenter import metrics
from isocenter.dicom.levels import Level
from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import CannotRender, View, no_encoder
from isocenter.dicomweb.bodies import StoredBody
from isocenter.dicomweb.contents import HTML, MP4, SINGLE, Content, Contents, Kind
from isocenter.dicomweb.frames import frame_numbers
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY
from isocenter.dicomweb.pictures import (
    Picture,
    gif_pieces,
    open_picture,
    open_stored,
    pictures_of,
    representative,
    size_of,
)
from isocenter.dicomweb.viewing import Asked, Form, form_of, not_acceptable, parse_rendered
from isocenter.errors import IsocenterError, NotAcceptable, NotFound, UnreadableObject
from isocenter.http.closing import ends_with_connection
from isocenter.http.conditional import not_modified, tell_range, tell_representation
from isocenter.http.multipart import MultipartWriter
from isocenter.http.stream import read_segments, send_pieces
from isocenter.index.records import StoredInstance

# What was received may hold scripts, and a browser would run them in our name.
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
_READ = frozenset({HTML, "text/xml", "application/xml", "image/svg+xml", "application/xhtml+xml"})


class PictureSender(DicomwebHandler):
    """Can send rendered forms, alone or as parts."""

    face = "rendered"

    def query(self) -> dict[str, list[str]]:
        """The query parameters, name to values."""
        return {name: self.get_query_arguments(name) for name in self.request.query_arguments}

    def tell(self, asked: Asked) -> None:
        """Add the warnings of a request."""
        for warning in asked.warnings:
            self.warn(warning)

    async def content(self, instance: StoredInstance) -> Content:
        """What an instance is."""
        return await self.context.short(self.context.shared(Contents).of, self.dataset(), instance)

    async def send_picture(self, picture: Picture, view: View) -> None:
        """Send one form as the only body: 200, 206, 304.

        Raises:
            CannotRender: it cannot be shown so.
        """
        if picture.stands_for_others:
            self.warn(f"This is one of {picture.content.frames} frames: ask for /frames/N/rendered")
        etag = picture.etag(view)
        tell_representation(self, etag, picture.instance.received)
        if not_modified(self):
            return
        if picture.in_pieces:
            self.set_header("Content-Type", picture.content_type)
            if self.request.method != "HEAD":
                await self._send_gif(gif_pieces(self.context, picture, view))
            return
        file, segments = await self._opened(picture, view)
        with file:
            await self.send_open(file, segments, picture.content_type, etag)

    async def _send_gif(self, pieces: AsyncGenerator[BinaryIO], before: bytes = b"") -> None:
        """Send an animated GIF as it is made, behind the headers of its part."""
        async with aclosing(pieces):
            async for file in pieces:
                with file:
                    self.write(before)
                    before = b""
                    await send_pieces(self, read_segments(file, [(0, size_of(file))]))
        self.write(work.GIF_END)

    async def send_open(
        self, file: BinaryIO, segments: Sequence[tuple[int, int]], content_type: str, etag: str | None
    ) -> None:
        """Send segments of an open file, or one range of them."""
        self.set_header("Content-Type", content_type)
        if content_type.partition(";")[0] in _READ:
            self.set_header("Content-Security-Policy", _SANDBOX)
        body = StoredBody(file, segments, "", content_type)
        start, length = tell_range(self, body.length, etag)
        if self.request.method != "HEAD":
            async for piece in body.pieces(self.context, start, length):
                self.write(piece)
                await self.flush()
                metrics.bytes_sent.labels(self.face).inc(len(piece))

    async def send_parts(self, pictures: Iterator[Picture], view: View) -> None:
        """Send several forms as parts. The first is made before the status goes out.

        Raises:
            NotAcceptable: not one of them can be shown.
        """
        writer: MultipartWriter | None = None
        refused: IsocenterError | None = None
        while picture := await self.context.short(next, pictures, None):
            made = writer or MultipartWriter(picture.media_type)
            try:
                await self._send_part(picture, view, made)
            except (NotAcceptable, UnreadableObject) as error:
                refused = refused or error
                continue
            writer = made
        if writer is None:
            raise refused or CannotRender("No image that this is for is stored here")
        self.write(writer.tail())

    async def _send_part(self, picture: Picture, view: View, writer: MultipartWriter) -> None:
        """Send one part; nothing is written of one that cannot be rendered."""
        headers = {"Content-Type": picture.content_type, "Content-Location": picture.location(self.root)}
        if picture.in_pieces:
            pieces = gif_pieces(self.context, picture, view)
            first = await anext(pieces)
            self._begin(writer)
            await self._send_gif(_with(first, pieces), writer.head(headers))
            return
        file, segments = await self._opened(picture, view)
        with file:
            self._begin(writer)
            self.write(writer.head(headers))
            await send_pieces(self, read_segments(file, segments))

    def _begin(self, writer: MultipartWriter) -> None:
        """Tell the type of the answer, before its first part."""
        if not self._headers_written:
            self.set_header("Content-Type", writer.content_type)

    async def _opened(self, picture: Picture, view: View) -> tuple[BinaryIO, Sequence[tuple[int, int]]]:
        if picture.as_stored:
            return await open_stored(self.context, picture)
        file = await open_picture(self.context, picture, view)
        return file, [(0, size_of(file))]


class RenderedHandler(PictureSender):
    """A study, series or instance as pictures, documents or text."""

    @ends_with_connection
    async def get(self, **_path: str) -> None:
        """Send it rendered."""
        asked, form = parse_rendered(self.query()), form_of(self.accepted())
        self.tell(asked)
        if self.target.level is Level.INSTANCE:
            instance = await self.instance()
        else:
            found = await self.instances()
            if form.parts:
                await self._send_many(found, form, asked.view)
                return
            # Clients that take one body only: what stands for all.
            instance = representative(found)
            if len(found) > 1:
                self.warn(f"This is one of {len(found)} instances: ask for multipart/related")
        content = await self.content(instance)
        media_type = form.single(content.offers)
        if media_type is None or form.prefers_parts(content.offers):
            await self._send_many([instance], form, asked.view)
            return
        first = await self.context.short(self._first, instance, media_type)
        await self.send_picture(first, asked.view)

    head = get

    def _first(self, instance: StoredInstance, media_type: str) -> Picture:
        contents = self.context.shared(Contents)
        for picture in pictures_of(self.dataset(), contents, instance, media_type, whole=True):
            return picture
        raise CannotRender("No image that this presentation state is for is stored here")

    async def _send_many(self, found: Sequence[StoredInstance], form: Form, view: View) -> None:
        chosen = await self.context.long(self._chosen, found, form)
        self.add_header("Vary", "Accept")
        if len(chosen) < len(found):
            self.set_status(206)
            self.warn(f"{len(found) - len(chosen)} instances have no rendered form that Accept names")
        await self.send_parts(self._pictures(chosen), view)

    def _chosen(self, found: Sequence[StoredInstance], form: Form) -> list[tuple[StoredInstance, str]]:
        """The instances that can be sent as parts, and their media types."""
        offers = [self._offers(one) for one in found]
        chosen = [(one, kind) for one, offer in zip(found, offers, strict=True) if (kind := form.part(offer))]
        if not chosen:
            if any(one.media.name == MP4 for one in (*form.alone, *form.parts)):
                raise no_encoder()
            raise not_acceptable(list(itertools.chain(*offers)), several=len(found) > 1)
        return chosen

    def _offers(self, instance: StoredInstance) -> tuple[str, ...]:
        try:
            return self.context.shared(Contents).of(self.dataset(), instance).offers
        except UnreadableObject:
            return ()  # one damaged object does not hide the others

    def _pictures(self, chosen: Sequence[tuple[StoredInstance, str]]) -> Iterator[Picture]:
        contents, dataset = self.context.shared(Contents), self.dataset()
        for instance, media_type in chosen:
            yield from pictures_of(dataset, contents, instance, media_type, whole=False)


class RenderedFramesHandler(PictureSender):
    """Frames of an instance as pictures, by their numbers from 1."""

    @ends_with_connection
    async def get(self, frames: str, **_path: str) -> None:
        """Send them rendered."""
        numbers = frame_numbers(frames)
        asked, form = parse_rendered(self.query()), form_of(self.accepted())
        self.tell(asked)
        instance = await self.instance()
        content = await self.content(instance)
        check_frames(content, numbers)
        if len(numbers) == 1 and not form.prefers_parts(SINGLE):
            media_type = form.single(SINGLE)
            if media_type is None:
                raise not_acceptable(SINGLE, several=False)
            await self.send_picture(Picture(instance, content, media_type, numbers[0]), asked.view)
            return
        media_type = form.part(SINGLE)
        if media_type is None:
            raise not_acceptable(SINGLE, several=True)
        self.add_header("Vary", "Accept")
        await self.send_parts(
            (Picture(instance, content, media_type, number) for number in numbers), asked.view
        )

    head = get


async def _with(first: BinaryIO, others: AsyncGenerator[BinaryIO]) -> AsyncGenerator[BinaryIO]:
    """All of a generator whose first is there already."""
    yield first
    async with aclosing(others):
        async for other in others:
            yield other


def check_frames(content: Content, numbers: Sequence[int]) -> None:
    """Raises NotFound when the instance has not all of these frames."""
    if content.kind is not Kind.IMAGE:
        raise NotFound(f"This {content.kind.value} has no frames", hint="ask for /rendered of the instance")
    if (beyond := max(numbers)) > content.frames:
        raise NotFound(f"There is no frame {beyond}", hint=f"frames are 1 to {content.frames}")


routes = [
    *((ROOT + path + r"/rendered", RenderedHandler) for path in (STUDY, SERIES, INSTANCE)),
    (ROOT + INSTANCE + r"/frames/(?P<frames>[^/]+)/rendered", RenderedFramesHandler),
]
