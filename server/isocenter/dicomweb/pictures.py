"""Rendered forms of stored instances as bodies: made in the process pool and kept, or as stored.

The same instance looked at in the same way is made once for all who ask and kept (`derived`); documents and
videos are the stored bytes themselves. Not here: which form a client takes.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import BinaryIO

from isocenter.archive import Dataset
from isocenter.dicom import uids
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import CannotRender, View
from isocenter.dicomweb.contents import GIF, MOVING, Content, Contents, Kind
from isocenter.dicomweb.derived import DerivedFiles
from isocenter.dicomweb.frame_files import local_path, open_inflated
from isocenter.dicomweb.paths import Target
from isocenter.http.context import Context
from isocenter.index.records import StoredInstance
from isocenter.objects.derived import Derived

_ALSO_PICTURES = frozenset({"SegmentationStorage", "RTDoseStorage", "ParametricMapStorage"})


@dataclass(frozen=True)
class Picture:
    """One rendered form of one instance.

    Attributes:
        instance: what is shown.
        content: what it is.
        media_type: of the form.
        number: of the frame, from 1; None for the whole, or for the one that stands for all.
        state: the presentation state to apply.
    """

    instance: StoredInstance
    content: Content
    media_type: str
    number: int | None = None
    state: StoredInstance | None = None

    @property
    def moving(self) -> bool:
        """Whether all frames are in it."""
        many = self.content.frames > 1 and self.number is None
        return self.content.kind is Kind.IMAGE and many and self.media_type in MOVING

    @property
    def in_pieces(self) -> bool:
        """Whether it is an animated GIF."""
        return self.moving and self.media_type == GIF

    @property
    def as_stored(self) -> bool:
        """Whether it is bytes of the object itself."""
        return self.content.kind in (Kind.DOCUMENT, Kind.VIDEO)

    @property
    def stands_for_others(self) -> bool:
        """Whether it shows one of several frames that nobody named."""
        return self.content.frames > 1 and self.number is None and not self.moving

    @property
    def content_type(self) -> str:
        """The Content-Type."""
        return f"{self.media_type}; charset=utf-8" if self.content.kind is Kind.REPORT else self.media_type

    def digest(self, view: View) -> str:
        """What tells this form of the object, so looked at, from every other."""
        state = self.state.sha256 if self.state else ""
        told = (work.VERSION, self.number, self.media_type, self.moving, state, view)
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()

    def etag(self, view: View) -> str:
        """Strong: the same is made of the same."""
        return f'"{self.instance.sha256[:24]}-{self.digest(view)}"'

    def location(self, root: str) -> str:
        """The URL that gives it alone."""
        one = self.instance
        path = Target(one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID).path
        frame = f"/frames/{self.number}" if self.number is not None and self.state is None else ""
        return f"{root}{path}{frame}/rendered"


async def open_picture(context: Context, picture: Picture, view: View) -> BinaryIO:
    """The file of a form that is neither as stored nor in pieces, made where it is not there.

    Raises:
        CannotRender: it cannot be shown so.
    """
    files, one = context.shared(DerivedFiles), picture.instance
    name = Derived(one.sha256, f"{picture.digest(view)}.rendered")
    source = await _source(context, one)
    state = await _source(context, picture.state) if picture.state else None
    if picture.content.kind is Kind.REPORT:
        return await files.open(context, name, work.tell, source, picture.media_type)
    if picture.content.kind is not Kind.IMAGE:
        raise CannotRender("This object has no rendered form", hint="retrieve it as application/dicom")
    if picture.moving:
        told = await _survey(context, picture, source)
        return await files.open(context, name, work.draw_mp4, source, view, told, state)
    return await files.open(context, name, work.draw, source, picture.number, view, picture.media_type, state)


async def gif_pieces(context: Context, picture: Picture, view: View) -> AsyncGenerator[BinaryIO]:
    """The files that joined are an animated GIF: each is made when the one before has been used.

    Raises:
        CannotRender: it cannot be shown so; mostly before the first.
    """
    files, one = context.shared(DerivedFiles), picture.instance
    source = await _source(context, one)
    state = await _source(context, picture.state) if picture.state else None
    told = await _survey(context, picture, source)
    for first in range(1, len(told.durations) + 1, work.GIF_PIECE):
        name = Derived(one.sha256, f"{picture.digest(view)}.{first}.rendered")
        yield await files.open(context, name, work.draw_gif, source, view, told, first, state)


async def _survey(context: Context, picture: Picture, source: work.Source) -> work.Survey:
    name = Derived(picture.instance.sha256, f"{work.VERSION}.survey")
    return work.Survey.load(await context.shared(DerivedFiles).read(context, name, work.survey, source))


async def open_icon(context: Context, label: str, view: View, media_type: str) -> BinaryIO:
    """A card with a word on it."""
    told = blake2b(repr((work.VERSION, label, view, media_type)).encode(), digest_size=32).hexdigest()
    name = Derived(told, "icon.rendered")
    return await context.shared(DerivedFiles).open(context, name, work.icon, label, view, media_type)


async def open_stored(context: Context, picture: Picture) -> tuple[BinaryIO, Sequence[tuple[int, int]]]:
    """The file with the bytes of a document or video, and where in it they are."""
    instance = picture.instance
    if uids.is_deflated(instance.transfer_syntax):
        return await open_inflated(context, instance), picture.content.segments
    file = await context.short(context.archive.objects.open, instance.object)
    return file, picture.content.segments


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


async def _source(context: Context, instance: StoredInstance) -> work.Source:
    path = await local_path(context, instance)
    return work.Source(path, instance.transfer_syntax, instance.data_set_offset)


def pictures_of(
    dataset: Dataset, contents: Contents, instance: StoredInstance, media_type: str, *, whole: bool
) -> Iterator[Picture]:
    """The forms that show all of an instance: each frame, each image of a presentation state.

    Args:
        dataset: it is in.
        contents: what instances are.
        instance: to be shown.
        media_type: of each.
        whole: one form of the whole instance instead, the first of a presentation state.
    """
    content = contents.of(dataset, instance)
    if content.kind is Kind.STATE:
        yield from _of_state(dataset, contents, instance, content, media_type, whole)
    elif whole or content.kind is not Kind.IMAGE or content.frames == 1 or media_type in MOVING:
        yield Picture(instance, content, media_type)
    else:
        for number in range(1, content.frames + 1):
            yield Picture(instance, content, media_type, number)


def _of_state(
    dataset: Dataset, contents: Contents, state: StoredInstance, told: Content, media_type: str, whole: bool
) -> Iterator[Picture]:
    """The images that are referenced and stored here, each under the state."""
    for reference in told.references:
        image = find(dataset, reference.instance)
        if image is None:
            continue
        content = contents.of(dataset, image)
        numbers: Sequence[int | None] = reference.frames or (
            [None] if content.frames == 1 else range(1, content.frames + 1)
        )
        for number in numbers[:1] if whole else numbers:
            yield Picture(image, content, media_type, number, state)
        if whole:
            return


def find(dataset: Dataset, uid: str) -> StoredInstance | None:
    """The instance with this SOP Instance UID, wherever in the dataset it is."""
    return next(iter(dataset.instances(Equal((Level.INSTANCE.unique_key,), uid))), None)


def representative(found: Sequence[StoredInstance]) -> StoredInstance:
    """The instance that stands for these, which come series by series."""
    images = [one for one in found if _is_picture(one.SOPClassUID)] or list(found)
    every = [list(group) for _, group in groupby(images, key=lambda one: one.SeriesInstanceUID)]
    largest = max(every, key=len)
    return largest[len(largest) // 2]


def _is_picture(sop_class: str) -> bool:
    keyword = uids.keyword_of(sop_class)
    return ("Image" in keyword and "Video" not in keyword) or keyword in _ALSO_PICTURES
