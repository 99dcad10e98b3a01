"""What compressed frames carry beside the image: comments, EXIF, XML, thumbnails; where it lies in them.

Nothing is decoded and nothing moves: what may hold text is overwritten where it lies, so that the image, its
lengths and the offset tables stay as they are. Read are JPEG (ITU-T T.81, B.1), JPEG-LS (T.87), JPEG 2000 and
HTJ2K codestreams (T.800, A), and the boxes of JP2 and JPEG XL files. Kept is what decoders need: JFIF, Adobe
and SPIFF headers, HP's colour transform, and comments of encoders that tell their version and nothing else.
Not here: video, whose streams are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]
"""Start and end, in bytes."""
FILLER = b" "

_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_MARKER_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_KEPT_APP = {0xE0: ((b"JFIF\0", 14),), 0xE8: ((b"SPIFF\0", 30), (b"mrfx", 5)), 0xEE: ((b"Adobe", 12),)}
"""Application segments that say how to decode, and how many of their bytes do."""
_END_OF_DIRECTORY = b"\0\0\0\1"  # of SPIFF (T.84, F.2.2)
_RESERVED = frozenset({*range(0xF0, 0xF7), *range(0xF9, 0xFE), *range(0x02, 0x4F)})
_ENCODERS = re.compile(
    rb"Created by (?:GDCM/)?OpenJPEG version [\d.]+|Kakadu-?v?[\d.]+|Creator: JasPer Version [\d.]+"
    rb"|LEAD Technologies Inc\. V[\d.]+|OpenJPH Ver [\d.]+\.?"
    rb"|Kdu-Layer-Info: log_2\{Delta-D\((?:MSE|squared-error)\)/Delta-L\(bytes\)\}, L\(bytes\)\n[-+\d.e, \n]*"
)
_BOXES = frozenset(
    {b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c", b"JXL ", b"jxlc", b"jxlp", b"jxll", b"jxli"}
)  # what shows the image
_JP2, _JXL = b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "


class NotThat(ValueError):
    """The bytes are not what they are said to be, so that nobody can tell what is in them."""


def foreign(frame: bytes) -> list[Span]:
    """What in a compressed frame is no image and may hold text. Raises NotThat."""
    try:
        return [span for span in _spans(frame) if frame[slice(*span)].strip(b"\0 \xff")]
    except IndexError:
        raise NotThat from None


def without(frame: bytes) -> bytes:
    """A frame with that overwritten. Raises NotThat."""
    made = bytearray(frame)
    for start, end in foreign(frame):
        made[start:end] = FILLER * (end - start)
    return bytes(made)


def _spans(frame: bytes) -> Iterator[Span]:
    if frame.startswith(b"\xff\xd8"):
        return _jpeg(frame)
    if frame.startswith(b"\xff\x4f"):
        return _codestream(frame, 0, len(frame))
    if frame.startswith((_JP2, _JXL)):
        return _boxes(frame)
    if frame.startswith(b"\xff\x0a"):
        return iter(())  # a bare codestream of JPEG XL has no comments
    raise NotThat


def _jpeg(frame: bytes) -> Iterator[Span]:
    """Segments up to the end of the image, and what stands behind it."""
    at, marker = 2, _MARKER
    while True:
        while frame[at] == 0xFF and frame[at + 1] == 0xFF:
            at += 1
        if frame[at] != 0xFF:
            raise NotThat
        code = frame[at + 1]
        at += 2
        if code == 0xD9:
            yield at, len(frame)
            return
        if code in (0x01, 0xD8, *range(0xD0, 0xD8)):
            continue
        start, end = at + 2, at + _number(frame, at, 2)
        if end < start or end > len(frame):
            raise NotThat
        yield from _segment(frame, code, start, end)
        at = end
        if code == 0xF7:
            marker = _MARKER_LS
        if code == 0xDA:
            found = marker.search(frame, end)
            if found is None:  # the image ends without saying so
                return
            at = found.end() - 2


def _segment(frame: bytes, code: int, start: int, end: int) -> Iterator[Span]:
    data = frame[start:end]
    if code == 0xFE:
        if not _ENCODERS.fullmatch(data.rstrip(b"\0")):
            yield start, end
    elif 0xE0 <= code <= 0xEF:
        kept = next((size for mark, size in _KEPT_APP.get(code, ()) if data.startswith(mark)), 0)
        if not (code == 0xE8 and data.startswith(_END_OF_DIRECTORY)):
            yield start + min(kept, len(data)), end
    elif code in _RESERVED:
        yield start, end


def _codestream(frame: bytes, at: int, last: int) -> Iterator[Span]:
    """Comments in the headers of a JPEG 2000 codestream and of its tile-parts, and what stands behind it."""
    at += 2
    tile, part = -1, 0
    while at < last:
        code = _number(frame, at, 2)
        if code == 0xFFD9:
            yield at + 2, last
            return
        if code == 0xFF93:
            at = tile + part if part else last
            if at <= tile:
                raise NotThat
            continue
        end = at + 2 + _number(frame, at + 2, 2)
        if code >> 8 != 0xFF or end < at + 4 or end > last:
            raise NotThat
        if code == 0xFF90:
            tile, part = at, _number(frame, at + 6, 4)
        if code == 0xFF64 and not _ENCODERS.fullmatch(frame[at + 6 : end].rstrip(b"\0")):
            yield at + 6, end
        at = end


def _boxes(frame: bytes) -> Iterator[Span]:
    """Boxes that do not show the image (T.800, I.4), and comments in the codestream."""
    at = 0
    while at < len(frame):
        if not frame[at:].strip(b"\0"):
            return  # padding
        length, kind, head = _number(frame, at, 4), frame[at + 4 : at + 8], 8
        if length == 1:
            length, head = _number(frame, at + 8, 8), 16
        end = at + length if length else len(frame)
        if end < at + head or end > len(frame):
            raise NotThat
        if kind == b"jp2c":
            yield from _codestream(frame, at + head, end)
        elif kind not in _BOXES:
            yield at + head, end
        at = end


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise NotThat
    return int.from_bytes(data[at : at + size], "big")
