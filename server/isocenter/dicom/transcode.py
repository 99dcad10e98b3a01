"""A stored object written again in Explicit or Implicit VR Little Endian, without loss (PS3.5 Annex A).

Native pixels are copied, big endian turned, deflated inflated; compressed ones are decoded by pydicom with
pylibjpeg, pyjpegls, gdcm or Pillow, and Photometric Interpretation and Planar Configuration follow. UID and
lossy flags stay as they are. Nothing is ever compressed. Meant for a process pool: :func:`to_file` takes and
gives plain values.

Not here: frames for the web (`frames`, `rendering`).
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from isocenter.dicom import uids
from isocenter.dicom._limits import DEFAULT as LIMITS
from isocenter.dicom.header import Element, Header, PixelData, read_header
from isocenter.dicom.reencode import PIECE, CannotTranscode, Writer
from isocenter.errors import IsocenterError, UnreadableObject

_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_PHOTOMETRIC, _FRAMES, _PLANAR = 0x00280004, 0x00280008, 0x00280006
_BITS_ALLOCATED = 0x00280100
_PADDING = 0xFFFCFFFC
_LONGEST = 0xFFFFFFFE
_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
_TARGETS = (uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN)


def to_file(source: str, offset: int, transfer_syntax: str, wanted: str, target: str) -> None:
    """Write the data set of a stored object in another transfer syntax.

    Args:
        source: path of a Part 10 file.
        offset: where its data set begins, in bytes.
        transfer_syntax: in which it is.
        wanted: Explicit or Implicit VR Little Endian.
        target: path of a file that is there, to be overwritten: the bare data set.

    Raises:
        CannotTranscode: no decoder, damaged pixels, video, more than 4 GiB of pixels.
        UnreadableObject: the source is damaged.
        FileNotFoundError: one of the files is gone. The target is not made, since whoever asked may have
            given up before the pool came to it.
    """
    if wanted not in _TARGETS:
        raise CannotTranscode("Only Explicit and Implicit VR Little Endian are written")
    try:
        _to_file(source, offset, transfer_syntax, wanted, target)
    except (IsocenterError, OSError):
        raise
    except Exception as error:  # damaged objects make decoders and readers raise whatever they like
        raise CannotTranscode(f"The object cannot be read to its end ({type(error).__name__})") from error


def _to_file(source: str, offset: int, transfer_syntax: str, wanted: str, target: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        file: BinaryIO = stack.enter_context(open(source, "rb"))
        if uids.is_deflated(transfer_syntax):
            folder = os.path.dirname(target)
            whole = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(dir=folder)))
            _inflate(file, offset, whole)
            file = whole
            header = read_header(file, transfer_syntax=uids.EXPLICIT_LITTLE_ENDIAN)
        else:
            header = read_header(file)
        out: BinaryIO = stack.enter_context(open(target, "wb", opener=_if_there))
        writer = Writer(file, out, explicit=wanted == uids.EXPLICIT_LITTLE_ENDIAN)
        _write(_Job(file, out, writer, header, source))


def _if_there(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT | os.O_CLOEXEC)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what pydicom says about values out of logs: it quotes them, and they are patients' data."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


@dataclass(slots=True)
class _Job:
    file: BinaryIO
    out: BinaryIO
    writer: Writer
    header: Header
    path: str


@dataclass(slots=True)
class _Decoded:
    """Frames, and what changes in the header with them."""

    frames: Iterator[bytes]
    length: int
    changes: dict[int, bytes] = field(default_factory=dict)


def _write(job: _Job) -> None:
    elements = [each for each in job.header.elements() if each.tag != _PADDING]
    pixels = job.header.pixel_data
    if pixels is None:
        job.writer.elements(elements)
    elif pixels.length is not None:
        job.writer.elements(elements)
        job.writer.head(pixels.tag, pixels.vr, pixels.length)
        job.writer.copy(pixels.offset, pixels.length, *_order(job, elements, pixels.vr))
        job.writer.elements(_behind(job, pixels.offset + pixels.length))
    else:
        _write_decoded(job, elements, pixels)


def _write_decoded(job: _Job, elements: list[Element], pixels: PixelData) -> None:
    decoded = _decode(job, elements)
    if decoded.length > _LONGEST:
        raise CannotTranscode("The pixels are longer than 4 GiB when they are not compressed")
    job.writer.elements(_changed(elements, decoded.changes))
    length = decoded.length + decoded.length % 2
    job.writer.head(pixels.tag, "OB" if _number(elements, decoded, _BITS_ALLOCATED) <= 8 else "OW", length)
    written = 0
    for frame in decoded.frames:
        job.out.write(frame)
        written += len(frame)
    if written != decoded.length:
        raise CannotTranscode("The frames do not have the size that the header says")
    job.out.write(bytes(length - written))
    job.writer.elements(_behind(job, _end_of_fragments(job.file, pixels.offset)))


def _order(job: _Job, elements: list[Element], vr: str) -> tuple[str, bool]:
    """The VR whose words are to be turned, and whether: pixels over 16 bits are whole, as writers have it."""
    bits = next((e.value for e in elements if e.tag == _BITS_ALLOCATED and e.value), b"")
    big = uids.is_big_endian(job.header.transfer_syntax)
    cell = int.from_bytes(bits, "big" if big else "little")
    return (vr if vr != "OW" else {32: "OL", 64: "OV"}.get(cell, vr)), big


def _behind(job: _Job, offset: int) -> list[Element]:
    """The elements after Pixel Data (digital signatures), without padding."""
    job.file.seek(0, 2)
    left = job.file.tell() - offset
    if left < 8:
        return []
    job.file.seek(offset)
    try:
        tail = read_header(job.file.read(left), transfer_syntax=job.header.transfer_syntax)
    except UnreadableObject:
        return []  # what follows the pixels is not DICOM: zeros, or half an element
    return [_shifted(each, offset) for each in tail.elements() if each.tag != _PADDING]


def _shifted(element: Element, by: int) -> Element:
    items = element.items and [[_shifted(each, by) for each in item] for item in element.items]
    return element._replace(offset=element.offset + by, items=items)


def _changed(elements: list[Element], changes: dict[int, bytes]) -> Iterator[Element]:
    """The elements with new values, which may be of elements that were not there; no offset tables."""
    left = dict(changes)
    for element in elements:
        for tag in sorted(left):
            if tag < element.tag:
                yield _new(tag, left.pop(tag))
        if element.tag in left:
            yield element._replace(value=left.pop(element.tag), length=0)
        elif element.tag not in _OFFSET_TABLES:
            yield element
    for tag in sorted(left):
        yield _new(tag, left[tag])


def _new(tag: int, value: bytes) -> Element:
    vr = {_PHOTOMETRIC: "CS", _FRAMES: "IS"}.get(tag, "US")
    return Element(tag, vr, value, 0, len(value))


def _number(elements: list[Element], decoded: _Decoded, tag: int) -> int:
    value = decoded.changes.get(tag) or next((e.value for e in elements if e.tag == tag), None) or b"\x08"
    return int.from_bytes(value[:2], "little")


# -- pixels -----------------------------------------------------------------------------------------


def _decode(job: _Job, elements: list[Element]) -> _Decoded:
    syntax = job.header.transfer_syntax
    if uids.is_video(syntax):
        raise CannotTranscode("A video is not decoded")
    try:
        if syntax in (_ENCAPSULATED_UNCOMPRESSED, _DEFLATED_FRAMES):
            return _plain_frames(job, syntax)
        return _decoded(job)
    except CannotTranscode:
        raise
    except Exception as error:  # decoders raise whatever they like
        raise CannotTranscode(f"The pixels cannot be decoded ({type(error).__name__})") from error


def _data_set(job: _Job) -> Any:
    from pydicom import dcmread

    return dcmread(job.path, force=True)


def _decoded(job: _Job) -> _Decoded:
    """By pydicom's decoders, a frame at a time; colours as RGB."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder: Any = get_decoder(UID(job.header.transfer_syntax))
    if not decoder.is_available:
        raise CannotTranscode("There is no decoder for this transfer syntax")
    data_set = _data_set(job)
    count = int(data_set.get("NumberOfFrames") or 1)
    frames = decoder.iter_array(data_set, as_rgb=True)
    try:
        first, pixel = next(frames)
    except ValueError:  # pydicom 3.0 corrects some frames in place, in memory that may not be written
        frames = (decoder.as_array(data_set, index=n, as_rgb=True) for n in range(count))
        first, pixel = next(frames)
    changes = {_PHOTOMETRIC: _text(str(pixel["photometric_interpretation"]))}
    if int(pixel["samples_per_pixel"]) > 1:
        changes[_PLANAR] = int(pixel["planar_configuration"] or 0).to_bytes(2, "little")
    bits = int(pixel["bits_allocated"])
    if bits != data_set.BitsAllocated:
        changes[_BITS_ALLOCATED] = bits.to_bytes(2, "little")
    size = len(first.tobytes())

    def each() -> Iterator[bytes]:
        yield first.tobytes()
        for array, _ in frames:
            yield array.tobytes()

    return _Decoded(_guarded(each()), size * count, changes)


