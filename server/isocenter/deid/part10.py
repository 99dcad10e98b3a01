"""Part 10 files (PS3.10 7) for de-identification: the header as a data set, Pixel Data where they lie.

Pixel Data are not decoded nor held in memory here: their element is copied byte by byte, unless others take
its place (`masking`). What is written has a
preamble of zeros and File Meta Information of ours. Bare data sets, deflated, implicit, big endian and
encapsulated ones keep their syntax. Not here: what may stay (`engine`), whether pixels may (`risk`).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from struct import Struct, pack
from typing import BinaryIO, NamedTuple

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import correct_ambiguous_vr, write_data_element
from pydicom.tag import BaseTag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from isocenter.deid.masking import Masked
from isocenter.deid.plan import PIXEL_DATA
from isocenter.deid.segments import FILLER, Span
from isocenter.deid.steps import Unreadable
from isocenter.dicom import uids
from isocenter.dicom.deflated import deflate, inflate
from isocenter.dicom.file_meta import file_head, meta_elements
from isocenter.dicom.header import Header, read_header

MakeHead = Callable[[Dataset, str], bytes]
"""Preamble and File Meta Information of a result, in a transfer syntax."""
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
PIECE = 1 << 17
"""Bytes that are copied at once: more would be new memory of the system each time, and 0.2 ms a file."""
LONGEST_TAIL = 1 << 24
_IN_MEMORY = 1 << 26
UNDEFINED = 0xFFFFFFFF
_HEAD = Struct("<HH2sxxI")
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HARMLESS = ("transfer syntax", "followed by something else")
_PLACES = re.compile(r" \(offset \d+\)|\([0-9A-F]{4},[0-9A-F]{4}\) ")  # of a file that is none, its text
_CHARACTERS = ("character set", "(0008,0005)", "text ")


class Place(NamedTuple):
    """Where the element of Pixel Data lies.

    Attributes:
        tag: which of the three it is.
        start: of its first byte.
        value: of the first byte of its value.
        end: of what follows.
        length: bytes of the value, -1 for items.
    """

    tag: int
    start: int
    value: int
    end: int
    length: int


@dataclass
class Part10:
    """A file that is open.

    Attributes:
        dataset: every element but Pixel Data, undecoded; what stands behind them too.
        transfer_syntax: UID.
        stream: what `pixels` points into.
        pixels: Pixel Data, None when there are none.
        header: of the file as it is stored.
        masked: Pixel Data that take the place of those of `stream`.
        blanked: what of `stream` is overwritten while it is copied, as sorted spans.
    """

    dataset: Dataset
    transfer_syntax: str
    stream: BinaryIO
    pixels: Place | None
    header: Header
    masked: Masked | None = None
    blanked: tuple[Span, ...] = ()


@contextmanager
def reading(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """A file from its first byte on; one that was open stays open."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[Part10]:
    """Read a file.

    Raises:
        UnreadableHeader: it is not DICOM.
        Unreadable: it is, and cannot be read as a whole.
    """
    with ExitStack() as stack:
        stream: BinaryIO = stack.enter_context(reading(source))
        header = read_header(stream)
        _require_whole(header)
        offset = header.data_set_offset
        if header.deflated:
            inflated = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            inflate(stream, offset, inflated)  # type: ignore[arg-type]
            stream, offset = inflated, 0  # type: ignore[assignment]
        yield _read(stream, header, offset)


def _require_whole(header: Header) -> None:
    for problem in header.problems:
        if not any(words in problem for words in (*_HARMLESS, *_CHARACTERS)):
            raise Unreadable("it is damaged: " + _PLACES.sub("", problem))


