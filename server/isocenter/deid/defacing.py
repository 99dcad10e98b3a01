"""What is taken away of a head so that its face is gone, as a region in space (PS3.15 E.3.2).

From the brow to below the chin, all that lies in front of a smooth surface becomes air. The surface runs down
a straight line along the face, some 20 mm beneath it, and bends back to the sides; below the brow it goes in
slowly, under the floor of the skull. It follows from a dozen numbers and has no relief of the face, where a
shell of equal depth would keep it. The brain lies behind it and above it.

It is a method of ours, simple, and not validated: ears, teeth, the shape of the skull and whatever else makes
a person stay. Whether it did what it should, `check` measures; whether that suffices, a person has to say.
Not here: which files make a volume (`faces`), writing (`masking`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocenter.deid.bodies import Flags, resample, surface_of
from isocenter.deid.heads import Head, nose_in
from isocenter.deid.stacks import Coarse, NoVolume, Placed
from isocenter.dicom.pixels import Image

BROW = 0.26
"""Above the tip of the nose, in head lengths."""
CHIN = 0.50
"""Below it: more than a chin needs."""
EYES, MOUTH, CHEEKS = 0.17, 0.13, 0.24
"""How far the area that is checked goes up and down from the nose, and to the sides."""
DEPTH, RAMP, SIDES = 0.11, 0.13, 0.42
"""Of the surface beneath the line; of the way down from the brow to reach it; to the sides."""
BEND = 0.55
"""How far back it bends at a head length to the side, in head lengths."""
MOVED = 6.0
"""mm: by so much the front of a face has to go back, to count as gone."""
SHARE = 0.8
"""Of the area that is checked, so much must have gone."""
MOST = 0.2
"""Of the head, so much may go."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Cut:
    """A region in front of a face, mm, in the axes of the head.

    Attributes:
        centre, side, front, up: origin and axes, in patient coordinates.
        middle: of the head, to the side.
        brow, bottom: between which heights it lies.
        line: front coordinate of the line along the face at the brow.
        slope: of the line, forward for each millimetre up.
        length: of the head.
        air: real value that takes its place.
    """

    centre: Vector
    side: Vector
    front: Vector
    up: Vector
    middle: float
    brow: float
    bottom: float
    line: float
    slope: float
    length: float
    air: float

    def area(self, placed: Placed, rows: int, columns: int) -> Flags:
        """Which pixels of a frame lie in it, as (rows, columns)."""
        up = self._along(self.up, placed, rows, columns)
        if up.min() > self.brow or up.max() < self.bottom:
            return np.zeros((rows, columns), bool)
        side = self._along(self.side, placed, rows, columns) - self.middle
        front = self._along(self.front, placed, rows, columns)
        return self.holds(up, front, side)

    def holds(self, up: NDArray[Any], front: NDArray[Any], side: NDArray[Any]) -> Flags:
        """Which points lie in it, by their coordinates; `side` from the middle."""
        sunk = np.clip((self.brow - up) / (RAMP * self.length), 0, 1) * DEPTH * self.length
        limit = self.line + self.slope * (up - self.brow) - sunk - BEND / self.length * side**2
        inside: Flags = (up <= self.brow) & (up >= self.bottom) & (front >= limit)
        inside &= np.abs(side) <= SIDES * self.length
        return inside

    def stored(self, placed: Placed, image: Image) -> int:
        """Air as a stored value of a frame."""
        lowest = -(1 << image.bits_stored - 1) if image.signed else 0
        value = round((self.air - placed.intercept) / placed.slope)
        return int(np.clip(value, lowest, lowest + (1 << image.bits_stored) - 1))

    def _along(self, axis: Vector, placed: Placed, rows: int, columns: int) -> NDArray[np.float32]:
        start = np.dot(axis, np.subtract(placed.origin, self.centre))
        down = np.dot(axis, placed.down) * np.arange(rows)
        across = np.dot(axis, placed.across) * np.arange(columns)
        along: NDArray[np.float32] = (start + down[:, None] + across[None, :]).astype(np.float32)
        return along


def plan(head: Head) -> Cut:
    """What to take away of a head. Raises NoVolume: its face is not where one is."""
    brow = head.nose + BROW * head.length
    if not 0.3 * head.length <= head.top - brow <= 0.75 * head.length:
        raise NoVolume("the nose is not where one is")
    front, slope = head.line
    axes = head.axes
    return Cut(
        centre=_vector(axes.centre),
        side=_vector(axes.side),
        front=_vector(axes.front),
        up=_vector(axes.up),
        middle=head.middle,
        brow=brow,
        bottom=head.nose - CHIN * head.length,
        line=front + slope * (brow - head.nose),
        slope=slope,
        length=head.length,
        air=head.air,
    )


def check(head: Head, cut: Cut, after: Coarse) -> None:
    """Whether the face is gone in what is written.

    Args:
        head: as it was.
        cut: what was taken away.
        after: the volume as it is now, read like the head was.

    Raises:
        NoVolume: too little of the face has moved back, or too much of the head is gone.
    """
    grid = resample(after, head.axes)
    body = (grid.values > head.threshold) & head.body
    up, side = grid.at(0), grid.at(2) - cut.middle
    face = np.outer(
        (up <= head.nose + EYES * head.length) & (up >= head.nose - MOUTH * head.length),
        np.abs(side) <= CHEEKS * head.length,
    ) & np.isfinite(head.surface)
    surface = surface_of(grid, body)
    moved = head.surface - np.nan_to_num(surface, nan=-1e6)
    if not face.any() or float((moved[face] >= MOVED).mean()) < SHARE:
        raise NoVolume("too little of the face would be gone")
    if nose_in(grid, surface, head.top, head.length, head.middle) is not None:
        raise NoVolume("something like a nose would be left")
    seen = ((head.grid.values > head.threshold) & head.body)[up >= cut.bottom]
    if float((seen & ~body[up >= cut.bottom]).sum()) > MOST * float(seen.sum()):
        raise NoVolume("too much of the head would be gone")


def _vector(values: NDArray[np.float64]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
