"""Graphic annotations of a presentation state drawn on a picture (PS3.3 C.10.5): graphics and text.

Compound graphics are not drawn, text styles not followed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset

from isocenter.dicom.rendering.pixels import Array
from isocenter.dicom.rendering.placing import Placed

_MOST_TEXT = 2000
_STEPS = 48


def draw(placed: Placed, shown: Placed, annotation: Dataset) -> None:
    """Draw one item of Graphic Annotation Sequence.

    Args:
        placed: the picture, at last; it is changed.
        shown: the displayed area, before a region of it was chosen and scaled: DISPLAY units relate to it.
        annotation: the item.
    """
    pen = ImageDraw.Draw(placed.picture)
    for graphic in annotation.get("GraphicObjectSequence") or []:
        numbers = np.asarray(graphic.get("GraphicData") or [], np.float64)
        points = numbers[: len(numbers) // 2 * 2].reshape(-1, 2)
        points = placed.points(_in_image(points, graphic.get("GraphicAnnotationUnits"), shown))
        _graphic(pen, str(graphic.get("GraphicType") or "").upper(), points, _filled(graphic))
    for text in annotation.get("TextObjectSequence") or []:
        _text(pen, placed, shown, text)


def white(picture: Image.Image) -> Any:
    """White in the picture's mode."""
    return 255 if picture.mode == "L" else (255, 255, 255)


def write(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: float, anchor: str) -> None:
    """White text with a black rim, so that it can be read on anything."""
    grey = pen.mode == "L"
    pen.multiline_text(
        at, text, font=ImageFont.load_default(size), anchor=anchor, spacing=size / 5,
        fill=255 if grey else (255, 255, 255), stroke_width=1, stroke_fill=0 if grey else (0, 0, 0),
    )  # fmt: skip


def text_size(picture: Image.Image) -> float:
    """Pixels of a line of text that suits the picture."""
    return min(max(min(picture.size) / 32, 9.0), 48.0)


def _in_image(points: Array, units: Any, shown: Placed) -> Array:
    """Points in the image's coordinates; those in DISPLAY units are parts of the displayed area."""
    if str(units or "PIXEL").upper() != "DISPLAY":
        return points
    there = points * np.asarray(shown.picture.size, np.float64)
    back = np.linalg.inv(np.vstack([shown.map, [0.0, 0.0, 1.0]]))
    found: Array = there @ back[:2, :2].T + back[:2, 2]
    return found


def _filled(graphic: Dataset) -> bool:
    return str(graphic.get("GraphicFilled") or "N").upper() == "Y"


def _graphic(pen: ImageDraw.ImageDraw, kind: str, points: Array, filled: bool) -> None:
    colour: Any = 255 if pen.mode == "L" else (255, 255, 255)
    if kind == "POINT" and len(points):
        (x, y) = points[0]
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        return
    if kind == "CIRCLE" and len(points) >= 2:
        points = _ellipse(points[0], points[1] - points[0], _turned(points[1] - points[0]))
    elif kind == "ELLIPSE" and len(points) >= 4:
        centre = (points[0] + points[1]) / 2
        points = _ellipse(centre, points[1] - centre, (points[3] - points[2]) / 2)
    elif kind not in ("POLYLINE", "INTERPOLATED") or len(points) < 2:
        return
    line = [(float(x), float(y)) for x, y in points]
    if filled and len(line) > 2:
        pen.polygon(line, fill=colour)
    pen.line(line, fill=colour, width=1)


def _ellipse(centre: Array, first: Array, second: Array) -> Array:
    """A closed line around `centre` with two half axes."""
    angle = np.linspace(0.0, 2 * np.pi, _STEPS + 1)[:, np.newaxis]
    around: Array = centre + np.cos(angle) * first + np.sin(angle) * second
    return around


def _turned(vector: Array) -> Array:
    return np.asarray([-vector[1], vector[0]])


def _text(pen: ImageDraw.ImageDraw, placed: Placed, shown: Placed, text: Dataset) -> None:
    """The text at its bounding box, or else at its anchor point."""
    value = str(text.get("UnformattedTextValue") or "")[:_MOST_TEXT].replace("\r\n", "\n").replace("\r", "\n")
    corner = text.get("BoundingBoxTopLeftHandCorner")
    units = text.get("BoundingBoxAnnotationUnits" if corner else "AnchorPointAnnotationUnits")
    corner = corner or text.get("AnchorPoint")
    if not corner or not value.strip():
        return
    point = np.asarray([[float(corner[0]), float(corner[1])]])
    ((x, y),) = placed.points(_in_image(point, units, shown))
    write(pen, (float(x), float(y)), value, text_size(placed.picture), "la")
