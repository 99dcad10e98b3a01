"""A body in a volume: the voxels along axes of choice, what of them is no air, and its front.

Morphology on a few million voxels, by numpy alone. Not here: what the body is of (`heads`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isocenter.deid.stacks import Coarse, NoVolume

Flags = NDArray[np.bool_]
Reals = NDArray[np.float32]
GRID = 3.0
"""Edge of a voxel in which a body is looked at, mm."""
TALL = 400.0
"""So much of a volume is looked at, from its upper end, mm."""
AIR_OF_CT = -300.0


class Frame(NamedTuple):
    """Axes of a head: unit vectors to its left, its front and its top, in patient coordinates, mm."""

    centre: NDArray[np.float64]
    side: NDArray[np.float64]
    front: NDArray[np.float64]
    up: NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A volume along the axes of a head, (up, front, side), from low to high, NaN where nothing was imaged.

    Attributes:
        values: real values.
        axes: whose coordinates are those of the grid.
        low: coordinates of the first voxel, (up, front, side), mm.
    """

    values: Reals
    axes: Frame
    low: tuple[float, float, float]

    def at(self, axis: int) -> NDArray[np.float64]:
        """Coordinates of the voxels along an axis, mm."""
        return np.float64(self.low[axis]) + GRID * np.arange(self.values.shape[axis], dtype=np.float64)


def body_in(grid: Grid, threshold: float, *, solid: bool) -> Flags:
    """Voxels of the body in a grid: above the threshold; or enclosed by such, since bone is dark in MR.

    Args:
        grid: the volume.
        threshold: above which it is no air.
        solid: whether all of it is above the threshold, bone too.
    """
    dense = grid.values > threshold
    if solid:
        return largest(dense)
    imaged = ~np.isnan(grid.values)
    free = imaged & ~shrunk(grown(dense))
    edge = np.zeros_like(free)
    for axis, ends in ((0, (-1,)), (1, (0, -1)), (2, (0, -1))):
        for end in ends:
            edge |= beyond(imaged, axis, end)
    return largest(imaged & ~spread(edge & free, free))


def surface_of(grid: Grid, body: Flags) -> Reals:
    """Front coordinate of the most anterior voxel of a body, by (up, side); NaN where there is none."""
    last = body.shape[1] - 1 - np.argmax(body[:, ::-1], axis=1)
    return np.where(body.any(axis=1), grid.low[1] + GRID * last, np.nan).astype(np.float32)


def resample(volume: Coarse, axes: Frame) -> Grid:
    """The volume along axes, by the nearest block, from its upper end as far down as a head may reach."""
    inverse = np.linalg.inv(volume.affine[:, :3])
    basis = np.array([axes.up, axes.front, axes.side])
    ends = np.array(np.meshgrid(*[(0, length - 1) for length in volume.values.shape], indexing="ij"))
    corners = volume.affine[:, :3] @ ends.reshape(3, -1) + volume.affine[:, 3:]
    own = basis @ (corners - axes.centre[:, None])
    low, high = own.min(axis=1), own.max(axis=1)
    low[0] = max(low[0], high[0] - TALL)
    count = ((high - low) / GRID).astype(int) + 1
    offset = inverse @ (basis.T @ low + axes.centre - volume.affine[:, 3])
    steps = inverse @ basis.T * GRID
    inside, index = np.ones(tuple(count), bool), []
    for row, length in enumerate(volume.values.shape):
        up, front, side = (steps[row, axis] * np.arange(count[axis], dtype=np.float32) for axis in range(3))
        place = offset[row] + up[:, None, None] + front[None, :, None] + side[None, None, :]
        inside &= (place > -0.5) & (place < length - 0.5)
        index.append(np.clip(np.rint(place), 0, length - 1).astype(np.int16))
    values = volume.values[index[0], index[1], index[2]]
    values[~inside] = np.nan
    return Grid(values, axes, (float(low[0]), float(low[1]), float(low[2])))


def largest(body: Flags) -> Flags:
    """The thickest thing of a body with all that hangs together with it, thin things left out."""
    core = grown(shrunk(body))
    seed = core
    while (smaller := shrunk(seed)).any():
        seed = smaller
    if not seed.any():
        raise NoVolume("nothing is in it that a head may be")
    found = np.zeros_like(body)
    found[tuple(np.argwhere(seed)[0])] = True
    return grown(spread(found, core)) & body


def spread(seed: Flags, free: Flags) -> Flags:
    """What hangs together with a seed within what is free."""
    found, count = seed, int(seed.sum())
    while True:
        found = grown(found) & free
        now = int(found.sum())
        if now == count:
            return found
        count = now


def shrunk(body: Flags) -> Flags:
    """Without voxels that touch another one by a face; the edge of the volume is none."""
    return _neighbours(body, np.logical_and)


def grown(body: Flags) -> Flags:
    """With voxels that touch it by a face."""
    return _neighbours(body, np.logical_or)


def _neighbours(body: Flags, join: Any) -> Flags:
    result = body.copy()
    for axis in range(3):
        one, other = [slice(None)] * 3, [slice(None)] * 3
        one[axis], other[axis] = slice(1, None), slice(None, -1)
        join(result[tuple(one)], body[tuple(other)], out=result[tuple(one)])
        join(result[tuple(other)], body[tuple(one)], out=result[tuple(other)])
    return result


def beyond(imaged: Flags, axis: int, end: int) -> Flags:
    """Voxels next to which, towards an end of an axis, nothing was imaged."""
    next_one = np.zeros_like(imaged)
    one, other = [slice(None)] * 3, [slice(None)] * 3
    one[axis], other[axis] = slice(None, -1), slice(1, None)
    if end == 0:
        one, other = other, one
    next_one[tuple(one)] = imaged[tuple(other)]
    return imaged & ~next_one


def patient_axes(volume: Coarse) -> Frame:
    """The axes of the patient, from the middle of a volume."""
    middle = (np.array(volume.values.shape) - 1) / 2
    centre = volume.affine[:, :3] @ middle + volume.affine[:, 3]
    return Frame(centre, np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0]))


def threshold_of(values: Reals, *, ct: bool) -> tuple[float, bool]:
    """Between air and body, and whether bone is above it: fixed in CT with air, else Otsu's, of logs."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (1, 99.5))
    if ct and low < -500:
        return AIR_OF_CT, True
    if not high > low:
        raise NoVolume("there is nothing in it")
    scale = (high - low) / 50
    logs = np.log1p(np.clip(known - low, 0, high - low) / scale)
    counts, edges = np.histogram(logs, 128)
    below = np.cumsum(counts)[:-1].astype(float)
    sums = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    above = counts.sum() - below
    apart = (sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)) ** 2
    return float(low + scale * np.expm1(edges[1:-1][np.argmax(below * above * apart)])), False
