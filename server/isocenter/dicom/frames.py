"""Where the frames of an object are (PS3.5 8 and A.4, PS3.3 C.7.6.3): no pixel is read to find them.

A frame is a list of byte ranges of the file, and a bit offset: frames of one-bit pixels begin inside a byte.
Frames of encapsulated Pixel Data are found by `encapsulated`.

Not here: decoding them, and what has no frames: video (one stream over all fragments), deflated data sets
(their bytes are not in the file) and JPIP references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isocenter.dicom import _keys, uids
from isocenter.dicom._dictionary_table import KEYWORDS
from isocenter.dicom._windows import ReadAt, reader_of
from isocenter.dicom.header import Element, Header, PixelData, Source
from isocenter.errors import NotAcceptable, NotFound, UnreadableObject

_WORDS = (
    "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
_TAGS = {KEYWORDS[word]: word for word in _WORDS}
# Chrominance is shared by two pixels, so that a pixel has two samples on average (PS3.3 C.7.6.3.1.2).
_TWO_SAMPLES = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
_FIXED_BITS = {0x7FE00008: 32, 0x7FE00009: 64}


class NoFrames(NotAcceptable):
    """The Pixel Data cannot be cut into frames as it is stored."""

    code = "no-frames"


class Frame(NamedTuple):
    """One frame as stored.

    Attributes:
        segments: (offset, length) in bytes of the file, to be joined.
        bit_offset: where in the first byte the frame begins; the lowest bit is 0.
        bits: of a native frame; 0 of an encapsulated one.
    """

    segments: tuple[tuple[int, int], ...]
    bit_offset: int = 0
    bits: int = 0

    @property
    def length(self) -> int:
        """Bytes of all segments."""
        return sum(length for _, length in self.segments)


@dataclass(frozen=True)
class Shape:
    """What the header says of its frames; `bits` is None when Rows, Columns or Bits Allocated are missing."""

    frames: int
    bits: int | None


@dataclass(frozen=True)
class FrameTable:
    """The frames of one object, numbered from 1 as in DICOM.

    Attributes:
        count: Number of Frames, 1 when it is not told.
        encapsulated: the frames of encapsulated Pixel Data, fewer than `count` when it is cut off.
    """

    count: int
    transfer_syntax: str
    start: int = 0
    end: int = 0
    bits: int = 0
    encapsulated: tuple[Frame, ...] | None = None

    def frame(self, number: int) -> Frame:
        """The frame `number`, from 1.

        Raises:
            NotFound: there is no such frame.
            UnreadableObject: it should be there, but the Pixel Data ends before it.
        """
        if not 1 <= number <= self.count:
            raise NotFound(f"There is no frame {number}", hint=f"frames are 1 to {self.count}")
        if self.encapsulated is not None:
            if number > len(self.encapsulated):
                raise UnreadableObject(f"The Pixel Data ends before frame {number}")
            return self.encapsulated[number - 1]
        first = (number - 1) * self.bits
        offset = self.start + first // 8
        length = (first % 8 + self.bits + 7) // 8
        if offset + length > self.end:
            raise UnreadableObject(f"The Pixel Data ends before frame {number}")
        return Frame(((offset, length),), first % 8, self.bits)


def locate(file: Source, header: Header) -> FrameTable:
    """Find all frames of the object.

    Args:
        file: the file that `header` describes: bytes, an mmap or a seekable binary file. Only item headers
            and offset tables of encapsulated Pixel Data are read, and the first and last bytes of fragments
            where nothing else tells where frames begin.
        header: of that file.

    Raises:
        NoFrames: no Pixel Data, video, deflated, or JPIP.
        UnreadableObject: frames cannot be told apart.
    """
    pixels = header.pixel_data
    syntax = header.transfer_syntax
    if pixels is None:
        raise NoFrames("The object has no Pixel Data")
    if header.deflated:
        raise NoFrames("A deflated data set has no frames in its file", hint="retrieve the whole instance")
    if uids.is_video(syntax) or syntax.startswith("1.2.840.10008.1.2.7."):
        raise NoFrames("Video is one stream without frames", hint="retrieve the whole instance")
    told = {_TAGS[element.tag]: element for element in header.pick(_TAGS)}
    shape = _shape(pixels, told)
    if pixels.length is not None:
        return _native(header, pixels, shape)
    from isocenter.dicom import encapsulated

    read = reader_of(file)
    tables = [_table(told.get(word), read) for word in _WORDS[-2:]]
    frames = encapsulated.frames(read, pixels.offset, shape.frames, syntax, tables[0], tables[1])
    found = tuple(Frame(tuple(segments)) for segments in frames)
    return FrameTable(shape.frames, syntax, encapsulated=found)


def read(file: Source, frame: Frame) -> bytes:
    """The bytes of a frame; a native one that begins inside a byte is shifted to begin at a byte.

    Raises:
        UnreadableObject: the file ends before the frame.
    """
    at = reader_of(file)
    data = b"".join([at(offset, length) for offset, length in frame.segments])
    if len(data) != frame.length:
        raise UnreadableObject("The file ends before the frame")
    return align(data, frame)


def align(data: bytes, frame: Frame) -> bytes:
    """The joined segments of a frame without the bits of its neighbours (PS3.5 8.1.1)."""
    if not frame.bit_offset and frame.bits % 8 == 0:
        return data
    number = int.from_bytes(data, "little") >> frame.bit_offset
    number &= (1 << frame.bits) - 1
    return number.to_bytes((frame.bits + 7) // 8, "little")


def _native(header: Header, pixels: PixelData, shape: Shape) -> FrameTable:
    if shape.bits is None:
        raise UnreadableObject("Rows, Columns or Bits Allocated are missing: frames cannot be told apart")
    end = pixels.offset + (pixels.length or 0)
    if header.size is not None:
        end = min(end, header.size)
    return FrameTable(shape.frames, header.transfer_syntax, pixels.offset, end, shape.bits)


def _shape(pixels: PixelData, told: dict[str, Element]) -> Shape:
    frames = _number(told.get("NumberOfFrames")) or 1
    size = [_number(told.get(word)) for word in ("Rows", "Columns")]
    bits = _FIXED_BITS.get(pixels.tag) or _number(told.get("BitsAllocated"))
    samples = _number(told.get("SamplesPerPixel")) or 1
    if samples == 3 and _text(told.get("PhotometricInterpretation")) in _TWO_SAMPLES:
        samples = 2
    if not bits or not all(size):
        return Shape(frames, None)
    return Shape(frames, (size[0] or 0) * (size[1] or 0) * samples * bits)


def _text(element: Element | None) -> str:
    return (_keys.text_of_ascii(element) or "") if element is not None else ""


def _number(element: Element | None) -> int | None:
    """A whole number, None when it is missing or no such number."""
    text = _text(element).partition("\\")[0]
    try:
        number = int(float(text))
    except (ValueError, OverflowError):
        return None
    return number if number > 0 else None


def _table(element: Element | None, read: ReadAt) -> bytes:
    """An extended offset table or its lengths; these are mostly too large to be in the header."""
    if element is None:
        return b""
    return element.value if element.value is not None else read(element.offset, element.length)