def _guarded(frames: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from frames
    except Exception as error:  # a frame later than the first
        raise CannotTranscode(f"The pixels cannot be decoded ({type(error).__name__})") from error


def _plain_frames(job: _Job, syntax: str) -> _Decoded:
    """Frames that are native pixels in fragments, as they are or deflated (PS3.5 A.4.11, A.4.13)."""
    from pydicom.encaps import generate_frames

    data_set = _data_set(job)
    count = int(data_set.get("NumberOfFrames") or 1)
    bits = data_set.Rows * data_set.Columns * data_set.SamplesPerPixel * data_set.BitsAllocated
    if count > 1 and bits % 8:
        raise CannotTranscode("Frames of single bits that do not end at bytes are not joined")
    size = (bits + 7) // 8

    def each() -> Iterator[bytes]:
        for frame in generate_frames(data_set.PixelData, number_of_frames=count):
            raw = zlib.decompress(frame, -15) if syntax == _DEFLATED_FRAMES else frame
            yield raw[:size]

    return _Decoded(_guarded(each()), size * count)


def _text(value: str) -> bytes:
    raw = value.encode("ascii")
    return raw + b" " * (len(raw) % 2)


def _end_of_fragments(file: BinaryIO, offset: int) -> int:
    """The offset behind the sequence delimiter of encapsulated Pixel Data; the end when there is none."""
    file.seek(0, 2)
    end = file.tell()
    while offset + 8 <= end:
        file.seek(offset)
        head = file.read(8)
        if head[:4] == b"\xfe\xff\xdd\xe0":
            return offset + 8
        if head[:4] != b"\xfe\xff\x00\xe0":
            return end
        offset += 8 + int.from_bytes(head[4:], "little")
    return end


def _inflate(file: BinaryIO, offset: int, target: BinaryIO) -> None:
    """The inflated data set into a file of its own, since offsets count in it."""
    try:
        try:
            made = _inflated(file, offset, target, -zlib.MAX_WBITS)
        except zlib.error:  # some writers leave the zlib header in, against PS3.5 A.5
            target.seek(0)
            made = _inflated(file, offset, target, zlib.MAX_WBITS)
    except zlib.error as error:
        raise CannotTranscode("The deflated data set is damaged") from error
    target.truncate(made)
    target.seek(0)


def _inflated(file: BinaryIO, offset: int, target: BinaryIO, wbits: int) -> int:
    """Inflate to the end of the stream, within the limits of headers; how many bytes it has."""
    stream = zlib.decompressobj(wbits)
    file.seek(offset)
    taken = made = 0
    piece = b""
    while not stream.eof:
        if not piece:
            piece = file.read(PIECE)
            taken += len(piece)
        inflated = stream.decompress(piece, PIECE)
        if not piece and not inflated:
            raise CannotTranscode("The deflated data set ends before its end")
        made += len(inflated)
        if made > LIMITS.inflate_free + LIMITS.inflate_ratio * taken:
            raise CannotTranscode("The deflated data set inflates beyond its limit")
        target.write(inflated)
        piece = stream.unconsumed_tail
    return made


__all__ = ["CannotTranscode", "to_file"]
