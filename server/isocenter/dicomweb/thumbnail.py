"""WADO-RS thumbnails (PS3.18 10.4.1.1.4): a small picture that stands for a study, series, instance or frame.

Of a study the largest series of images, of a series the instance in the middle, of an instance the frame that
stands for it. What has no picture, or none that can be decoded, gets a card with its modality.
"""

from __future__ import annotations

from isocenter.dicom.levels import Level
from isocenter.dicom.rendering.view import View
from isocenter.dicomweb.contents import SINGLE, Content, Kind
from isocenter.dicomweb.frames import frame_numbers
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY
from isocenter.dicomweb.pictures import Picture, open_icon, representative, size_of
from isocenter.dicomweb.rendered import RenderedHandler, check_frames
from isocenter.dicomweb.viewing import form_of, not_acceptable, parse_thumbnail
from isocenter.errors import BadRequest, NotAcceptable, UnreadableObject
from isocenter.http.closing import ends_with_connection
from isocenter.index.records import StoredInstance


class ThumbnailHandler(RenderedHandler):
    """A small picture of what the path names."""

    face = "thumbnail"

    @ends_with_connection
    async def get(self, frames: str = "", **_path: str) -> None:
        """Send it."""
        asked, form = parse_thumbnail(self.query()), form_of(self.accepted())
        self.tell(asked)
        media_type = form.single(SINGLE)
        if media_type is None:
            raise not_acceptable(SINGLE, several=False)
        one = await self._instance()
        content = await self.content(one)
        if frames:
            numbers = frame_numbers(frames)
            if len(numbers) > 1:
                raise BadRequest("A thumbnail is of one frame", hint="ask for each")
            check_frames(content, numbers)
            await self._send(Picture(one, content, media_type, numbers[0]), asked.view)
        elif content.kind is Kind.IMAGE:
            # Number 1 keeps a GIF of several frames still.
            number = (content.frames + 1) // 2 if content.frames > 1 else None
            await self._send(Picture(one, content, media_type, number), asked.view)
        elif content.kind is Kind.STATE:
            await self._send_state(one, content, media_type, asked.view)
        else:
            await self._send_icon(content, asked.view, media_type)

    head = get

    async def _instance(self) -> StoredInstance:
        if self.target.level is Level.INSTANCE:
            return await self.instance()
        return representative(await self.instances())

    async def _send(self, picture: Picture, view: View) -> None:
        try:
            await self.send_picture(picture, view)
        except (NotAcceptable, UnreadableObject) as error:
            self.warn(error.message)
            await self._send_icon(picture.content, view, picture.media_type)

    async def _send_state(self, state: StoredInstance, content: Content, media_type: str, view: View) -> None:
        try:
            first = await self.context.short(self._first, state, media_type)
        except NotAcceptable as error:
            self.warn(error.message)
            await self._send_icon(content, view, media_type)
            return
        await self._send(first, view)

    async def _send_icon(self, content: Content, view: View, media_type: str) -> None:
        for name in ("ETag", "Last-Modified"):
            self.clear_header(name)
        with await open_icon(self.context, content.label, view, media_type) as file:
            await self.send_open(file, [(0, size_of(file))], media_type, None)


routes = [
    *((ROOT + path + r"/thumbnail", ThumbnailHandler) for path in (STUDY, SERIES, INSTANCE)),
    (ROOT + INSTANCE + r"/frames/(?P<frames>[^/]+)/thumbnail", ThumbnailHandler),
]
