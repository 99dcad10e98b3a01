"""Overlay planes (PS3.3 C.9.2) that Clean Graphics keeps: what a mask covers of the image goes from them too.

That is no clearance: a rule tells where text lies in the pixels, and nobody looks for it elsewhere in an
overlay (PS3.15 E.3.3 wants that done). Not here: removing overlays (`plan`), those in unused bits (`pixels`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from isocenter.deid.masking import CannotMask, covered
from isocenter.deid.regions import Mask

_DATA, _ROWS, _COLUMNS, _FRAMES, _ORIGIN = 0x3000, 0x0010, 0x0011, 0x0015, 0x0050


def black_out_overlays(result: Dataset, mask: Mask) -> int:
    """Clear the bits of planes that the mask covers, or that lie outside of the image; how many planes.

    Raises:
        CannotMask: a plane does not say where it lies.
    """
    groups = [tag.group for tag in result.keys() if tag.group >> 8 == 0x60 and tag.element == _DATA]  # noqa: SIM118
    for group in groups:
        try:
            _clear(result, group << 16, covered(mask, int(result.Rows), int(result.Columns)))
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise CannotMask("An overlay plane does not say where it lies") from error
    return len(groups)


def _clear(result: Dataset, base: int, area: np.ndarray[Any, Any]) -> None:
    element = result[base | _DATA]
    rows, columns = int(result[base | _ROWS].value), int(result[base | _COLUMNS].value)
    frames = int(result[base | _FRAMES].value or 1) if base | _FRAMES in result else 1
    top, left = (int(one) - 1 for one in result[base | _ORIGIN].value)
    data = np.frombuffer(element.value, np.uint8)
    swapped = element.VR == "OW" and result.original_encoding[1] is False
    if swapped:
        data = data.view(np.uint16).byteswap().view(np.uint8)
    bits = np.unpackbits(data, bitorder="little")
    number = frames * rows * columns
    if min(rows, columns, frames) < 1 or number > bits.size:
        raise ValueError
    planes = bits[:number].reshape(frames, rows, columns)
    planes[:, _under(area, (top, left), (rows, columns))] = 0
    bits[number:] = 0
    made = np.packbits(bits, bitorder="little")
    if swapped:
        made = made.view(np.uint16).byteswap().view(np.uint8)
    result[base | _DATA] = DataElement(base | _DATA, element.VR, made.tobytes())


def _under(
    area: np.ndarray[Any, Any], origin: tuple[int, int], shape: tuple[int, int]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which pixels of a plane lie where the mask covers the image, or outside of it."""
    made = np.ones(shape, bool)
    top, left = origin
    first, last = max(top, 0), min(top + shape[0], area.shape[0])
    begin, end = max(left, 0), min(left + shape[1], area.shape[1])
    if first < last and begin < end:
        made[first - top : last - top, begin - left : end - left] = area[first:last, begin:end]
    return made
