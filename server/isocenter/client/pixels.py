"""Pixels of slices, fetched uncompressed over several connections, as an array of what they mean.

The server decodes (`…/pixeldata` as octets, PS3.18 10.4.1.1.7), so no decoder is needed here; of an instance
with many frames only those asked for are sent, by ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.client.files import patiently
from isocenter.client.parallel import in_order
from isocenter.client.progress import Progress
from isocenter.client.slices import Meaning, Slice, Stored
from isocenter.errors import BadRequest, UnreadableObject

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

_OCTETS = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
_AT_ONCE = 8_000_000
_EXACT = 24  # bits of a whole number that a float32 has

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Run:
    """Frames that follow each other in an instance and in the array."""

    path: str
    at: int
    slices: list[Slice]

    @property
    def size(self) -> int:
        """Bytes."""
        return self.slices[0].stored.frame_bytes * len(self.slices)


def fetch(
    transport: Transport,
    paths: Mapping[str, str],
    slices: Sequence[Slice],
    *,
    dtype: Any = None,
    connections: int = 4,
    progress: bool | Callable[[int, int], None] = True,
) -> Array:
    """The values of slices, of shape (slices, rows, columns).

    Args:
        transport: to the server.
        paths: of instances by SOP Instance UID.
        slices: all of one size.
        dtype: of the array; None: the smallest whole numbers that hold every possible value, else float32
            (float64 where that is not exact).
        connections: requests at the same time.
        progress: shown, or told to a function; in bytes as sent.
    """
    first = slices[0].stored
    fitting = _fitting(slices)
    made = np.empty((len(slices), first.rows, first.columns), dtype or fitting)
    safe = np.can_cast(fitting, made.dtype)

    def work(run: _Run) -> None:
        patiently(lambda: _fill(transport, run, made, safe))

    runs = list(_runs(paths, slices))
    with Progress("Pixels", sum(run.size for run in runs), progress) as shown:
        for run, _ in in_order(runs, work, connections=connections, weigh=lambda run: run.size):
            shown.advance(run.size)
    return made


def _runs(paths: Mapping[str, str], slices: Sequence[Slice]) -> Iterator[_Run]:
    run: _Run | None = None
    for at, one in enumerate(slices):
        if run is not None:
            last = run.slices[-1]
            if (one.uid, one.frame) == (last.uid, last.frame + 1) and run.size < _AT_ONCE:
                run.slices.append(one)
                continue
            yield run
        run = _Run(paths[one.uid] + "/pixeldata", at, [one])
    if run is not None:
        yield run


def _fill(transport: Transport, run: _Run, made: Array, safe: bool) -> None:
    stored = run.slices[0].stored
    start = (run.slices[0].frame - 1) * stored.frame_bytes
    headers = {"Accept": _OCTETS, "Range": f"bytes={start}-{start + run.size - 1}"}
    raw = bytearray(run.size)
    view, got = memoryview(raw), 0
    with transport.request("GET", run.path, headers=headers) as response:
        if response.status != 206 and start:
            raise UnreadableObject("The server sent other frames than were asked for")
        while got < run.size and (count := response.readinto(view[got:])):
            got += count
        response.finish()
    if got < run.size:
        told = f"Instance {run.slices[0].uid} has fewer pixels than its header says"
        raise UnreadableObject(told, hint="volume() of the other instances: select them by a frame")
    shape = (len(run.slices), stored.rows, stored.columns)
    values = np.frombuffer(raw, stored.kind).reshape(shape)
    for number, one in enumerate(run.slices):
        meant(plain(values[number], stored), one.meaning, made[run.at + number], safe=safe)


def plain(values: Array, stored: Stored) -> Array:
    """Without the bits above and below those that are used, which others may have put there (C.7.6.3.1.1)."""
    if not stored.bits:
        return values
    width = values.dtype.itemsize * 8
    up = width - stored.bits - stored.shift
    made: Array = (values << values.dtype.type(up)) >> values.dtype.type(width - stored.bits)
    return made


def meant(values: Array, meaning: Meaning, out: Array, *, safe: bool) -> None:
    """What stored values mean, into `out`; what a type of whole numbers cannot hold is cut to its range.

    Args:
        values: of one frame as stored.
        meaning: of it.
        out: of the same shape.
        safe: whether the type of `out` holds every value that there can be, so that nothing need be cut.
    """
    dtype = out.dtype
    if meaning.table:
        table = np.asarray(meaning.table)
        out[:] = _cut(table[np.clip(values.astype(np.int64) - meaning.first, 0, len(table) - 1)], dtype)
    elif (meaning.slope, meaning.intercept) == (1.0, 0.0):
        out[:] = values if safe else _cut(values, dtype)
    elif dtype.kind == "f" or (safe and _whole(meaning)):
        # Of whole numbers what goes beyond the type in between comes back by the same amount.
        slope, intercept = (_of_type(value, dtype) for value in (meaning.slope, meaning.intercept))
        np.multiply(values, slope, out=out, dtype=dtype, casting="unsafe")
        out += intercept
    else:
        out[:] = _cut(values.astype(np.float64) * meaning.slope + meaning.intercept, dtype)


def _of_type(value: float, dtype: np.dtype[Any]) -> Any:
    return dtype.type(value) if dtype.kind == "f" else np.int64(int(value)).astype(dtype)


def _cut(values: Array, dtype: Any) -> Array:
    kind = np.dtype(dtype)
    if kind.kind in "iu" and not np.can_cast(values.dtype, kind):
        limits = np.iinfo(kind)
        whole = np.rint(values) if values.dtype.kind == "f" else values
        return np.clip(whole, limits.min, limits.max).astype(kind)
    return values.astype(kind, copy=False)


def _fitting(slices: Sequence[Slice]) -> Any:
    """The type that holds every value that could be stored in these slices."""
    meanings = {one.meaning: one.stored for one in slices}
    bounds: list[float] = []
    bits = 0
    for meaning, stored in meanings.items():
        if np.dtype(stored.kind).kind == "f":
            return np.dtype(stored.kind).newbyteorder("=")
        low, high = _bounds(stored)
        bits = max(bits, int(high - low).bit_length())
        ends = meaning.table or [v * meaning.slope + meaning.intercept for v in (low, high)]
        bounds += [min(ends), max(ends)]
    if not all(_whole(one.meaning) for one in slices):
        return np.dtype(np.float32 if bits <= _EXACT else np.float64)
    for kind in (np.uint8, np.int16, np.uint16, np.int32, np.int64):
        if np.iinfo(kind).min <= min(bounds) and max(bounds) <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float64)


def _whole(meaning: Meaning) -> bool:
    values = meaning.table or (meaning.slope, meaning.intercept)
    return all(float(value).is_integer() for value in values)


def _bounds(stored: Stored) -> tuple[int, int]:
    kind = np.dtype(stored.kind)
    bits = stored.bits or kind.itemsize * 8
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind.kind == "i" else (0, (1 << bits) - 1)


def checked_dtype(dtype: Any) -> Any:
    """A NumPy type of numbers.

    Raises:
        BadRequest: it is none.
    """
    try:
        made = np.dtype(dtype)
    except TypeError:
        made = np.dtype(object)
    if made.kind not in "iuf":
        raise BadRequest(f"{dtype!r} is no type of numbers", hint="dtype='float32'")
    return made
