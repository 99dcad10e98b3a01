"""Frames of CT, MR and PET in space, and the regular stacks that they make (PS3.3 C.7.6.2, C.7.6.16.2).

A frame is placed by Image Position and Orientation (Patient) and Pixel Spacing, of the image or of its
functional groups. A stack is read coarsely: means of blocks of a few millimetres, so that a volume of any
size needs a few megabytes. Not here: what is in it (`heads`), fine enough sampling to look at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from isocenter.deid.part10 import opened
from isocenter.dicom import frames, pixels
from isocenter.errors import IsocenterError

Array = NDArray[np.float64]
COARSE = 3.0
"""Millimetres: the edge of a block."""
FEWEST = 8
"""Slices of a volume."""
FARTHEST = 8.0
"""Millimetres between slices of a volume."""
IRREGULAR = 0.2
"""By how much of the distance between slices one may be out of place."""
REPEATS = 3
"""Frames that are looked at where many lie at one place (echoes, times, directions)."""


class NoVolume(IsocenterError):
    """It is no volume in which a face could be found."""

    code = "no-volume"
    status = 422


class Placed(NamedTuple):
    """A frame in space, in patient coordinates (PS3.3 C.7.6.2.1.1: to the left, back and head), mm.

    Attributes:
        origin: centre of the first pixel.
        across: from a pixel to the next of its row.
        down: from a row to the next.
        slope, intercept: of the rescale to real values.
    """

    origin: tuple[float, ...]
    across: tuple[float, ...]
    down: tuple[float, ...]
    slope: float = 1.0
    intercept: float = 0.0


File = Path | BinaryIO


class Slice(NamedTuple):
    """A frame of a series.

    Attributes:
        file: in which it is; an open one is read from its first byte.
        uid: SOP Instance UID.
        number: of the frame in its object, from 1.
        shape: rows and columns.
        placed: where it is.
    """

    file: File
    uid: str
    number: int
    shape: tuple[int, int]
    placed: Placed


def placed(dataset: Dataset) -> list[Placed]:
    """Where the frames of an object are. Raises NoVolume: nothing tells."""
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence", None) or ())
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence", None) or ()), Dataset())
    if not groups and count == 1:
        return [_placed([dataset])]
    if len(groups) != count:
        raise NoVolume("nothing tells where its frames are")
    return [_placed([group, shared]) for group in groups]


def _placed(levels: Sequence[Dataset]) -> Placed:
    def told(macro: str, keyword: str, length: int, default: list[float] | None = None) -> list[float]:
        for level in levels:
            item = next(iter(level.get(macro, None) or ()), None)
            for place in (item, level):
                value = place.get(keyword, None) if place is not None else None
                values = np.atleast_1d(np.asarray(value if value is not None else [], float))
                if len(values) == length and np.isfinite(values).all():
                    return [float(number) for number in values]
        if default is None:
            raise NoVolume("nothing tells where its frames are")
        return default

    orientation = np.array(told("PlaneOrientationSequence", "ImageOrientationPatient", 6)).reshape(2, 3)
    spacing = told("PixelMeasuresSequence", "PixelSpacing", 2)
    lengths = np.linalg.norm(orientation, axis=1)
    if min(spacing) <= 0 or abs(lengths - 1).max() > 0.01 or abs(orientation[0] @ orientation[1]) > 0.01:
        raise NoVolume("its orientation is none")
    return Placed(
        origin=tuple(told("PlanePositionSequence", "ImagePositionPatient", 3)),
        across=tuple(float(number) for number in orientation[0] * spacing[1]),
        down=tuple(float(number) for number in orientation[1] * spacing[0]),
        slope=told("PixelValueTransformationSequence", "RescaleSlope", 1, [1.0])[0] or 1.0,
        intercept=told("PixelValueTransformationSequence", "RescaleIntercept", 1, [0.0])[0],
    )


@dataclass(frozen=True)
class Stack:
    """Slices at equal distances.

    Attributes:
        places: the slices of each place, in order.
        step: from a place to the next, mm.
    """

    places: tuple[tuple[Slice, ...], ...]
    step: tuple[float, ...]

    @property
    def uids(self) -> set[str]:
        """Objects that are in it."""
        return {one.uid for place in self.places for one in place}


def apart(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Slices by their shape and orientation."""
    found: dict[tuple[Any, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        turned = tuple(round(number, 3) for number in (*one.placed.across, *one.placed.down))
        found[one.shape, turned].append(one)
    return list(found.values())


def stacked(slices: list[Slice]) -> Stack:
    """Slices of one shape and orientation in order. Raises NoVolume: they make no regular volume."""
    one = slices[0].placed
    normal = np.cross(one.across, one.down)
    normal /= np.linalg.norm(normal)
    along = [float(np.dot(normal, each.placed.origin)) for each in slices]
    places: list[list[Slice]] = []
    last = -np.inf
    for at, each in sorted(zip(along, slices, strict=True), key=lambda pair: pair[0]):
        if at - last > 0.05:
            places.append([])
        places[-1].append(each)
        last = at
    if len(places) < FEWEST:
        raise NoVolume("there are too few slices of it to find a face in")
    origins = np.array([place[0].placed.origin for place in places])
    step = (origins[-1] - origins[0]) / (len(places) - 1)
    length = float(np.linalg.norm(step))
    out = np.abs(origins - origins[0] - np.arange(len(places))[:, None] * step).max()
    if out > IRREGULAR * length or length > FARTHEST:
        raise NoVolume("its slices are missing, irregular or too far apart")
    for place in places:
        if any(np.abs(np.subtract(each.placed.origin, place[0].placed.origin)).max() > 0.5 for each in place):
            raise NoVolume("its slices do not lie upon each other")
    return Stack(tuple(tuple(place) for place in places), tuple(float(number) for number in step))


@dataclass(frozen=True)
class Coarse:
    """A stack in blocks.

    Attributes:
        values: real values, means of blocks, as (slices, rows, columns).
        affine: (3, 4): index (slice, row, column, 1) to patient coordinates, mm.
    """

    values: NDArray[np.float32]
    affine: Array


Change = Callable[[Slice, NDArray[Any], pixels.Image], NDArray[Any]]


def read_coarse(stack: Stack, change: Change | None = None) -> Coarse:
    """Read a stack in blocks, one frame at a time.

    Args:
        stack: what is read.
        change: told each stored frame, gives what is looked at in its place.

    Raises:
        NoVolume: the pixels cannot be read.
    """
    first = stack.places[0][0]
    across, down = np.array(first.placed.across), np.array(first.placed.down)
    steps = [np.array(stack.step), down, across]
    sizes = [max(1, int(COARSE / np.linalg.norm(step) + 0.01)) for step in steps]
    shape = (len(stack.places), *first.shape)
    count = [-(-shape[0] // sizes[0]), shape[1] // sizes[1], shape[2] // sizes[2]]
    total = np.zeros(count, np.float32)
    number = np.zeros(count[0], np.float32)
    at = {id(one): place // sizes[0] for place, several in enumerate(stack.places) for one in several}
    for one, array in _arrays(_chosen(stack), change):
        total[at[id(one)]] += _blocks(array, sizes[1], sizes[2]) * one.placed.slope + one.placed.intercept
        number[at[id(one)]] += 1
    total /= number[:, None, None]
    origin = np.array(first.placed.origin) + sum(
        step * (size - 1) / 2 for step, size in zip(steps, sizes, strict=True)
    )
    affine = np.column_stack([*(step * size for step, size in zip(steps, sizes, strict=True)), origin])
    return Coarse(total, affine)


def _chosen(stack: Stack) -> Iterator[Slice]:
    for place in stack.places:
        picked = np.unique(np.linspace(0, len(place) - 1, min(REPEATS, len(place))).astype(int))
        yield from (place[number] for number in picked)


def _arrays(slices: Iterable[Slice], change: Change | None) -> Iterator[tuple[Slice, NDArray[Any]]]:
    """Stored values of frames, each file opened once."""
    files: dict[File, list[Slice]] = defaultdict(list)
    for one in slices:
        files[one.file].append(one)
    for source, wanted in files.items():
        with opened(source) as file:
            image, table = pixels.describe(file.header), frames.locate(file.stream, file.header)
            if image.samples != 1:
                raise NoVolume("it is in colour")
            for one in wanted:
                stored = pixels.read(file.stream, image, table.frame(one.number))
                array = pixels.decode(image, stored).array
                yield one, change(one, array, image) if change is not None else array


def _blocks(array: NDArray[Any], rows: int, columns: int) -> NDArray[np.float32]:
    """Means of blocks; what is left over at the far edges is not looked at."""
    high, wide = array.shape[0] // rows, array.shape[1] // columns
    cut = array[: high * rows, : wide * columns].reshape(high, rows, wide, columns)
    means: NDArray[np.float32] = cut.mean(axis=(1, 3), dtype=np.float32)
    return means
