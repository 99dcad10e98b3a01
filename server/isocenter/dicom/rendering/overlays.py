"""Overlay planes of groups 60xx (PS3.3 C.9.2): of Overlay Data, or in high bits of the pixels (retired)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from pydicom import Dataset

from isocenter.dicom.rendering.pixels import Array

GROUPS = range(0x6000, 0x6020, 2)


def burn(
    picture: Array, data_set: Dataset, raw: Array | None, number: int, only: Collection[int] | None = None
) -> Array:
    """The picture with its overlays in white.

    Args:
        picture: grey or RGB, bytes; changed in place.
        data_set: where the overlays are.
        raw: samples with all their bits, for planes within them; None: look at none.
        number: of the frame, from 1.
        only: groups to show; all when None.
    """
    for group in GROUPS:
        if only is None or group in only:
            found = _plane(data_set, group, raw, number)
            if found is not None:
                _draw(picture, *found)
    return picture


def _draw(picture: Array, plane: Array, top: int, left: int) -> None:
    """White where the plane is 1; its upper left corner may lie outside."""
    rows, columns = picture.shape[:2]
    y, x = max(top, 0), max(left, 0)
    cut = plane[y - top : rows - top, x - left : columns - left]
    if cut.size:
        picture[y : y + cut.shape[0], x : x + cut.shape[1]][cut] = 255


def _plane(data_set: Dataset, group: int, raw: Array | None, number: int) -> tuple[Array, int, int] | None:
    """The plane as booleans, and the row and column of its first pixel from 0."""
    rows, columns = (_int(data_set, group, element) for element in (0x10, 0x11))
    origin = data_set.get((group, 0x50))
    top, left = (int(part) - 1 for part in origin.value) if origin is not None and origin.value else (0, 0)
    data = data_set.get((group, 0x3000))
    if data is None or not data.value:
        position = _int(data_set, group, 0x102)
        bits = _int(data_set, group, 0x100)
        if raw is None or raw.dtype.kind not in "iu" or not bits or bits == 1 or not 0 < position < bits:
            return None
        return ((raw >> position) & 1).astype(bool), top, left
    if not rows or not columns:
        return None
    count = _int(data_set, group, 0x15) or 1
    first = _int(data_set, group, 0x51) or 1
    at = number - first if count > 1 else 0
    if not 0 <= at < count:
        return None
    start = at * rows * columns
    packed = np.frombuffer(data.value, np.uint8)
    plane = np.unpackbits(packed, bitorder="little")[start : start + rows * columns]
    return (plane.reshape(rows, columns).astype(bool), top, left) if plane.size == rows * columns else None


def _int(data_set: Dataset, group: int, element: int) -> int:
    found = data_set.get((group, element))
    return int(found.value) if found is not None and found.value not in (None, "") else 0
