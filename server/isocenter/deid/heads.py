"""A head in a volume: its surface, and the few measures that tell where its face is.

The head is what is denser than air, thickest, and ends at the top. Its length (forehead to occiput) scales
every other measure, since the cranium of a child has much the same shape; figures in these units are those
of adults (head length 190 mm). The nose is the first thing below the middle of the head that stands out from
a straight line down the face. Not here: what is taken away (`defacing`). Not validated on patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter.deid.bodies import (
    GRID,
    Flags,
    Frame,
    Grid,
    Reals,
    beyond,
    body_in,
    patient_axes,
    resample,
    surface_of,
    threshold_of,
)
from isocenter.deid.stacks import Coarse, NoVolume

LENGTHS = (130.0, 235.0)
WIDTHS = (100.0, 190.0)
SHAPES = (1.0, 1.42)
"""Length by width of a head."""
WIDER = 38.0
"""mm: no nose is, so that a length leaves it out."""
STEPS_OF_NOSE = (0.20, 0.13)
"""From the tip of the nose up to its root and down to the lip, in head lengths."""
OUT, ASIDE = 0.035, 0.09
"""How far it stands out from the line from root to lip, and from what is beside it, at least."""
HIGHEST, LOWEST = 0.35, 1.05
"""Below the top, where it is looked for."""
TURNED_MOST = 30.0
STEEPEST = 0.6
"""Of the line along the face, in mm forward for each mm up."""
NODDING = 0.08
"""A slope that the axes follow."""
BESIDE = 0.18
"""How far to the sides the line along the face looks, in head lengths."""
CUT_OFF = 40.0
"""cm²: more than this of a head at the upper edge of the volume means that its top is missing."""


@dataclass(frozen=True)
class Head:
    """A head whose face was found. Lengths in mm, in the coordinates of its axes.

    Attributes:
        axes: of the head.
        grid: the volume along them.
        body: its voxels.
        threshold: above which they are.
        air: real value of what is in front of it.
        length: from forehead to occiput.
        top: of the head.
        middle: of its sides.
        nose: height of the tip of the nose.
        surface: most anterior voxel, by (up, side); NaN where there is none.
        line: along the face: front coordinate at the nose, and how much further in front it is a mm higher.
    """

    axes: Frame
    grid: Grid
    body: Flags
    threshold: float
    air: float
    length: float
    top: float
    middle: float
    nose: float
    surface: Reals
    line: tuple[float, float]


def find(volume: Coarse, *, ct: bool) -> Head:
    """The head in a volume.

    Args:
        volume: with patient coordinates.
        ct: whether values are Hounsfield units.

    Raises:
        NoVolume: there is none, or its face is not seen or not found.
    """
    straight = resample(volume, patient_axes(volume))
    threshold, solid = threshold_of(straight.values, ct=ct)
    body = body_in(straight, threshold, solid=solid)
    axes = _turned(straight, body, _top(straight, body))
    for nods in (True, True, False):
        grid = resample(volume, axes)
        head = _measured(grid, body_in(grid, threshold, solid=solid), threshold)
        if not nods or abs(head.line[1]) < NODDING:
            break
        axes = _nodded(axes, head.line[1])
    return head


def _nodded(axes: Frame, slope: float) -> Frame:
    """Axes that follow the line along the face."""
    angle = np.arctan(slope)
    up = np.cos(angle) * axes.up + np.sin(angle) * axes.front
    return axes._replace(up=up, front=np.cos(angle) * axes.front - np.sin(angle) * axes.up)


def _top(grid: Grid, body: Flags) -> float:
    """Height of the vertex."""
    edge = beyond(~np.isnan(grid.values), 0, -1)
    cut = float((edge & body).sum()) * GRID**2 / 100
    if cut > CUT_OFF:
        raise NoVolume("the top of the head is not in it")
    areas = body.sum(axis=(1, 2)) * GRID**2 / 100
    levels = np.flatnonzero(areas > 5)
    if not len(levels):
        raise NoVolume("nothing is in it that a head may be")
    return float(grid.at(0)[levels[-1]])


def _turned(grid: Grid, body: Flags, top: float) -> Frame:
    """The axes of the head, turned about the long axis: a cranium is longer than wide."""
    up = grid.at(0)
    solid = _solid(body[(up < top - 25) & (up > top - 85)])
    level = solid.sum(axis=0).astype(float)
    if level.sum() == 0:
        raise NoVolume("there is too little of the head in it")
    front, side = np.meshgrid(grid.at(1), grid.at(2), indexing="ij")
    weight = level / level.sum()
    centre = np.array([(front * weight).sum(), (side * weight).sum()])
    front, side = front - centre[0], side - centre[1]
    across = (front * side * weight).sum()
    long, wide = (front**2 * weight).sum(), (side**2 * weight).sum()
    angle = 0.5 * np.arctan2(2 * across, long - wide)
    if long < wide or abs(np.degrees(angle)) > TURNED_MOST:
        raise NoVolume("the head is turned too far, or something lies beside it")
    axes = grid.axes
    middle = axes.centre + centre[0] * axes.front + centre[1] * axes.side
    facing = np.cos(angle) * axes.front + np.sin(angle) * axes.side
    return Frame(middle, np.cos(angle) * axes.side - np.sin(angle) * axes.front, facing, axes.up)


def _solid(body: Flags) -> Flags:
    """With what lies between its front and back."""
    forward = np.logical_or.accumulate(body, axis=1)
    backward = np.logical_or.accumulate(body[:, ::-1], axis=1)[:, ::-1]
    return forward & backward


def _measured(grid: Grid, body: Flags, threshold: float) -> Head:
    top = _top(grid, body)
    up, front, side = (grid.at(axis) for axis in range(3))
    cranium = _solid(body[(up < top - 40) & (up > top - 100)])
    if len(cranium) < 40 / GRID:
        raise NoVolume("there is too little of the head in it")
    sides: Flags = np.asarray(cranium.any(axis=1))
    lengths = (cranium.sum(axis=2) * GRID >= WIDER).sum(axis=1) * GRID
    widths = sides.sum(axis=1) * GRID
    length, width = float(np.percentile(lengths, 80)), float(np.percentile(widths, 80))
    sized = LENGTHS[0] <= length <= LENGTHS[1] and WIDTHS[0] <= width <= WIDTHS[1]
    if not sized or not SHAPES[0] <= length / width <= SHAPES[1]:
        raise NoVolume("what is at its upper end has not the size of a head")
    middles = [(side[row][0] + side[row][-1]) / 2 for row in sides if row.any()]
    middle = float(np.median(middles))
    surface = surface_of(grid, body)
    known = np.isfinite(surface).any(axis=1)
    if up[known][0] > top - 0.75 * length:
        raise NoVolume("there is too little of the head in it: it ends above the face")
    nose = nose_in(grid, surface, top, length, middle)
    if nose is None:
        raise NoVolume("the nose is not found in it")
    before = grid.values[:, front > np.nanmax(surface) - 0.6 * length]
    air = before[before <= threshold]
    if not len(air):
        raise NoVolume("there is no air in front of the head")
    line = _line(grid, surface, nose, middle, length)
    return Head(
        axes=grid.axes,
        grid=grid,
        body=body,
        threshold=threshold,
        air=float(np.median(air)),
        length=length,
        top=top,
        middle=middle,
        nose=nose,
        surface=surface,
        line=line,
    )


def nose_in(grid: Grid, surface: Reals, top: float, length: float, middle: float) -> float | None:
    """Height of the tip of the nose, the first thing below the forehead that stands out; None where none is.

    Args:
        grid: whose surface it is.
        surface: most anterior voxels, by (up, side).
        top, length, middle: of the head, mm.
    """
    up, aside = grid.at(0), np.abs(grid.at(2) - middle) / length
    line = _highest(surface[:, aside <= 0.09])
    cheeks = _median(surface[:, (aside >= 0.13) & (aside <= 0.22)])
    known = np.flatnonzero(np.isfinite(line))
    above, below = (round(part * length / GRID) for part in STEPS_OF_NOSE)
    scores = np.zeros(len(up))
    for level in known[(up[known] >= top - LOWEST * length) & (up[known] <= top - HIGHEST * length)]:
        root, lip = level + above, max(level - below, known[0])
        if root >= len(up) or lip == level:
            continue
        share = (level - lip) / (root - lip)
        out = (line[level] - (share * line[root] + (1 - share) * line[lip])) / length
        aside_of = (line[level] - cheeks[level]) / length
        if out > OUT and aside_of > ASIDE:
            scores[level] = out * aside_of
    high = np.flatnonzero((scores[2:] > 0) & (scores[1:-1] > 0) & (scores[:-2] > 0))  # no speck
    if not len(high):
        return None
    first = int(high[-1]) + 2
    start = max(first - below // 2, 0)
    return float(up[start + int(np.argmax(scores[start : first + 1]))])


def _highest(rows: Reals) -> Reals:
    return np.where(np.isfinite(rows).any(axis=1), np.nanmax(np.nan_to_num(rows, nan=-1e9), axis=1), np.nan)


def _median(rows: Reals) -> Reals:
    """Of each row that has anything; else NaN."""
    some = np.isfinite(rows).any(axis=1)
    result = np.full(len(rows), np.nan, np.float32)
    result[some] = np.nanmedian(rows[some], axis=1)
    return result


def _line(grid: Grid, surface: Reals, nose: float, middle: float, length: float) -> tuple[float, float]:
    """The line along the face, from the eyes to the chin: the median one (Theil and Sen)."""
    up, side = grid.at(0), grid.at(2)
    rows = (up >= nose - 0.40 * length) & (up <= nose + 0.20 * length)
    part = surface[np.ix_(rows, np.abs(side - middle) <= BESIDE * length)]
    front, height = _median(part), up[rows] - nose
    some = np.isfinite(front)
    some[some] = front[some] > front[some].max(initial=-np.inf) - 0.25 * length  # not the neck
    front, height = front[some], height[some]
    first, second = np.triu_indices(len(front), 4)
    if len(first) < 10:
        raise NoVolume("there is too little of the face in it")
    slopes = (front[second] - front[first]) / (height[second] - height[first])
    slope = float(np.clip(np.median(slopes), -STEEPEST, STEEPEST))
    return float(np.median(front - slope * height)), slope
