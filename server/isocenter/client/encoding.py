"""How the numbers of an array become stored values: bits, sign, and the rescale that gives them back.

Without loss where 16 bit allow it: whole numbers that span at most 65,535. Otherwise values are rounded to
equal steps over their range, and it is said how large a step is. Not here: what the values mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isocenter.errors import BadRequest

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Encoded:
    """Stored values: `slope * stored + intercept` are the array's, to within half of `step`.

    Attributes:
        stored: as they are stored.
        slope, intercept: as Decimal Strings (at most 16 characters).
        step: distance of neighbouring values; 0 when nothing was rounded.
    """

    stored: Array = field(repr=False)
    slope: str = "1"
    intercept: str = "0"
    step: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether values are stored as they are."""
        return (self.slope, self.intercept) == ("1", "0")

    @property
    def loss(self) -> str:
        """What was lost, in words."""
        return f"values are rounded to steps of {self.step:.4g}" if self.step else "values are exact"


def encode(
    array: Array, *, shifted: bool = True, narrow: bool = False, bits: int = 16, scaled: bool = False
) -> Encoded:
    """Stored values of an array.

    Args:
        array: of whole or floating-point numbers.
        shifted: an intercept other than 0 is allowed.
        narrow: 8 bit are enough where the values fit.
        bits: of a stored value that is rounded, 16 or 32.
        scaled: also whole numbers are steps over their range, as RT Dose has them.

    Raises:
        BadRequest: it has values that are no numbers, or no numbers at all.
    """
    if array.dtype.kind not in "biuf":
        raise BadRequest(f"An array of {array.dtype} cannot be stored", hint="give numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        hint = "replace them: np.nan_to_num(array, nan=-1024), or store it with frames='multi'"
        raise BadRequest("The array has values that are infinite or no numbers", hint=hint)
    low, high = float(array.min()), float(array.max())
    whole = not scaled and (array.dtype.kind != "f" or np.array_equal(array, np.rint(array)))
    if whole and (found := _whole(array, low, high, shifted=shifted, narrow=narrow)):
        return found
    return _scaled(array, low, high, shifted=shifted, bits=bits)


def _whole(array: Array, low: float, high: float, *, shifted: bool, narrow: bool) -> Encoded | None:
    """Whole numbers as they are, or moved by one; None when their span is too wide."""
    kinds = ((np.uint8,) if narrow else ()) + (np.uint16, np.int16)
    for kind in kinds:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return Encoded(array.astype(kind))
    if shifted and high - low <= 65_535 and abs(low) < 1e15:
        return Encoded((array.astype(np.float64) - low).astype(np.uint16), intercept=f"{low:.0f}")
    return None


def _scaled(array: Array, low: float, high: float, *, shifted: bool, bits: int) -> Encoded:
    """Rounded to equal steps over the whole range."""
    signed = low < 0 and not shifted
    most = float(2 ** (bits - 1) - 1 if signed else 2**bits - 1)
    start = low if shifted else 0.0
    span = high - start if not signed else max(abs(low), abs(high))
    slope = _decimal((span or abs(start) or 1.0) / most, up=True)
    intercept = _decimal(start)
    kind = np.dtype(f"{'i' if signed else 'u'}{bits // 8}")
    values = (array.astype(np.float64) - float(intercept)) / float(slope)
    stored = np.clip(np.rint(values), -most if signed else 0.0, most).astype(kind)
    return Encoded(stored, slope, intercept, float(slope))


def _decimal(value: float, *, up: bool = False) -> str:
    """A Decimal String of at most 16 characters; with `up` none below the value."""
    for digits in range(15, 0, -1):
        text = f"{value:.{digits}g}"
        if up and float(text) < value:
            text = f"{value * (1 + 10.0 ** (1 - digits)):.{digits}g}"
        if len(text) <= 16:
            return text
    raise AssertionError("one digit fits")
