"""One frame decoded (PS3.5 8): what rendering, frames for the web and re-encoding begin with.

`describe` takes from a header what pixels mean, `read` the bytes of one frame, and `decode` makes an array
of them, of any transfer syntax that there is a decoder for: pydicom's, with pylibjpeg, pyjpegls, gdcm or
Pillow behind them. The rest of the object is never looked at: one frame of thousands costs one frame.

Colours stay as they were encoded if that was without loss, and are RGB otherwise (and where asked for).
CPU-bound: decode in a process pool, to which :func:`decode_at` can be given.

Not here: where frames are (`frames`), encoding (`compress`), windows and look-up tables.
"""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from isocenter.dicom import _keys, frames, uids
from isocenter.dicom._dictionary_table import KEYWORDS
from isocenter.dicom.frames import Frame
from isocenter.dicom.header import Element, Header, Source
from isocenter.dicom.reencode import CannotTranscode, turned

if TYPE_CHECKING:
    import numpy as np

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
RAW_FRAGMENTS = frozenset({uids.ENCAPSULATED_UNCOMPRESSED, DEFLATED_FRAMES})
"""Encapsulated syntaxes whose frames are native pixels, plain or deflated (PS3.5 A.4.11, A.4.13)."""

_KEYWORD = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_WORDS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation",
)  # fmt: skip
_TAGS = {KEYWORDS[word]: word for word in _WORDS}
_FIXED_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
_WORD_OF_BITS = {16: "OW", 32: "OL", 64: "OV"}
_MOST = 2**32
"""Bytes of one frame, decoded: what a header says beyond it is no image."""


@dataclass(frozen=True, slots=True)
class Image:
    """What the header says of the pixels: enough to decode a frame (PS3.3 C.7.6.3).

    Attributes:
        transfer_syntax: UID, of the stored object.
        tag: of the Pixel Data element.
        vr: of the Pixel Data element.
        frames: Number of Frames.
        samples: Samples per Pixel.
        photometric: Photometric Interpretation.
        planar: Planar Configuration.
        signed: whether Pixel Representation is 1.
    """

    transfer_syntax: str
    tag: int
    vr: str
    frames: int
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    signed: bool

    @property
    def encapsulated(self) -> bool:
        """Whether frames are compressed, or at least in fragments."""
        return uids.is_encapsulated(self.transfer_syntax)

    @property
    def bits(self) -> int:
        """Bits of one frame when it is not compressed."""
        shared = self.samples == 3 and self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")
        samples = 2 if shared and not self.encapsulated else self.samples
        return self.rows * self.columns * samples * self.bits_allocated


class Decoded(NamedTuple):
    """One frame: `array` is (rows, columns) or (rows, columns, samples), one-bit pixels are 0 and 1 of uint8.

    `photometric` and `bits_allocated` are those of the array, which may differ from the stored ones.
    """

    array: np.ndarray[Any, Any]
    photometric: str
    bits_allocated: int

    def tobytes(self) -> bytes:
        """As native Pixel Data has it: little endian, samples of a pixel together, single bits packed."""
        import numpy as np

        if self.bits_allocated == 1:
            return np.packbits(self.array.ravel(), bitorder="little").tobytes()
        little = self.array.dtype.newbyteorder("<")
        return self.array.astype(little, copy=False).tobytes()


def describe(header: Header) -> Image:
    """The description of the pixels of an object.

    Raises:
        CannotTranscode: it has no pixels, or does not say how large they are.
    """
    pixels = header.pixel_data
    if pixels is None:
        raise CannotTranscode("The object has no Pixel Data")
    told = {_TAGS[element.tag]: element for element in header.pick(_TAGS)}
    numbers = {word: _number(told.get(word)) for word in _WORDS if word != "PhotometricInterpretation"}
    allocated = _FIXED_BITS.get(pixels.tag) or numbers["BitsAllocated"] or 0
    rows, columns, samples = numbers["Rows"], numbers["Columns"], numbers["SamplesPerPixel"] or 1
    if not (rows and columns and allocated) or rows * columns * samples * allocated > 8 * _MOST:
        raise CannotTranscode("Rows, Columns or Bits Allocated are missing, or are those of no image")
    photometric = told.get("PhotometricInterpretation")
    return Image(
        transfer_syntax=header.transfer_syntax,
        tag=pixels.tag,
        vr=pixels.vr,
        frames=numbers["NumberOfFrames"] or 1,
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=((_keys.text_of_ascii(photometric) or "") if photometric else "") or "MONOCHROME2",
        planar=numbers["PlanarConfiguration"] or 0,
        bits_allocated=allocated,
        bits_stored=min(numbers["BitsStored"] or allocated, allocated),
        signed=numbers["PixelRepresentation"] == 1,
    )


def _number(element: Element | None) -> int:
    text = (_keys.text_of_ascii(element) or "") if element is not None else ""
    try:
        return max(int(float(text.partition("\\")[0])), 0)
    except (ValueError, OverflowError):
        return 0


