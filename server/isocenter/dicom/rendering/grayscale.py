"""From stored values to grey levels: modality LUT, VOI LUT or window, polarity (PS3.3 C.11, PS3.4 N.2.1).

Values are 0 (black) to 255 (white) at the end. Stored integers go through one table of all values of the
frame, floats through the same steps. Not here: presentation states choose the steps (`presentation`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from isocenter.dicom.rendering.pixels import Array, functional
from isocenter.dicom.rendering.view import FUNCTIONS, Window

Step = Callable[[Array], Array]

_LARGEST_TABLE = 1 << 20


@dataclass(frozen=True)
class Lut:
    """A table of a Modality or VOI LUT Sequence: its entries from `first` on, of `bits` each."""

    first: int
    bits: int
    entries: Array

    def __call__(self, values: Array) -> Array:
        """The entries for `values`; values beyond the ends take the end's (PS3.3 C.11.1.1)."""
        index = np.rint(values).astype(np.int64) - self.first
        found: Array = self.entries[np.clip(index, 0, len(self.entries) - 1)].astype(np.float64)
        return found


def lut_of(item: Dataset, signed: bool) -> Lut | None:
    """The table of a LUT item; None when it is broken."""
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or data is None or len(descriptor) != 3:
        return None
    count, first, bits = (int(part) for part in descriptor)
    entries = _entries(data, count or 65536)
    first -= 65536 if signed and first >= 32768 else 0
    return Lut(first, bits or 16, entries) if len(entries) else None


def _entries(data: Any, count: int) -> Array:
    """Entries as words, or as bytes where so many bytes are there."""
    if isinstance(data, bytes):
        return np.frombuffer(data, np.uint8 if len(data) < 2 * count else "<u2")[:count]
    values = np.asarray(data if isinstance(data, list | MultiValue) else [data]).astype(np.int64)
    if len(values) * 2 in (count, count + 1):  # two entries of 8 bits a word
        return values.astype("<u2").view(np.uint8)[:count]
    return values[:count]


def modality_of(source: Dataset, signed: bool, number: int = 1) -> Step:
    """The modality LUT that `source` (an image or a presentation state) tells for a frame."""
    sequence = source.get("ModalityLUTSequence")
    lut = lut_of(sequence[0], signed) if sequence else None
    if lut is not None:
        return lut
    item = functional(source, number, "PixelValueTransformationSequence") or source
    slope = _float(item.get("RescaleSlope"), 1.0) or 1.0
    intercept = _float(item.get("RescaleIntercept"), 0.0)
    return lambda values: values * slope + intercept


def voi_of(source: Dataset, signed: bool, number: int = 1) -> Step | None:
    """The VOI LUT or else the window of `source`, None when it has none that can be used."""
    sequence = source.get("VOILUTSequence")
    lut = lut_of(sequence[0], signed) if sequence else None
    if lut is not None:
        most = float((1 << lut.bits) - 1)
        return lambda values: lut(values) * (255.0 / most)
    window = window_of(functional(source, number, "FrameVOILUTSequence") or source)
    return None if window is None else windowing(window)


def window_of(source: Dataset) -> Window | None:
    """The first window of `source`."""
    center, width = _first(source.get("WindowCenter")), _first(source.get("WindowWidth"))
    if center is None or width is None:
        return None
    function = str(source.get("VOILUTFunction") or "LINEAR").strip().upper()
    function = function if function in FUNCTIONS else "LINEAR"
    least = 1.0 if function == "LINEAR" else 0.0
    center, width = _float(center, np.nan), _float(width, np.nan)
    if not (np.isfinite(center) and np.isfinite(width) and width >= least and width > 0):
        return None
    return Window(center, width, function)


def windowing(window: Window) -> Step:
    """The function of a window, to 0..255 (PS3.3 C.11.2.1.2.1, C.11.2.1.3)."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        return lambda x: 255.0 / (1.0 + np.exp(np.clip(-4.0 * (x - center) / width, -700.0, 700.0)))
    if window.function == "LINEAR_EXACT":
        return lambda x: np.clip((x - center) / width + 0.5, 0.0, 1.0) * 255.0
    if width == 1.0:
        return lambda x: np.where(x > center - 0.5, 255.0, 0.0)
    return lambda x: np.clip((x - (center - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0) * 255.0


def spread(low: float, high: float) -> Step:
    """A straight line from black at `low` to white at `high`."""
    if not high > low:
        return lambda x: np.zeros(np.shape(x))
    return lambda x: np.clip((x - low) / (high - low), 0.0, 1.0) * 255.0


def displayed(stored: Array, steps: list[Step], inverse: bool) -> Array:
    """Grey levels as bytes.

    Args:
        stored: values of one frame.
        steps: modality LUT, VOI LUT; the last gives 0..255.
        inverse: whether the lowest value is white.
    """
    if stored.size and stored.dtype.kind in "iu":
        low, high = int(stored.min()), int(stored.max())
        if high - low < _LARGEST_TABLE:
            table = _levels(np.arange(low, high + 1, dtype=np.float64), steps, inverse)
            found: Array = table[stored.astype(np.int64) - low]
            return found
    return _levels(np.nan_to_num(stored.astype(np.float64)), steps, inverse)


def _levels(values: Array, steps: list[Step], inverse: bool) -> Array:
    for step in steps:
        values = step(values)
    levels: Array = np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
    return np.subtract(255, levels, dtype=np.uint8) if inverse else levels


def range_of(stored: Array, data_set: Dataset, modality: Step) -> tuple[float, float]:
    """Lowest and highest output of the modality LUT, pixel padding left out (PS3.3 C.7.5.1.1.2)."""
    values = stored[np.isfinite(stored)] if stored.dtype.kind == "f" else stored
    padding = data_set.get("PixelPaddingValue")
    if isinstance(padding, int) and stored.dtype.kind in "iu":
        limit = data_set.get("PixelPaddingRangeLimit")
        ends = sorted(_as_stored(int(end), stored) for end in (padding, padding if limit is None else limit))
        kept = values[(values < ends[0]) | (values > ends[1])]
        values = kept if kept.size else values
    if not values.size:
        return 0.0, 0.0
    ends_seen = modality(np.asarray([values.min(), values.max()], np.float64))
    return float(ends_seen.min()), float(ends_seen.max())


def _as_stored(value: int, stored: Array) -> int:
    """Padding values are of the pixels' sign, though some writers use the other VR."""
    info = np.iinfo(stored.dtype)
    span = int(info.max) - int(info.min) + 1
    return value - span if value > info.max else value + span if value < info.min else value


def _first(value: Any) -> Any:
    return (value[0] if len(value) else None) if isinstance(value, list | MultiValue) else value


def _float(value: Any, otherwise: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise
