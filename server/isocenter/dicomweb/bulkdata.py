"""WADO-RS bulk data (PS3.18 10.4.1.1.5): values of elements at any depth, by URI, or all of them.

Metadata names a value by its offset in the stored object: `bulkdata?offset=N`, which may be repeated. A
value can also be asked for by its path: `bulkdata/PixelData`, `bulkdata/52009230/1/00480106` (tag or keyword;
items count from 1). Without either, all values that metadata leaves out are sent, of an instance, a series or
a study. Values are little endian; Pixel Data goes as `pixeldata` says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import BinaryIO

from isocenter.dicom.attributes import lookup
from isocenter.dicom.header import Element, Header
from isocenter.dicomweb.bodies import Body, StoredBody
from isocenter.dicomweb.media import MULTIPART, OCTETS, FrameForm, Wanted, wanted_forms
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY
from isocenter.dicomweb.pixeldata import BodySender, pixel_bodies
from isocenter.errors import BadRequest, NotAcceptable, NotFound, UnknownAttribute
from isocenter.index.records import StoredInstance

_MOST = 1000


class BulkdataHandler(BodySender):
    """The value of an element, of several, or all that metadata leaves out."""

    face = "bulkdata"

    async def bodies(
        self, instance: StoredInstance, file: BinaryIO, header: Header, path: dict[str, str]
    ) -> AsyncIterator[tuple[FrameForm, Body]]:
        """Those of one instance that are asked for."""
        offsets = [_offset(text) for text in self.get_query_arguments("offset")][:_MOST]
        element = path.get("element") or ""
        single = bool(element) or len(offsets) == 1
        url = self.url_of(instance)
        forms = self._forms(single)
        wanted = await self.context.short(_wanted, header, offsets, element)
        for each in wanted:
            if each is None:
                async for form, body in pixel_bodies(self.context, instance, file, header, forms, url):
                    yield form, body
                continue
            chosen = next((one for one in forms if one.media_type == OCTETS), None)
            if chosen is None:
                raise NotAcceptable(f"This value is {OCTETS}")
            form = FrameForm(chosen.multipart, OCTETS, "")
            segments = [(each.offset, each.length)]
            location = f"{url}/bulkdata?offset={each.offset}"
            yield form, StoredBody(file, segments, location, vr=each.vr, big_endian=each.big_endian)

    def is_only(self, first: Body) -> bool:
        """One value was asked for, and it is no list of frames."""
        one = bool(self.path_kwargs.get("element")) or len(self.get_query_arguments("offset")) == 1
        return one and super().is_only(first)

    def _forms(self, single: bool) -> list[Wanted]:
        """What the client takes. Who says no more than `*/*` gets one value bare: it can be had in ranges."""
        accepted = self.accepted()
        forms = wanted_forms(accepted, OCTETS)
        if not single:
            parts = [form for form in forms if form.multipart]
            if not parts:
                raise NotAcceptable("These are several values", hint="Accept: multipart/related")
            return parts
        if any(one.media.name == MULTIPART and one.q for one in accepted):
            return forms
        return [*(Wanted(False, form.media_type, form.transfer_syntax) for form in forms), *forms]


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("Bulk data is named by its offset", hint="take the BulkDataURI from the metadata")
    return int(text)


def _wanted(header: Header, offsets: Sequence[int], element: str) -> list[Element | None]:
    """The elements that are asked for; None stands for Pixel Data.

    Raises:
        NotFound: one of them is not there.
    """
    if element:
        return [_by_path(header, element.strip("/").split("/"))]
    pixels = header.pixel_data
    if not offsets:
        large: list[Element | None] = [one for one in _values(header.tree()) if one.value is None]
        return large + ([None] if pixels is not None and pixels.length != 0 else [])
    values = {one.offset: one for one in _values(header.tree())}
    found: list[Element | None] = []
    for offset in offsets:
        if pixels is not None and pixels.offset == offset:
            found.append(None)
        elif offset in values:
            found.append(values[offset])
        else:
            raise NotFound("No value begins at this offset")
    return found


def _values(elements: Iterable[Element]) -> Iterator[Element]:
    """Every element that has a value, at every depth."""
    for element in elements:
        if element.items is None:
            if element.length > 0:
                yield element
            continue
        for item in element.items:
            yield from _values(item)


def _by_path(header: Header, steps: Sequence[str]) -> Element | None:
    """The element at a path of tags (or keywords) and item numbers."""
    elements = header.tree()
    for place in range(0, len(steps) - 1, 2):
        found = _named(elements, _tag(steps[place]))
        number = steps[place + 1]
        items = found.items if found is not None else None
        if not (number.isascii() and number.isdecimal()) or len(number) > 9:
            raise BadRequest(f"{number[:20]!r} is no item number", hint="items count from 1")
        if not items or not 1 <= int(number) <= len(items):
            raise NotFound("There is no such item")
        elements = items[int(number) - 1]
    if len(steps) % 2 == 0:
        raise BadRequest("A path of bulk data ends with an element")
    tag = _tag(steps[-1])
    if len(steps) == 1 and header.pixel_data is not None and header.pixel_data.tag == tag:
        return None
    found = _named(elements, tag)
    if found is None or found.items is not None or found.length <= 0:
        raise NotFound("There is no such value")
    return found


def _named(elements: Iterable[Element], tag: int) -> Element | None:
    return next((one for one in elements if one.tag == tag), None)


def _tag(text: str) -> int:
    if len(text) == 8:
        try:
            return int(text, 16)
        except ValueError:
            pass
    try:
        return lookup(text).tag
    except UnknownAttribute as error:
        raise BadRequest(error.message, hint="a tag is eight hexadecimal digits") from error


routes = [
    *((ROOT + path + r"/bulkdata", BulkdataHandler) for path in (STUDY, SERIES, INSTANCE)),
    (ROOT + INSTANCE + r"/bulkdata/(?P<element>.+)", BulkdataHandler),
]
