"""A stored image, open for frame after frame (PS3.3 C.7.6.3): its header, and one decoded frame at a time.

The header is read without Pixel Data and without large values, a frame by its recorded byte ranges, decoded
alone by `dicom.pixels`. Not here: what the values mean (`grayscale`, `colour`).
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from isocenter.dicom import frames, pixels
from isocenter.dicom.header import read_header
from isocenter.dicom.pixels import Decoded
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicom.rendering.view import CannotRender

Array = npt.NDArray[Any]

MOST_PIXELS = 500_000_000
_DEFERRED = 64 * 1024
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")


class StoredImage:
    """A stored object with pixels; use as a context manager.

    Args:
        path: of a Part 10 file, or of a data set, that is not deflated.

    Raises:
        NoFrames: there are no frames in it.
        CannotTranscode: it does not say how large they are.
    """

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 (closed by `close`)
        try:
            header = read_header(self._file)
            self._table = frames.locate(self._file, header)
            self.told = pixels.describe(header)
            self.data_set: Dataset = dcmread(path, stop_before_pixels=True, defer_size=_DEFERRED, force=True)
            # pydicom wants to know the byte order again when it looks values up.
            self.data_set.file_meta.TransferSyntaxUID = UID(header.transfer_syntax)
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
        """Decode one frame, from 1: grey with all its bits, colours as RGB.

        Raises:
            NotFound: there is no such frame.
            CannotRender: no decoder, damaged, or too large.
        """
        if self.told.rows * self.told.columns > MOST_PIXELS:
            raise CannotRender("The frame is too large to be shown", hint="retrieve the instance instead")
        frame = self._table.frame(number)
        try:
            raw = pixels.read(self._file, self.told, frame)
            colour = self.told.photometric not in _GREY
            return pixels.decode(self.told, raw, rgb=colour, every_bit=not colour)
        except CannotTranscode as error:
            hint = "retrieve the instance as stored: Accept: application/dicom; transfer-syntax=*"
            raise CannotRender(error.message, hint=hint) from error


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