def is_decodable(transfer_syntax: str) -> bool:
    """Whether there is a decoder for frames of this syntax; of a single object it may still fail."""
    if uids.is_video(transfer_syntax) or uids.is_jpip(transfer_syntax):
        return False
    if not uids.is_encapsulated(transfer_syntax) or transfer_syntax in RAW_FRAGMENTS:
        return True
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        return bool(get_decoder(UID(transfer_syntax)).is_available)
    except NotImplementedError:
        return False


def is_compressed(transfer_syntax: str) -> bool:
    """Whether frames of this syntax have to be decoded to be pixels."""
    return uids.is_encapsulated(transfer_syntax) and transfer_syntax not in RAW_FRAGMENTS


def decode_at(
    path: str, image: Image, frame: Frame, *, rgb: bool = False, every_bit: bool = False
) -> Decoded:
    """Decode one frame of the file at `path`; see `read` and `decode`."""
    with open(path, "rb") as file:
        return decode(image, read(file, image, frame), rgb=rgb, every_bit=every_bit)


def read(file: Source, image: Image, frame: Frame) -> bytes:
    """A stored frame: compressed as it is, any other as Explicit VR Little Endian has it.

    Args:
        file: the stored object.
        image: what its header says.
        frame: where the frame is in it.

    Raises:
        UnreadableObject: the file ends before the frame.
        CannotTranscode: a deflated frame is damaged.
    """
    if uids.is_big_endian(image.transfer_syntax) and image.vr != "OB":
        return _turned(file, image, frame)
    data = frames.read(file, frame)
    if image.transfer_syntax not in RAW_FRAGMENTS:
        return data
    length = (image.bits + 7) // 8
    if image.transfer_syntax == DEFLATED_FRAMES:
        data = _inflated(data, length)
    if len(data) < length:
        raise CannotTranscode("A frame is shorter than the header says")
    return data[:length]


def _turned(file: Source, image: Image, frame: Frame) -> bytes:
    """A big endian frame. One of bytes or bits may begin or end inside a word, whose other half is needed."""
    vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(image.tag) or _WORD_OF_BITS.get(image.bits_allocated, "OW")
    ((offset, length),) = frame.segments
    before = offset % 2
    around = Frame(((offset - before, before + length + (before + length) % 2),))
    data = turned(frames.read(file, around), vr, True)[before : before + length]
    return frames.align(data, frame)


def decode(image: Image, data: bytes, *, rgb: bool = False, every_bit: bool = False) -> Decoded:
    """The pixels of one frame.

    Args:
        image: what the header says.
        data: the frame, from `read`.
        rgb: colours as RGB in any case.
        every_bit: leave bits beyond Bits Stored as they are: overlays may lie there.

    Raises:
        CannotTranscode: no decoder, or damaged.
    """
    if not is_compressed(image.transfer_syntax):
        return _decoded(image, uids.EXPLICIT_LITTLE_ENDIAN, data, rgb, every_bit)
    from pydicom.encaps import encapsulate

    if not is_decodable(image.transfer_syntax):
        raise CannotTranscode("There is no decoder for this transfer syntax")
    lossy = not uids.is_lossless(image.transfer_syntax)
    fragments = encapsulate([data], has_bot=False)
    return _decoded(image, image.transfer_syntax, fragments, rgb or lossy, every_bit)


def _inflated(data: bytes, length: int) -> bytes:
    stream = zlib.decompressobj(-15)
    try:
        return stream.decompress(data, length)
    except zlib.error as error:
        raise CannotTranscode("A deflated frame is damaged") from error


def _decoded(image: Image, syntax: str, data: bytes, rgb: bool, every_bit: bool) -> Decoded:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder: Any = get_decoder(UID(syntax))
    options: dict[str, Any] = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples,
        "photometric_interpretation": image.photometric,
        "planar_configuration": image.planar,
        "bits_allocated": image.bits_allocated,
        "bits_stored": image.bits_stored,
        "pixel_representation": int(image.signed),
        "correct_unused_bits": not every_bit,
        "pixel_keyword": _KEYWORD.get(image.tag, "PixelData"),
    }
    try:
        with quiet():
            array, told = decoder.as_array(data, index=0, raw=not rgb, **options)
    except Exception as error:  # decoders raise whatever they like
        raise CannotTranscode(f"The pixels cannot be decoded ({type(error).__name__})") from error
    return Decoded(array, str(told["photometric_interpretation"]), int(told["bits_allocated"]))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what pydicom says about values out of logs: it quotes them, and they are patients' data."""
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # of its children too, which `disabled` would leave alone
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


__all__ = [
    "Decoded",
    "Image",
    "decode",
    "decode_at",
    "describe",
    "is_compressed",
    "is_decodable",
    "quiet",
    "read",
]
