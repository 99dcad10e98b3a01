"""Which bytes of encapsulated Pixel Data hold no image and may hold text: `segments` by frame.

Not here: overwriting them, which is done while they are copied (`part10`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from isocenter.deid.segments import NotThat, Span, foreign
from isocenter.dicom import frames, uids
from isocenter.dicom.header import Header
from isocenter.errors import IsocenterError

_JPEG_FAMILY = (
    "1.2.840.10008.1.2.4.5",
    "1.2.840.10008.1.2.4.6",
    "1.2.840.10008.1.2.4.7",
    "1.2.840.10008.1.2.4.8",
    "1.2.840.10008.1.2.4.9",
    "1.2.840.10008.1.2.4.11",
    "1.2.840.10008.1.2.4.20",
)
"""JPEG, JPEG-LS, JPEG 2000, JPEG XL and HTJ2K; MPEG and others begin otherwise."""


def is_looked_into(transfer_syntax: str) -> bool:
    """Whether frames of this syntax have a place for text that is known here."""
    return uids.is_encapsulated(transfer_syntax) and transfer_syntax.startswith(_JPEG_FAMILY)


def text_spans(file: BinaryIO, header: Header) -> tuple[Span, ...]:
    """Where in a file they are.

    Raises:
        NotThat: a frame is not what its syntax says, or frames cannot be told apart.
    """
    if header.pixel_data is None or header.deflated or not is_looked_into(header.transfer_syntax):
        return ()
    try:
        table = frames.locate(file, header)
        found: list[Span] = []
        for frame in table.encapsulated or ():
            for span in foreign(frames.read(file, frame)):
                found.extend(_placed(span, frame.segments))
    except frames.NoFrames:
        return ()
    except IsocenterError as error:
        raise NotThat from error
    return tuple(sorted(found))


def _placed(span: Span, segments: tuple[tuple[int, int], ...]) -> Iterator[Span]:
    """A span of a frame as spans of the file, in which the frame lies in pieces."""
    before = 0
    for offset, length in segments:
        start, end = max(span[0] - before, 0), min(span[1] - before, length)
        if start < end:
            yield offset + start, offset + end
        before += length