def _read(stream: BinaryIO, header: Header, offset: int) -> Part10:
    syntax = header.transfer_syntax
    implicit, little = uids.is_implicit_vr(syntax), not uids.is_big_endian(syntax)
    stream.seek(offset)
    dataset = read_dataset(stream, implicit, little, stop_when=lambda tag, _vr, _length: tag in PIXEL_DATA)
    span = None
    if header.pixel_data is None:
        _require_end(stream)
    else:
        start = stream.tell()
        length = header.pixel_data.length
        if not start < header.pixel_data.offset <= start + 12:
            raise Unreadable("the data set cannot be read up to its Pixel Data")
        value = header.pixel_data.offset
        end = _end_of_items(stream, value) if length is None else value + length
        span = Place(header.pixel_data.tag, start, value, end, -1 if length is None else length)
        _add_tail(stream, end, dataset, implicit=implicit, little=little)
    return Part10(dataset, syntax, stream, span, header)


def _require_end(stream: BinaryIO) -> None:
    if len(stream.read(1)):
        raise Unreadable("the data set cannot be read to its end")


def _end_of_items(stream: BinaryIO, offset: int) -> int:
    """Where the sequence delimiter of encapsulated Pixel Data ends."""
    while True:
        stream.seek(offset)
        head = stream.read(8)
        if head[:4] == _END and len(head) == 8:
            return offset + 8
        if head[:4] != _ITEM or len(head) < 8:
            raise Unreadable("the Pixel Data have no end")
        offset += 8 + int.from_bytes(head[4:], "little")


def _add_tail(stream: BinaryIO, end: int, dataset: Dataset, *, implicit: bool, little: bool) -> None:
    """Elements behind Pixel Data: padding, signatures, private groups."""
    if stream.seek(0, os.SEEK_END) < end:
        raise Unreadable("the Pixel Data are cut off")
    stream.seek(end)
    rest = stream.read(LONGEST_TAIL + 1)
    if len(rest) > LONGEST_TAIL:
        raise Unreadable("there is too much behind the Pixel Data")
    if not rest.strip(b"\0"):
        return
    tail = BytesIO(rest)
    try:
        found = read_dataset(tail, implicit, little)
    except Exception as error:
        raise Unreadable("what stands behind the Pixel Data cannot be read") from error
    tags = [tag for tag in found.keys() if tag or found.get_item(tag).value]  # noqa: SIM118 (zeros are padding)
    if tail.read(1) or not tags or min(tags) <= max(PIXEL_DATA):
        raise Unreadable("what stands behind the Pixel Data is no part of a data set")
    for tag in tags:
        dataset[tag] = found.get_item(tag)


def write(target: BinaryIO, source: Part10, result: Dataset, head: MakeHead | None = None) -> None:
    """Write a file: a head, the elements of `result`, Pixel Data of `source`.

    Args:
        target: where to.
        source: the file as it was.
        result: its data set as it is now.
        head: makes preamble and File Meta Information; ours when there is none.
    """
    masked = source.masked
    syntax = masked.transfer_syntax if masked else source.transfer_syntax
    target.write((head or _head)(result, syntax))
    if masked is not None:
        _write_masked(target, source, result, masked)
        return
    if not uids.is_deflated(source.transfer_syntax):
        _write_data_set(target, source, result)
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as plain:
        _write_data_set(plain, source, result)  # type: ignore[arg-type]
        deflate(plain, target)  # type: ignore[arg-type]


def _write_data_set(target: BinaryIO, source: Part10, result: Dataset) -> None:
    tags = sorted(tag for tag in result.keys() if tag.element or tag.group <= 6)  # noqa: SIM118
    before = [tag for tag in tags if source.pixels is None or tag < source.pixels.tag]
    target.write(_encoded(result, before, source.transfer_syntax))
    if source.pixels is not None:
        start = source.pixels.start
        if result.original_encoding[0] and not uids.is_implicit_vr(source.transfer_syntax):
            length = source.pixels.length & UNDEFINED
            target.write(_HEAD.pack(0x7FE0, source.pixels.tag & 0xFFFF, b"OB", length))
            start = source.pixels.value
        _copy(source.stream, start, source.pixels.end, target, source.blanked)
        target.write(_encoded(result, tags[len(before) :], source.transfer_syntax))


