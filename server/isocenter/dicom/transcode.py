"""A stored object written again in another transfer syntax, without loss (PS3.5 Annex A).

Into Explicit or Implicit VR Little Endian: native pixels are copied, big endian turned, deflated inflated,
compressed ones decoded. Into JPEG 2000, JPEG-LS, JPEG lossless and RLE (`compress`): a frame is a fragment.
Photometric Interpretation and Planar Configuration follow; UID and lossy flags stay as they are, since no
pixel changes. Frames come and go one at a time. Meant for a process pool: :func:`to_file` takes and gives
plain values.

Not here: single frames for the web, lossy syntaxes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from isocenter.dicom import compress, frames, pixels, uids
from isocenter.dicom.deflated import deflate, inflate
from isocenter.dicom.header import Element, Header, PixelData, read_header
from isocenter.dicom.pixels import Decoded, Image, quiet
from isocenter.dicom.reencode import UNDEFINED, CannotTranscode, Writer
from isocenter.errors import IsocenterError, UnreadableObject

_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
_BITS_ALLOCATED = 0x00280100
_PADDING = 0xFFFCFFFC
_LONGEST = 0xFFFFFFFE
_PLAIN = (uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN, uids.DEFLATED_LITTLE_ENDIAN)
TARGETS = (*_PLAIN, *compress.ENCODED)
"""Transfer syntaxes that objects are written in."""


def to_file(source: str, offset: int, transfer_syntax: str, wanted: str, target: str) -> None:
    """Write the data set of a stored object in another transfer syntax.

    Args:
        source: path of a Part 10 file.
        offset: where its data set begins, in bytes.
        transfer_syntax: in which it is.
        wanted: one of `TARGETS`.
        target: path of a file that is there, to be overwritten: the bare data set.

    Raises:
        CannotTranscode: no decoder or encoder, damaged pixels, video, more than 4 GiB of pixels.
        FileNotFoundError: one of the files is gone. The target is not made, since whoever asked may have
            given up before the pool came to it.
        UnreadableObject: the source is damaged.
    """
    if wanted not in TARGETS:
        raise CannotTranscode("Objects are not written in this transfer syntax")
    try:
        _to_file(source, offset, transfer_syntax, wanted, target)
    except (IsocenterError, OSError):
        raise
    except Exception as error:  # damaged objects make decoders and readers raise whatever they like
        raise CannotTranscode(f"The object cannot be read to its end ({type(error).__name__})") from error


def _to_file(source: str, offset: int, transfer_syntax: str, wanted: str, target: str) -> None:
    folder = os.path.dirname(target)
    with ExitStack() as stack:
        stack.enter_context(quiet())
        file: BinaryIO = stack.enter_context(open(source, "rb"))
        if uids.is_deflated(transfer_syntax):
            whole = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(dir=folder)))
            inflate(file, offset, whole)
            file = whole
            header = read_header(file, transfer_syntax=uids.EXPLICIT_LITTLE_ENDIAN)
        else:
            header = read_header(file)
        out: BinaryIO = stack.enter_context(open(target, "wb", opener=_if_there))
        if wanted == uids.DEFLATED_LITTLE_ENDIAN:
            plain = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(dir=folder)))
            _write(_Job(file, plain, Writer(file, plain, explicit=True), header, wanted))
            deflate(plain, out)
            return
        writer = Writer(file, out, explicit=wanted != uids.IMPLICIT_LITTLE_ENDIAN)
        _write(_Job(file, out, writer, header, wanted))


def _if_there(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT | os.O_CLOEXEC)


@dataclass(slots=True)
class _Job:
    file: BinaryIO
    out: BinaryIO
    writer: Writer
    header: Header
    wanted: str


@dataclass(slots=True)
class _Frames:
    """Frames, and what changes in the header with them; `length` is that of all, when it is known before."""

    frames: Iterator[bytes]
    count: int
    bits_allocated: int
    length: int
    changes: dict[int, bytes] = field(default_factory=dict)


def _write(job: _Job) -> None:
    elements = [each for each in job.header.elements() if each.tag != _PADDING]
    found = job.header.pixel_data
    if job.wanted in compress.ENCODED:
        _write_encoded(job, elements)
    elif found is None:
        job.writer.elements(elements)
    elif found.length is not None:
        job.writer.elements(elements)
        job.writer.head(found.tag, found.vr, found.length)
        job.writer.copy(found.offset, found.length, *_order(job, elements, found.vr))
        job.writer.elements(_behind(job, found.offset + found.length))
    else:
        _write_decoded(job, elements, found)


def _write_decoded(job: _Job, elements: list[Element], found: PixelData) -> None:
    decoded = _decode(job)
    if decoded.length > _LONGEST:
        raise CannotTranscode("The pixels are longer than 4 GiB when they are not compressed")
    job.writer.elements(_changed(elements, decoded.changes))
    length = decoded.length + decoded.length % 2
    job.writer.head(found.tag, "OB" if decoded.bits_allocated <= 8 else "OW", length)
    written = 0
    for frame in decoded.frames:
        job.out.write(frame)
        written += len(frame)
    if written != decoded.length:
        raise CannotTranscode("The frames do not have the size that the header says")
    job.out.write(bytes(length - written))
    job.writer.elements(_behind(job, _end_of_fragments(job.file, found.offset)))


def _write_encoded(job: _Job, elements: list[Element]) -> None:
    """Encapsulated Pixel Data with a basic offset table, one fragment a frame (PS3.5 A.4)."""
    found = job.header.pixel_data
    encoded = _encode(job)
    assert found is not None
    job.writer.elements(_changed(elements, encoded.changes))
    job.writer.head(found.tag, "OB", UNDEFINED)
    out, offsets, at = job.out, list[int](), 0
    table = out.tell() + 8
    out.write(_item(4 * encoded.count) + bytes(4 * encoded.count))
    for frame in encoded.frames:
        offsets.append(at)
        out.write(_item(len(frame)) + frame)
        at += 8 + len(frame)
    if offsets[-1] > _LONGEST:
        raise CannotTranscode("The pixels are longer than an offset table can tell")
    out.write(b"\xfe\xff\xdd\xe0" + bytes(4))
    end = out.tell()
    out.seek(table)
    out.write(b"".join(offset.to_bytes(4, "little") for offset in offsets))
    out.seek(end)
    behind = (
        _end_of_fragments(job.file, found.offset) if found.length is None else found.offset + found.length
    )
    job.writer.elements(_behind(job, behind))


def _item(length: int) -> bytes:
    return b"\xfe\xff\x00\xe0" + length.to_bytes(4, "little")


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
    vr = "CS" if tag == _PHOTOMETRIC else "US"
    return Element(tag, vr, value, 0, len(value))


# -- pixels -----------------------------------------------------------------------------------------


def _located(job: _Job) -> tuple[Image, frames.FrameTable]:
    """What the pixels are and where.

    Raises:
        CannotTranscode: there are none, or they have no frames: a video.
    """
    try:
        image, table = pixels.describe(job.header), frames.locate(job.file, job.header)
    except (frames.NoFrames, UnreadableObject) as error:
        raise CannotTranscode(error.message) from error
    if not pixels.is_decodable(image.transfer_syntax):
        raise CannotTranscode("There is no decoder for this transfer syntax")
    return image, table


def _decode(job: _Job) -> _Frames:
    """Every frame as native pixels."""
    image, table = _located(job)
    if not pixels.is_compressed(image.transfer_syntax):
        return _plain_frames(job, image, table)
    first = _pixels(job, image, table, 1)
    size = len(first.tobytes())
    rest = (_pixels(job, image, table, number).tobytes() for number in range(2, table.count + 1))
    made = _Frames(_chain(first.tobytes(), rest), table.count, first.bits_allocated, size * table.count)
    made.changes = _changes(image, first, first.photometric)
    return made


def _encode(job: _Job) -> _Frames:
    """Every frame encoded."""
    image, table = _located(job)
    if not compress.reach(image, job.wanted):
        raise CannotTranscode("Such pixels are not encoded in this transfer syntax")
    first = _pixels(job, image, table, 1)
    rest = (
        compress.encode(image, _pixels(job, image, table, number), job.wanted)
        for number in range(2, table.count + 1)
    )
    made = _Frames(
        _chain(compress.encode(image, first, job.wanted), rest), table.count, first.bits_allocated, 0
    )
    made.changes = _changes(image, first, compress.photometric_in(first.photometric, job.wanted))
    return made


def _pixels(job: _Job, image: Image, table: frames.FrameTable, number: int) -> Decoded:
    try:
        return pixels.decode(image, pixels.read(job.file, image, table.frame(number)), every_bit=True)
    except UnreadableObject as error:
        raise CannotTranscode(error.message) from error


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _changes(image: Image, frame: Decoded, photometric: str) -> dict[int, bytes]:
    changes = {_PHOTOMETRIC: _text(photometric)}
    if image.samples > 1:
        changes[_PLANAR] = bytes(2)
    if frame.bits_allocated != image.bits_allocated:
        changes[_BITS_ALLOCATED] = frame.bits_allocated.to_bytes(2, "little")
    return changes


def _plain_frames(job: _Job, image: Image, table: frames.FrameTable) -> _Frames:
    """Frames that are native pixels in fragments, as they are or deflated (PS3.5 A.4.11, A.4.13)."""
    if table.count > 1 and image.bits % 8:
        raise CannotTranscode("Frames of single bits that do not end at bytes are not joined")
    each = (pixels.read(job.file, image, table.frame(number)) for number in range(1, table.count + 1))
    return _Frames(each, table.count, image.bits_allocated, (image.bits + 7) // 8 * table.count)


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


__all__ = ["TARGETS", "CannotTranscode", "to_file"]
