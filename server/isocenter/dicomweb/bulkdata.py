"""WADO-RS bulk data (PS3.18 10.4.1.1.5): the value of one element, by the URI that our metadata gives.

The URI names the offset of the value in the stored object, and only offsets where its header has a value are
answered. Values are little endian. Compressed Pixel Data is answered as its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from isocenter.dicom import uids
from isocenter.dicom.header import Element, Header, read_header
from isocenter.dicomweb.conversion import converted
from isocenter.dicomweb.frames import FrameSender
from isocenter.dicomweb.media import MULTIPART, OCTETS, wanted_forms
from isocenter.dicomweb.paths import INSTANCE, ROOT
from isocenter.errors import BadRequest, NotAcceptable, NotFound
from isocenter.http.multipart import MultipartWriter
from isocenter.http.ranges import parse_range
from isocenter.http.stream import read_segments, send_pieces

Path = tuple[tuple[int, int], ...]
"""Where an element is: tag and item number of each sequence it is in, then its own tag."""


class BulkdataHandler(FrameSender):
    """The value of an element."""

    face = "bulkdata"

    async def get(self, **_path: str) -> None:
        """Send the value at `?offset=`, whole or in a range."""
        offset = _offset(self.get_query_argument("offset", ""))
        instance = await self.instance()
        header = await self.context.short(self.dataset().header, instance)
        pixels = header.pixel_data
        if pixels is not None and pixels.offset == offset:
            if pixels.length is None:
                await self.send_frames(None)
                return
            path: Path = ()
        else:
            path = await self.context.short(_path_to, header, offset)
        if uids.is_big_endian(instance.transfer_syntax) or uids.is_deflated(instance.transfer_syntax):
            async with converted(self.context, instance, uids.EXPLICIT_LITTLE_ENDIAN) as (file, _, _):
                there = read_header(file, transfer_syntax=uids.EXPLICIT_LITTLE_ENDIAN)
                await self._send_value(file, *_place(there, path))
            return
        with await self.context.short(self.context.archive.objects.open, instance.object) as file:
            await self._send_value(file, *_place(header, path))

    head = get

    async def _send_value(self, file: BinaryIO, offset: int, length: int) -> None:
        accepted = self.accepted()
        if not any(form.media_type == OCTETS for form in wanted_forms(accepted, OCTETS)):
            raise NotAcceptable(f"This value is {OCTETS}")
        # Whoever says no more than `*/*` gets the bare value, which can be had in ranges.
        if not any(one.media.name == MULTIPART and one.q for one in accepted):
            await self._send_single(file, offset, length)
            return
        writer = MultipartWriter(OCTETS)
        head = writer.head({"Content-Type": OCTETS})
        self.set_header("Content-Type", writer.content_type)
        self.set_header("Content-Length", str(len(head) + length + len(writer.tail())))
        if self.request.method != "HEAD":
            self.write(head)
            await send_pieces(self, read_segments(file, [(offset, length)]))
            self.write(writer.tail())

    async def _send_single(self, file: BinaryIO, offset: int, length: int) -> None:
        wanted = parse_range(self.request.headers.get("Range"), length)
        if wanted is not None:
            self.set_status(206)
            self.set_header("Content-Range", wanted.content_range)
            offset, length = offset + wanted.start, wanted.length
        self.set_header("Content-Type", OCTETS)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Length", str(length))
        if self.request.method != "HEAD":
            await send_pieces(self, read_segments(file, [(offset, length)]))


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("Bulk data is named by its offset", hint="take the BulkDataURI from the metadata")
    return int(text)


def _path_to(header: Header, offset: int) -> Path:
    """The path of the element whose value begins at `offset`. NotFound when there is none."""
    for path, element in _values(header.tree(), ()):
        if element.offset == offset and element.length > 0:
            return path
    raise NotFound("No value begins at this offset")


def _values(elements: Iterable[Element], above: Path) -> Iterator[tuple[Path, Element]]:
    for element in elements:
        if element.items is None:
            yield (*above, (element.tag, 0)), element
            continue
        for number, item in enumerate(element.items):
            yield from _values(item, (*above, (element.tag, number)))


def _place(header: Header, path: Path) -> tuple[int, int]:
    """Offset and length of the value at `path` (empty: Pixel Data) in the file of `header`."""
    if not path:
        pixels = header.pixel_data
        if pixels is None or pixels.length is None:
            raise NotFound("There is no Pixel Data")
        return pixels.offset, pixels.length
    elements: list[Element] = header.tree()
    for tag, number in path[:-1]:
        items = next((one.items for one in elements if one.tag == tag and one.items), [])
        elements = items[number]
    found = next(one for one in elements if one.tag == path[-1][0])
    return found.offset, found.length


routes = [(ROOT + INSTANCE + r"/bulkdata", BulkdataHandler)]
