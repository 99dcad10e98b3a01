"""Where the pixels of an image come to lie: crop, turn, flip, scale (PS3.3 C.10.4, C.10.6, PS3.18 8.3.5.1.3).

Each step carries along where points of the image went, so that what is drawn on it is drawn at the end.
Coordinates are those of pixel edges: the image spans 0 to columns, 0 to rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from isocenter.dicom.rendering.pixels import Array
from isocenter.dicom.rendering.view import LARGEST, CannotRender, Region, Viewport

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class Placed:
    """A picture and the affine map (2 by 3) from points of the image to points of the picture."""

    picture: Image.Image
    map: Array

    @classmethod
    def of(cls, picture: Image.Image) -> Placed:
        """The image as it is."""
        return cls(picture, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))

    def points(self, points: Array) -> Array:
        """Points (n by 2: x, y) of the image, in the picture."""
        moved: Array = points @ self.map[:, :2].T + self.map[:, 2]
        return moved

    def crop(self, left: int, top: int, right: int, bottom: int) -> Placed:
        """The part between these edges; what lies outside the image is black."""
        if (left, top, right, bottom) == (0, 0, *self.picture.size):
            return self
        if right - left > LARGEST or bottom - top > LARGEST:
            raise CannotRender(f"The displayed area is larger than {LARGEST} pixels")
        moved = self._then([[1, 0, -left], [0, 1, -top]])
        return Placed(self.picture.crop((left, top, right, bottom)), moved)

    def turn(self, degrees: int) -> Placed:
        """Clockwise by 90, 180 or 270 degrees."""
        if degrees not in _TURNS:
            return self
        width, height = self.picture.size
        change = {
            90: [[0, -1, height], [1, 0, 0]],
            180: [[-1, 0, width], [0, -1, height]],
            270: [[0, 1, 0], [-1, 0, width]],
        }
        return Placed(self.picture.transpose(_TURNS[degrees]), self._then(change[degrees]))

    def flip(self, *, left_right: bool = False, top_bottom: bool = False) -> Placed:
        """Mirrored."""
        placed = self
        if left_right:
            change = [[-1, 0, placed.picture.width], [0, 1, 0]]
            picture = placed.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            placed = Placed(picture, placed._then(change))
        if top_bottom:
            change = [[1, 0, 0], [0, -1, placed.picture.height]]
            picture = placed.picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            placed = Placed(picture, placed._then(change))
        return placed

    def scale(self, width: int, height: int) -> Placed:
        """In another size; smaller ones are averaged, larger ones interpolated."""
        before = self.picture.size
        if (width, height) == before:
            return self
        smaller = width < before[0] or height < before[1]
        how = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
        change = [[width / before[0], 0, 0], [0, height / before[1], 0]]
        return Placed(self.picture.resize((width, height), how), self._then(change))

    def region(self, region: Region) -> Placed:
        """The part that a request names, flipped where its sides are negative.

        Raises:
            CannotRender: it lies outside.
        """
        width, height = self.picture.size
        across, down = (width, height) if region.relative else (1, 1)
        left, right = _span(region.x, region.width, across, width)
        top, bottom = _span(region.y, region.height, down, height)
        if right <= left or bottom <= top:
            raise CannotRender(f"The region lies outside the image of {width} by {height} pixels")
        cut = self.crop(left, top, right, bottom)
        return cut.flip(left_right=(region.width or 0) < 0, top_bottom=(region.height or 0) < 0)

    def fit(self, viewport: Viewport, aspect: float = 1.0) -> Placed:
        """As large as the viewport allows; `aspect` is the height of a pixel over its width."""
        width, height = self.picture.width, self.picture.height * aspect
        factor = min(
            (viewport.width or LARGEST) / width if viewport.width or not viewport.height else np.inf,
            (viewport.height or LARGEST) / height if viewport.height or not viewport.width else np.inf,
        )
        sides = [min(max(round(side * factor), 1), LARGEST) for side in (width, height)]
        return self.scale(sides[0], sides[1])

    def _then(self, change: list[list[float]] | list[list[int]]) -> Array:
        """The map with `change` behind it."""
        now = np.vstack([self.map, [0.0, 0.0, 1.0]])
        after: Array = np.asarray(change, np.float64) @ now
        return after


def _span(start: float, length: float | None, unit: int, limit: int) -> tuple[int, int]:
    """First and last edge, at least one pixel, within the image."""
    begin = round(start * unit)
    end = limit if length is None else round((start + abs(length)) * unit)
    return begin, min(max(end, begin + 1), limit)