def _write_masked(target: BinaryIO, source: Part10, result: Dataset, masked: Masked) -> None:
    tags = sorted(tag for tag in result.keys() if tag.element or tag.group <= 6)  # noqa: SIM118
    tags = [tag for tag in tags if tag not in _OFFSET_TABLES]
    before = [tag for tag in tags if tag < 0x7FE00010]
    target.write(_encoded(result, before, masked.transfer_syntax))
    span = source.pixels
    if masked.native is None:
        _write_fragments(target, masked.fragments)
    else:
        turned = result.original_encoding[0] and not uids.is_implicit_vr(source.transfer_syntax)
        if span is not None and span.length >= 0 and not turned:
            _copy(source.stream, span.start, span.value, target)
        else:
            vr = b"OW" if int(result.BitsAllocated) > 8 else b"OB"
            target.write(_HEAD.pack(0x7FE0, 0x0010, vr, masked.length))
        if sum(target.write(piece) for piece in masked.native) != masked.length:
            raise Unreadable("the Pixel Data have another length than their frames")
    target.write(_encoded(result, tags[len(before) :], masked.transfer_syntax))


def _write_fragments(target: BinaryIO, fragments: tuple[bytes, ...]) -> None:
    """A frame is a fragment; the basic offset table names them where its 32 bits suffice."""
    starts = list(accumulate((8 + len(fragment) for fragment in fragments[:-1]), initial=0))
    table = b"".join(start.to_bytes(4, "little") for start in starts) if starts[-1] < 1 << 32 else b""
    target.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff")
    for item in (table, *fragments):
        target.write(_ITEM + len(item).to_bytes(4, "little") + item)
    target.write(_END + bytes(4))


def _encoded(result: Dataset, tags: list[BaseTag], syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = uids.is_implicit_vr(syntax)
    buffer.is_little_endian = not uids.is_big_endian(syntax)
    characters = result.get("SpecificCharacterSet", default_encoding)
    same = bool(result.original_encoding[0]) == buffer.is_implicit_VR
    if not same:  # some writers encode implicitly what they call explicit
        result = correct_ambiguous_vr(result, buffer.is_little_endian)
    for tag in tags:
        element = result.get_item(tag) if same else result[tag]
        head = _head_of(element, implicit=buffer.is_implicit_VR, little=buffer.is_little_endian)
        if head:
            buffer.write(head + element.value)
        else:
            write_data_element(buffer, element, characters)
    return buffer.getvalue()


def _head_of(element: DataElement | RawDataElement, *, implicit: bool, little: bool) -> bytes:
    """Tag, VR and length of an element of defined length that was not decoded; none for others."""
    if not isinstance(element, RawDataElement) or element.length == UNDEFINED or element.value is None:
        return b""
    group, number, length = element.tag >> 16, element.tag & 0xFFFF, len(element.value)
    order = "<" if little else ">"
    if implicit:
        return pack(order + "HHI", group, number, length)
    vr = element.VR or ""
    if vr in EXPLICIT_VR_LENGTH_32:
        return pack(order + "HH2sxxI", group, number, vr.encode(), length)
    if len(vr) != 2 or length > 0xFFFF:
        return b""
    return pack(order + "HH2sH", group, number, vr.encode(), length)


def _copy(stream: BinaryIO, start: int, end: int, target: BinaryIO, blanked: tuple[Span, ...] = ()) -> None:
    stream.seek(start)
    at = start
    while at < end:
        piece = stream.read(min(PIECE, end - at))
        if not piece:
            raise Unreadable("the file was cut while it was read")
        target.write(_blank(piece, at, blanked) if blanked else piece)
        at += len(piece)


def _blank(piece: bytes, at: int, blanked: tuple[Span, ...]) -> bytes:
    """A piece of a file that begins at an offset, with what lies in the spans overwritten."""
    made = bytearray(piece)
    for first, last in blanked:
        low, high = max(first - at, 0), min(last - at, len(piece))
        if low < high:
            made[low:high] = FILLER * (high - low)
    return bytes(made)


def _head(result: Dataset, transfer_syntax: str) -> bytes:
    """A preamble of zeros and File Meta Information: nothing of the source's but the transfer syntax."""
    return file_head(meta_elements(result.SOPClassUID, result.SOPInstanceUID, transfer_syntax))
