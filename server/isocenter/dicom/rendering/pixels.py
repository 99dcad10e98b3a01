"""One decoded frame of a stored image, its neighbours left where they are (PS3.3 C.7.6.3).

The header is read without Pixel Data, the frame by its recorded byte ranges (`dicom.frames`), decoded alone
by pydicom's decoders. Memory holds one frame. Not here: what the values mean (`grayscale`, `colour`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from isocenter.dicom import frames, uids
from isocenter.dicom.header import PixelData, read_header
from isocenter.dicom.rendering.view import CannotRender

Array = npt.NDArray[Any]

MOST_PIXELS = 500_000_000
_DEFERRED = 64 * 1024
_FLOATS = {0x7FE00008: "<f4", 0x7FE00009: "<f8"}
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
_SHAPE = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


@dataclass(frozen=True)
class Decoded:
    """The samples of a frame as they come from its decoder: rows by columns, by 3 for colour."""

    array: Array
    photometric: str


class StoredImage:
    """A stored object with pixels, open for frame after frame; use as a context manager.

    Args:
        path: of a Part 10 file, or of a data set, that is neither deflated nor big endian.

    Raises:
        CannotRender: there are no frames in it.
    """

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 (closed by `close`)
        try:
            self._header = read_header(self._file)
            self._table = frames.locate(self._file, self._header)
            self.data_set: Dataset = dcmread(path, stop_before_pixels=True, defer_size=_DEFERRED, force=True)
            # pydicom wants to know the byte order again when it looks values up.
            self.data_set.file_meta.TransferSyntaxUID = UID(self._header.transfer_syntax)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> StoredImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def count(self) -> int:
        """Number of Frames."""
        return self._table.count

    def frame(self, number: int) -> Decoded:
        """Decode one frame, from 1.

        Raises:
            NotFound: there is no such frame.
            CannotRender: no decoder, damaged, or too large.
        """
        pixels = self._header.pixel_data
        assert pixels is not None  # or there would be no table
        rows, columns = int(self.data_set.get("Rows") or 0), int(self.data_set.get("Columns") or 0)
        if rows * columns > MOST_PIXELS:
            raise CannotRender("The frame is too large to be shown", hint="retrieve the instance instead")
        raw = frames.read(self._file, self._table.frame(number))
        if pixels.tag in _FLOATS:
            array = np.frombuffer(raw, _FLOATS[pixels.tag], rows * columns).reshape(rows, columns)
            return Decoded(array, "MONOCHROME2")
        try:
            return self._decode(raw, pixels)
        except Exception as error:  # decoders raise whatever they like
            raise CannotRender(
                f"The pixels cannot be decoded ({type(error).__name__})",
                hint="retrieve the instance as stored: Accept: application/dicom; transfer-syntax=*",
            ) from error

    def _decode(self, raw: bytes, pixels: PixelData) -> Decoded:
        syntax = self._header.transfer_syntax
        if syntax in (uids.ENCAPSULATED_UNCOMPRESSED, _DEFLATED_FRAMES):
            raw = zlib.decompress(raw, -15) if syntax == _DEFLATED_FRAMES else raw
            syntax = uids.EXPLICIT_LITTLE_ENDIAN
        single = self._single(raw, syntax, pixels.vr)
        decoder: Any = get_decoder(UID(syntax))
        if not decoder.is_available:
            raise CannotRender("There is no decoder for this transfer syntax")
        # All bits as they are: overlays may lie in those that are no pixels.
        array, told = decoder.as_array(single, index=0, as_rgb=True, correct_unused_bits=False)
        return Decoded(array, str(told["photometric_interpretation"]))

    def _single(self, raw: bytes, syntax: str, vr: str) -> Dataset:
        """The frame as an image of its own."""
        single = Dataset()
        for keyword in _SHAPE:
            if keyword in self.data_set:
                single[keyword] = self.data_set[keyword]
        if "BitsStored" not in single:
            single.BitsStored = single.BitsAllocated
        single.NumberOfFrames = 1
        encapsulated = uids.is_encapsulated(syntax)
        value = encapsulate([raw]) if encapsulated else raw + bytes(len(raw) % 2)
        single.add_new(0x7FE00010, "OB" if encapsulated else vr if vr in ("OB", "OW") else "OW", value)
        single["PixelData"].is_undefined_length = encapsulated
        single.file_meta = FileMetaDataset()
        single.file_meta.TransferSyntaxUID = UID(syntax)
        return single


def functional(data_set: Dataset, number: int, keyword: str) -> Dataset | None:
    """The functional group `keyword` of frame `number` (PS3.3 C.7.6.16): its own, else the shared one."""
    per_frame = data_set.get("PerFrameFunctionalGroupsSequence") or []
    shared = data_set.get("SharedFunctionalGroupsSequence") or []
    for groups in ([per_frame[number - 1]] if 0 < number <= len(per_frame) else [], shared):
        for group in groups:
            found = group.get(keyword)
            if found:
                item: Dataset = found[0]
                return item
    return None
