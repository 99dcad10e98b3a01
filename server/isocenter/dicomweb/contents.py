"""What a stored instance is, for who wants to look at it: the resource categories of PS3.18 8.7.2.

Told by its header alone, found once and kept while the object is in use. Not here: rendering it.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from isocenter.archive import Dataset
from isocenter.dicom import encapsulated, uids
from isocenter.dicom._windows import reader_of
from isocenter.dicom.header import Element, Header, read_header
from isocenter.dicom.rendering.view import can_encode_mp4
from isocenter.index.records import StoredInstance

JPEG, PNG, GIF, MP4 = "image/jpeg", "image/png", "image/gif", "video/mp4"
HTML, TEXT, PDF = "text/html", "text/plain", "application/pdf"
SINGLE = (JPEG, PNG, GIF)
MOVING = (GIF, MP4)

_KEPT = 2048
_REFERENCES, _IMAGES, _DOCUMENT, _CONTENT, _CONCEPT = (
    0x00081115,
    0x00081140,
    0x00420011,
    0x0040A730,
    0x0040A043,
)
_UID, _FRAMES = 0x00081155, 0x00081160
_MPEG2 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in ("100", "100.1", "101", "101.1"))
_MEDIA_TYPE = re.compile(r"(?:application|audio|image|model|text|video)/[a-z0-9][a-z0-9.+-]{0,80}")


class Kind(Enum):
    """How an instance is shown."""

    IMAGE = "image"
    STATE = "presentation state"
    VIDEO = "video"
    DOCUMENT = "document"
    REPORT = "report"
    OTHER = "other"


@dataclass(frozen=True)
class Reference:
    """An image that a presentation state is for; no frames means all of them."""

    instance: str
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Content:
    """What is in an instance.

    Attributes:
        kind: how it is shown.
        frames: Number of Frames of an image.
        media_type: of a document or video as it is stored.
        segments: (offset, length) of its bytes; in the inflated data set where it is deflated.
        references: of a presentation state, in its order.
        label: a word for it: its Modality, or its kind.
    """

    kind: Kind
    frames: int = 0
    media_type: str = ""
    segments: tuple[tuple[int, int], ...] = ()
    references: tuple[Reference, ...] = ()
    label: str = ""

    @property
    def offers(self) -> tuple[str, ...]:
        """Rendered media types of the whole instance, preferred first (PS3.18 8.7.4)."""
        if self.kind is Kind.IMAGE:
            return (*SINGLE, MP4) if self.frames > 1 and can_encode_mp4() else SINGLE
        if self.kind is Kind.STATE:
            return SINGLE
        if self.kind is Kind.REPORT:
            return (HTML, TEXT)
        return (self.media_type,) if self.media_type else ()


class Contents:
    """What instances are: objects never change, so what was found once holds. Safe for threads; may block."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._known: OrderedDict[str, Content] = OrderedDict()

    def of(self, dataset: Dataset, instance: StoredInstance) -> Content:
        """What `instance` is. Raises UnreadableObject."""
        with self._mutex:
            found = self._known.get(instance.object)
            if found is not None:
                self._known.move_to_end(instance.object)
                return found
        with dataset.open(instance) as file:
            header = read_header(file)
            made = _video(header, file) if uids.is_video(header.transfer_syntax) else _of(header)
        with self._mutex:
            self._known[instance.object] = made
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return made


def _of(header: Header) -> Content:
    label = (header.text("Modality") or "")[:16]
    if header.pixel_data is not None:
        text = (header.text("NumberOfFrames") or "1").partition("\\")[0]
        count = int(text) if text.isdecimal() and len(text) < 10 else 1
        return Content(Kind.IMAGE, max(count, 1), label=label or "IMAGE")
    parts = {one.tag: one for one in header.pick({_REFERENCES, _DOCUMENT, _CONTENT, _CONCEPT})}
    if _DOCUMENT in parts:
        return _document(header, parts[_DOCUMENT], label)
    if "PresentationState" in uids.keyword_of(header.text("SOPClassUID") or ""):
        return Content(Kind.STATE, references=tuple(_references(parts.get(_REFERENCES))), label=label or "PR")
    if _CONTENT in parts or _CONCEPT in parts:
        return Content(Kind.REPORT, label=label or "SR")
    return Content(Kind.OTHER, label=label or "?")


def _video(header: Header, file: object) -> Content:
    """A stream as it was encoded: all fragments joined, without the byte that may pad the last one."""
    pixels = header.pixel_data
    if pixels is None or pixels.length is not None:
        return Content(Kind.OTHER, label="VIDEO")
    read = reader_of(file)  # type: ignore[arg-type]  # a binary file
    segments = [
        one for frame in encapsulated.frames(read, pixels.offset, 1, header.transfer_syntax) for one in frame
    ]
    first = read(segments[0][0], 12) if segments else b""
    if header.transfer_syntax in _MPEG2:
        media_type = "video/mpeg"
    else:
        media_type = MP4 if first[4:8] == b"ftyp" else "video/mp2t" if first[:1] == b"\x47" else "video/h264"
    return Content(Kind.VIDEO, media_type=media_type, segments=tuple(segments), label="VIDEO")


def _document(header: Header, value: Element, label: str) -> Content:
    told = (header.text("MIMETypeOfEncapsulatedDocument") or "").lower().partition(";")[0].strip()
    media_type = told if _MEDIA_TYPE.fullmatch(told) else "application/octet-stream"
    length = (header.text("EncapsulatedDocumentLength") or "").partition("\\")[0]
    # Without its length a document may have one byte of padding, which does no harm at its end.
    size = min(int(length), value.length) if length.isdecimal() and int(length) > 0 else value.length
    return Content(
        Kind.DOCUMENT, media_type=media_type, segments=((value.offset, size),), label=label or "DOC"
    )


def _references(sequence: Element | None) -> Iterator[Reference]:
    for series in (sequence.items if sequence else None) or ():
        for images in series:
            for image in (images.items or ()) if images.tag == _IMAGES else ():
                told = {one.tag: _text(one) for one in image}
                frames = tuple(
                    int(part) for part in told.get(_FRAMES, "").split("\\") if part.strip().isdecimal()
                )
                if told.get(_UID):
                    yield Reference(told[_UID], frames)


def _text(element: Element) -> str:
    return (element.value or b"").decode("ascii", "replace").strip(" \0")
