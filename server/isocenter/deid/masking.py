"""Blacking out boxes of an image, and what is cut away of its frames; every other pixel bit by bit as it was.

Native pixels are blacked out in place. Of compressed ones, frames in which something is to be blacked out are
encoded again without loss in the same syntax (RLE, JPEG lossless, JPEG-LS, JPEG 2000, also where it allows
loss), and frames beside them stay as they are. Where the syntax is always lossy (JPEG baseline, extended), no
frame can be encoded again without harm: all are decoded and written as native pixels, those that the stored
object shows. Video, and what has no decoder, cannot be masked, and is refused.

Not here: which boxes (`regions`), what is cut away (`defacing`), overlay planes, which are removed or cleaned
as attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from isocenter.deid.regions import Mask
from isocenter.dicom import compress, frames, pixels, uids
from isocenter.dicom.header import Header
from isocenter.dicom.pixels import Decoded, Image
from isocenter.dicom.reencode import CannotTranscode
from isocenter.errors import IsocenterError

if TYPE_CHECKING:
    Pixels = np.ndarray[Any, np.dtype[Any]]

SAME_SYNTAX = {
    "1.2.840.10008.1.2.5": compress.RLE,
    "1.2.840.10008.1.2.4.57": compress.JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.70": compress.JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.80": compress.JPEG_LS,
    "1.2.840.10008.1.2.4.81": compress.JPEG_LS,
    "1.2.840.10008.1.2.4.90": compress.JPEG_2000,
    "1.2.840.10008.1.2.4.91": compress.JPEG_2000,
}
"""Syntaxes in which a frame may stand that was encoded without loss, and by which encoder."""


class CannotMask(IsocenterError):
    """These pixels cannot be blacked out."""

    code = "cannot-mask"
    status = 422


@dataclass(frozen=True)
class Masked:
    """Pixel Data, blacked out.

    Attributes:
        transfer_syntax: in which they are now.
        native: pieces of the value; None when it is in fragments. They may raise CannotTranscode.
        length: of the native value, in bytes.
        fragments: of encapsulated Pixel Data, one a frame.
        photometric: Photometric Interpretation; None when it stays.
    """

    transfer_syntax: str
    native: Iterator[bytes] | None = None
    length: int = 0
    fragments: tuple[bytes, ...] = ()
    photometric: str | None = None


class Cover(NamedTuple):
    """What is covered of a frame.

    Attributes:
        area: which pixels, as (rows, columns) of booleans.
        value: the stored value that takes their place; None for black.
    """

    area: Pixels
    value: int | None = None


Covers = Callable[[int], list[Cover]]
"""What is covered of the frame of a number, from 1; the last wins."""
Cutting = Callable[[int, Image], Cover]
"""What is cut away of the frame of a number, from 1, of such an image."""


def black_out(file: BinaryIO, header: Header, mask: Mask | None, cutting: Cutting | None = None) -> Masked:
    """Pixel Data of a stored object without what the mask covers, and what is cut away.

    Args:
        file: the object.
        header: of that file.
        mask: what is blacked out in each frame.
        cutting: what is cut away of each.

    Raises:
        CannotMask: no frames to be told apart, no decoder or encoder.
    """
    try:
        image, table = pixels.describe(header), frames.locate(file, header)
        boxes = [Cover(covered(mask, image.rows, image.columns))] if mask is not None else []

        def covers(number: int) -> list[Cover]:
            return [cutting(number, image), *boxes] if cutting is not None else boxes

        if cutting is not None and (image.samples != 1 or image.bits_allocated not in (8, 16, 32)):
            raise CannotMask("Nothing is cut away from pixels of this kind")
        if not image.encapsulated:
            pieces = _native(file, image, table, covers, one_by_one=cutting is not None)
            return Masked(image.transfer_syntax, pieces, table.end - table.start)
        if table.encapsulated is None or len(table.encapsulated) < table.count:
            raise CannotMask("The Pixel Data end before the last frame")
        if image.transfer_syntax in SAME_SYNTAX:
            return _same(file, image, table, covers)
        return _decoded(file, image, table, covers)
    except CannotMask:
        raise
    except IsocenterError as error:
        raise CannotMask(error.message) from error


def covered(mask: Mask, rows: int, columns: int) -> Pixels:
    """Which pixels the mask covers, as (rows, columns) of booleans."""
    area = np.zeros((rows, columns), bool)
    if mask.keep is not None:
        area[:] = True
        for left, top, width, height in mask.keep:
            area[top : top + height, left : left + width] = False
    for left, top, width, height in mask.boxes:
        area[top : top + height, left : left + width] = True
    return area


def black(image: Image, photometric: str) -> tuple[int, ...]:
    """The stored values of a black pixel, one a sample; of a palette, its first colour."""
    if photometric.startswith("YBR"):
        middle = 1 << (image.bits_stored - 1)
        return (0, middle, middle)
    lowest = -(1 << image.bits_stored - 1) if image.signed else 0
    highest = lowest + (1 << image.bits_stored) - 1
    if photometric == "MONOCHROME1":
        return (highest,)
    return (lowest if photometric == "MONOCHROME2" else 0,) * image.samples


def _native(
    file: BinaryIO, image: Image, table: frames.FrameTable, covers: Covers, *, one_by_one: bool
) -> Iterator[bytes]:
    """Frame by frame where frames are whole bytes, all at once otherwise, then what stands behind."""
    swapped = uids.is_big_endian(image.transfer_syntax) and image.vr == "OW" and image.bits_allocated <= 8
    whole = image.bits % 8 != 0 or image.bits_allocated == 1 or (swapped and image.bits % 16 != 0)
    if image.tag != 0x7FE00010 or image.bits_allocated not in (1, 8, 16, 32):
        raise CannotMask("Pixels of this kind are not blacked out")
    if (table.end - table.start) * 8 < image.bits * table.count:
        raise CannotMask("The Pixel Data end before the last frame")
    if whole and one_by_one and table.count > 1:
        raise CannotMask("Nothing is cut away from frames that begin within a word")
    count, bits = (1, image.bits * table.count) if whole else (table.count, image.bits)
    return _pieces(file, image, covers, table, (count, (bits + 7) // 8, swapped))


def _pieces(
    file: BinaryIO, image: Image, covers: Covers, table: frames.FrameTable, told: tuple[int, int, bool]
) -> Iterator[bytes]:
    count, length, swapped = told
    for number in range(count):
        file.seek(table.start + number * length)
        data = bytearray(file.read(length + (length % 2 if swapped else 0)))
        words = np.frombuffer(data, np.uint16) if swapped else None
        if words is not None:
            words.byteswap(inplace=True)
        for cover in covers(number + 1):
            _in_place(data, image, cover, table.count if count == 1 else 1)
        if words is not None:
            words.byteswap(inplace=True)
        yield bytes(data)
    yield bytes(max(table.end - file.tell(), 0))  # padding


def _in_place(data: bytearray, image: Image, cover: Cover, count: int) -> None:
    """Cover frames that follow each other."""
    shape, area = (image.rows, image.columns), cover.area
    values = black(image, image.photometric) if cover.value is None else (cover.value,)
    if image.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        for at in range(0, count * image.bits, image.bits):
            bits[at : at + image.bits].reshape(shape)[area] = values[0]
        data[:] = np.packbits(bits, bitorder="little").tobytes()
        return
    order = ">" if uids.is_big_endian(image.transfer_syntax) else "<"
    kind = np.dtype(f"{order}{'i' if image.signed else 'u'}{image.bits_allocated // 8}")
    samples = np.frombuffer(data, kind, count=count * image.bits // image.bits_allocated)
    if image.samples == 3 and image.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        _pairs(samples, area, values, count)
    elif image.samples == 1:
        samples.reshape(count, *shape)[:, area] = values[0]
    elif image.planar:
        planes = samples.reshape(count, image.samples, *shape)
        for plane in range(image.samples):
            planes[:, plane][:, area] = values[plane]
    else:
        samples.reshape(count, *shape, image.samples)[:, area] = values


def _pairs(samples: Pixels, area: Pixels, values: tuple[int, ...], count: int) -> None:
    """Of pixels that share their colour (Y Y Cb Cr), both or none."""
    if area.shape[1] % 2:
        raise CannotMask("Pixels that share colours come in pairs")
    both = area.reshape(area.shape[0], -1, 2).any(axis=2)
    shared = (values[0], values[0], values[1], values[2])
    samples.reshape(count, *both.shape, 4)[:, both] = shared


def _same(file: BinaryIO, image: Image, table: frames.FrameTable, covers: Covers) -> Masked:
    """Only frames in which something is to be blacked out are encoded again.

    Where one would get other colours than the header says of all, or does not fit: all decoded.
    """
    encoder = SAME_SYNTAX[image.transfer_syntax]
    made: list[bytes] = []
    for number in range(1, table.count + 1):
        stored = pixels.read(file, image, table.frame(number))
        frame = pixels.decode(image, stored, every_bit=True)
        done = masked(image, frame, covers(number))
        if done is None:
            made.append(stored + b"\0" * (len(stored) % 2))
            continue
        if compress.photometric_in(done.photometric, encoder) != image.photometric:
            return _decoded(file, image, table, covers)
        try:
            made.append(compress.encode(image, done, encoder))
        except CannotTranscode:
            return _decoded(file, image, table, covers)
    return Masked(image.transfer_syntax, fragments=tuple(made))


def _decoded(file: BinaryIO, image: Image, table: frames.FrameTable, covers: Covers) -> Masked:
    """All frames decoded, as native pixels."""
    first = pixels.decode(image, pixels.read(file, image, table.frame(1)), every_bit=True)
    length = first.array.size * first.bits_allocated // 8 * table.count
    if length > 0xFFFFFFFE:
        raise CannotMask("Decoded, the Pixel Data would be longer than 4 GiB")
    if first.bits_allocated not in (8, 16) or first.bits_allocated != image.bits_allocated:
        raise CannotMask("Pixels of this kind are not blacked out")
    return Masked(
        uids.EXPLICIT_LITTLE_ENDIAN,
        _all(file, image, table, covers),
        length + length % 2,
        photometric=first.photometric,
    )


def _all(file: BinaryIO, image: Image, table: frames.FrameTable, covers: Covers) -> Iterator[bytes]:
    length = 0
    for number in range(1, table.count + 1):
        frame = pixels.decode(image, pixels.read(file, image, table.frame(number)), every_bit=True)
        data = (masked(image, frame, covers(number)) or frame).tobytes()
        length += len(data)
        yield data
    yield b"\0" * (length % 2)


def masked(image: Image, frame: Decoded, covers: list[Cover]) -> Decoded | None:
    """A frame without what is covered; None when it is so already."""
    array = frame.array.copy()
    for area, stored in covers:
        values = black(image, frame.photometric) if stored is None else (stored,) * image.samples
        array[area] = np.array(values if array.ndim == 3 else values[0]).astype(array.dtype)
    return None if np.array_equal(array, frame.array) else frame._replace(array=array)


def describe_result(result: Dataset, masked: Masked) -> None:
    """Say in the data set how its pixels are encoded now."""
    if masked.photometric is None:
        return
    result.PhotometricInterpretation = masked.photometric
    if int(result.get("SamplesPerPixel", 1)) > 1:
        result.PlanarConfiguration = 0
