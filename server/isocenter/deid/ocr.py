"""Text that is found in pixels by Tesseract, where that is installed: a second look, never a clearance.

Each frame is shown to Tesseract as it is and inverted, enlarged where it is small, windowed to its own range.
What it reads is thrown away: only where something stands is told. It misses small, slanted and handwritten
text, so that finding nothing proves nothing.

Not here: what becomes of an object in which there is text (`files`).
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from isocenter.deid.regions import Box
from isocenter.dicom import frames, pixels
from isocenter.dicom.header import Header
from isocenter.errors import IsocenterError, NotAcceptable

if TYPE_CHECKING:
    import numpy as np

    Picture = np.ndarray[Any, np.dtype[Any]]

LEAST_CONFIDENCE = 40.0
LEAST_LETTERS = 3
FRAMES = 3
"""Of a multi-frame image the first, middle and last are looked at: banners stay over a loop."""
SMALL = 1024
SECONDS = 60
_ENVIRONMENT = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # there are processes enough


class NoTesseract(NotAcceptable):
    """Tesseract is not installed."""

    code = "no-tesseract"


@cache
def engine() -> str | None:
    """Where Tesseract is; None when it is not installed."""
    return shutil.which("tesseract")


def require_engine() -> str:
    """Where Tesseract is. Raises NoTesseract."""
    program = engine()
    if program is None:
        raise NoTesseract("Tesseract is not installed", hint="on Debian: apt install tesseract-ocr")
    return program


def text_boxes(picture: Picture) -> tuple[Box, ...]:
    """Where text stands in a picture.

    Args:
        picture: (rows, columns) or (rows, columns, 3), of any numbers.

    Raises:
        NoTesseract: it is not installed.
    """
    import numpy as np
    from PIL import Image

    grey = picture.astype(np.float32) if picture.ndim == 2 else picture.astype(np.float32).max(axis=2)
    lowest, highest = float(grey.min()), float(grey.max())
    if lowest == highest:
        return ()
    scaled = ((grey - lowest) * (255 / (highest - lowest))).astype(np.uint8)
    factor = 2 if max(scaled.shape) < SMALL else 1
    found: set[Box] = set()
    for shown in (255 - scaled, scaled):
        image = Image.fromarray(shown)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
        stream = io.BytesIO()
        image.save(stream, "PNG", compress_level=1)
        found.update(_words(stream.getvalue(), factor))
    return tuple(sorted(found))


def find_text(file: BinaryIO, header: Header) -> tuple[Box, ...]:
    """Where text stands in a stored object, of several frames in any of those that are looked at.

    Raises:
        NoTesseract: it is not installed.
        IsocenterError: there are no frames, or they cannot be decoded.
    """
    image, table = pixels.describe(header), frames.locate(file, header)
    numbers = {1, (table.count + 1) // 2, table.count} if table.count > FRAMES else range(1, table.count + 1)
    found: set[Box] = set()
    for number in numbers:
        data = pixels.read(file, image, table.frame(number))
        found.update(text_boxes(pixels.decode(image, data, rgb=image.samples == 3).array))
    return tuple(sorted(found))


def _words(png: bytes, factor: int) -> list[Box]:
    """Boxes of words that Tesseract is half sure of, as it tells them in a table."""
    command = [require_engine(), "stdin", "stdout", "--psm", "11", "tsv"]
    try:
        done = subprocess.run(
            command, input=png, capture_output=True, timeout=SECONDS, check=True, env=_ENVIRONMENT
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise IsocenterError("Tesseract failed") from error
    found = []
    for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) < 12 or float(cells[10]) < LEAST_CONFIDENCE:
            continue
        if sum(letter.isalnum() for letter in cells[11]) >= LEAST_LETTERS:
            left, top, width, height = (int(cell) for cell in cells[6:10])
            found.append(Box(left // factor, top // factor, -(-width // factor), -(-height // factor)))
    return found
