"""What compressed image data say of themselves: the transfer syntax that fits, and where the codestream is.

Read from the first bytes of a frame whose sender named a media type only (PS3.18 Tables 8.7.3-2 to -5): the
frame header of JPEG (ITU-T T.81) and JPEG-LS (T.87), the coding style of JPEG 2000 (T.800) and its High
Throughput form (T.814). Not here: decoding.
"""

from __future__ import annotations

_JP2 = b"\x00\x00\x00\x0cjP  "
_JPEG = "1.2.840.10008.1.2.4."
_OTHERS = {
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jxl": f"{_JPEG}112",
    "video/mpeg": f"{_JPEG}100",
    "video/mp4": f"{_JPEG}102",
    "video/mpeg2": f"{_JPEG}100",
    "video/h265": f"{_JPEG}107",
}
_FRAME_HEADERS = {0xC0: f"{_JPEG}50", 0xC1: f"{_JPEG}51", 0xC3: f"{_JPEG}70"}


def bare(start: bytes, length: int) -> tuple[int, int]:
    """Offset and length of the codestream in a frame that begins with `start`: a JP2 file is a wrapper."""
    at = 0
    while start.startswith(_JP2) and at + 8 <= len(start):
        size, kind = int.from_bytes(start[at : at + 4], "big"), start[at + 4 : at + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(start[at + 8 : at + 16], "big")
        if kind == b"jp2c":
            return at + head, (length - at if size == 0 else min(size, length - at)) - head
        if size < 8:
            break
        at += size
    return 0, length


def syntax_of(start: bytes, media_type: str) -> str | None:
    """The transfer syntax of a frame by its first bytes, or by its media type alone; None: not known."""
    if start.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg2000(start)
    if start.startswith(b"\xff\xd8"):
        return _jpeg(start)
    return _OTHERS.get(media_type)


def _jpeg(start: bytes) -> str | None:
    """JPEG and JPEG-LS: the frame header, and in the scan header predictor or NEAR."""
    at, frame = 2, None
    while at + 4 <= len(start) and start[at] == 0xFF:
        marker, size = start[at + 1], int.from_bytes(start[at + 2 : at + 4], "big")
        if marker in _FRAME_HEADERS or marker == 0xF7:
            frame = marker
        if marker == 0xDA and frame is not None:
            components = start[at + 4]
            chosen = start[at + 5 + 2 * components]  # Ss: predictor of lossless JPEG, NEAR of JPEG-LS
            if frame == 0xF7:
                return f"{_JPEG}81" if chosen else f"{_JPEG}80"
            return f"{_JPEG}57" if frame == 0xC3 and chosen != 1 else _FRAME_HEADERS[frame]
        at += 2 + size
    return _FRAME_HEADERS.get(frame) if frame is not None else None


def _jpeg2000(start: bytes) -> str:
    """JPEG 2000: reversible by its wavelet, High Throughput by its capabilities marker."""
    at, reversible, throughput = 2, False, False
    while at + 4 <= len(start) and start[at] == 0xFF and start[at + 1] != 0x90:
        marker, size = start[at + 1], int.from_bytes(start[at + 2 : at + 4], "big")
        if marker == 0x52 and at + 14 <= len(start):
            reversible = start[at + 13] == 1
        throughput = throughput or marker == 0x50
        at += 2 + size
    if throughput:
        return f"{_JPEG}201" if reversible else f"{_JPEG}203"
    return f"{_JPEG}90" if reversible else f"{_JPEG}91"
