"""Display shutters (PS3.3 C.7.6.11, C.7.6.15, C.11.12): what is outside them is one grey level."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw
from pydicom import Dataset

from isocenter.dicom.rendering.pixels import Array
from isocenter.dicom.rendering.view import CannotRender


def close(picture: Array, source: Dataset) -> Array:
    """The picture with the shutters of `source` closed, changed in place where there are any.

    Raises:
        CannotRender: a shutter that is told so badly that what it hides is not known.
    """
    shape = source.get("ShutterShape")
    shapes = [str(one).upper() for one in ([shape] if isinstance(shape, str) else shape or [])]
    if not shapes:
        return picture
    try:
        hidden = _hidden(picture, source, shapes)
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        # To show what was meant to be hidden would be worse than to show nothing.
        raise CannotRender("The display shutter cannot be read") from error
    picture[hidden] = _level(source)
    return picture


def _hidden(picture: Array, source: Dataset, shapes: list[str]) -> Array:
    hidden = np.zeros(picture.shape[:2], bool)
    if "RECTANGULAR" in shapes:
        hidden |= ~_rectangle(hidden.shape, source)
    if "CIRCULAR" in shapes:
        hidden |= ~_circle(hidden.shape, source)
    if "POLYGONAL" in shapes:
        hidden |= ~_polygon(hidden.shape, source)
    if "BITMAP" in shapes:
        from isocenter.dicom.rendering import overlays

        group = int(source.ShutterOverlayGroup)
        plane = np.zeros(hidden.shape, np.uint8)
        hidden |= overlays.burn(plane, source, None, 1, only=(group,)).astype(bool)
    return hidden


def _rectangle(shape: tuple[int, ...], source: Dataset) -> Array:
    """Edges are pixel numbers from 1; they themselves are hidden no more than what is between them."""
    inside = np.zeros(shape, bool)
    left, right = int(source.ShutterLeftVerticalEdge), int(source.ShutterRightVerticalEdge)
    upper, lower = int(source.ShutterUpperHorizontalEdge), int(source.ShutterLowerHorizontalEdge)
    inside[max(upper - 1, 0) : max(lower, 0), max(left - 1, 0) : max(right, 0)] = True
    return inside


def _circle(shape: tuple[int, ...], source: Dataset) -> Array:
    row, column = (int(part) for part in source.CenterOfCircularShutter)
    radius = int(source.RadiusOfCircularShutter)
    y, x = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    inside: Array = (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return inside


def _polygon(shape: tuple[int, ...], source: Dataset) -> Array:
    numbers = [int(part) for part in source.VerticesOfThePolygonalShutter]
    points = [(column - 1, row - 1) for row, column in zip(numbers[::2], numbers[1::2], strict=True)]
    mask = Image.new("L", (shape[1], shape[0]), 0)
    ImageDraw.Draw(mask).polygon(points, fill=1, outline=1)
    return np.asarray(mask).astype(bool)


def _level(source: Dataset) -> int:
    """ShutterPresentationValue, a P-value of 16 bits; black when it is not told."""
    value = source.get("ShutterPresentationValue")
    return min(max(math.floor(int(value) / 65535 * 255 + 0.5), 0), 255) if value is not None else 0
