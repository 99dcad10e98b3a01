"""What a process pool does for a rendered resource: from a stored object at a path to a file at a path.

Takes and gives plain values; numpy, Pillow and pydicom load when work is done, never with this module.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.dicom import uids
from isocenter.dicom.pixels import quiet
from isocenter.dicom.rendering.view import CannotRender, View, can_encode_mp4, no_encoder
from isocenter.errors import IsocenterError

if TYPE_CHECKING:
    from PIL.Image import Image

    from isocenter.dicom.rendering.pixels import StoredImage

VERSION = 1
"""Changes when the same request gives another picture, so that what is kept of the old one is not taken."""
GIF_PIECE = 8
"""Frames of an animated GIF that are made at once: other work goes between."""
GIF_END = b";"
MOST_REPORT = 64 * 1024 * 1024
MOST_MOVING = 2_000_000_000
"""Pixels of all frames together that become a moving picture."""


@dataclass(frozen=True)
class Source:
    """A stored object: where it is, how it is written, where its data set begins."""

    path: str
    transfer_syntax: str
    data_set_offset: int


def draw(
    target: str, source: Source, number: int | None, view: View, media_type: str, state: Source | None = None
) -> None:
    """Render one frame.

    Args:
        target: the file to write.
        source: the image.
        number: of the frame, from 1; None for the representative or else the middle one.
        view: how to look.
        media_type: `image/jpeg`, `image/png` or `image/gif`.
        state: a presentation state to apply.

    Raises:
        CannotRender: it cannot be shown so.
        NotFound: there is no such frame.
    """
    with _open(source) as image, _plain(state) as state_path:
        from isocenter.dicom.rendering import encoding, picture

        number = number or representative(image)
        shown = picture.show(image, number, view, state_path)
        encoding.save(shown.picture, media_type, view.quality, shown.profile, target)


@dataclass(frozen=True)
class Survey:
    """What has to be known of all frames before the first of a moving picture.

    Attributes:
        durations: how long each frame is shown, milliseconds.
        spread: what black and white mean where nothing tells; None for colours.
    """

    durations: tuple[float, ...]
    spread: tuple[float, float] | None

    @classmethod
    def load(cls, text: bytes) -> Survey:
        """From what `survey` wrote."""
        told = json.loads(text)
        return cls(tuple(told["durations"]), tuple(told["spread"]) if told["spread"] else None)


def survey(target: str, source: Source) -> None:
    """Look at all frames, decoding a few of them.

    Raises:
        CannotRender: too many pixels for a moving picture, or none.
    """
    with _open(source) as image:
        from isocenter.dicom.rendering import encoding, picture

        if image.told.rows * image.told.columns * image.count > MOST_MOVING:
            raise CannotRender(
                "All frames together are too much for one moving picture",
                hint="ask for single frames: /frames/1/rendered",
            )
        durations = encoding.milliseconds(image.data_set, image.count)
        told = {"durations": durations, "spread": picture.common_range(image)}
    with open(target, "w", encoding="ascii") as file:
        json.dump(told, file)


def draw_gif(
    target: str, source: Source, view: View, told: Survey, first: int, state: Source | None = None
) -> None:
    """Some frames of an animated GIF, from frame `first` on: `GIF_PIECE` of them, or those that are left.

    The pieces joined, and `GIF_END`, are the file. Raises CannotRender.
    """
    numbers = range(first, min(first + GIF_PIECE, len(told.durations) + 1))
    with _pictures(source, view, told, numbers, state) as pictures, open(target, "wb") as file:
        from isocenter.dicom.rendering import encoding

        durations = [told.durations[number - 1] for number in numbers]
        encoding.write_gif(file, pictures, durations, first=first == 1)


def draw_mp4(target: str, source: Source, view: View, told: Survey, state: Source | None = None) -> None:
    """All frames as an MP4.

    Raises:
        CannotRender: no encoder, or not to be shown.
    """
    if not can_encode_mp4():
        raise no_encoder()
    numbers = range(1, len(told.durations) + 1)
    with _pictures(source, view, told, numbers, state) as pictures:
        from isocenter.dicom.rendering import encoding

        encoding.save_mp4(pictures, list(told.durations), target)


@contextmanager
def _pictures(
    source: Source, view: View, told: Survey, numbers: range, state: Source | None
) -> Iterator[Iterator[Image]]:
    """The frames as pictures, one after another."""
    with _open(source) as image, _plain(state) as state_path:
        from isocenter.dicom.rendering import picture

        yield (picture.show(image, number, view, state_path, told.spread).picture for number in numbers)


def tell(target: str, source: Source, media_type: str) -> None:
    """A report as `text/html` or `text/plain`, in UTF-8.

    Raises:
        CannotRender: it is no report, or larger than `MOST_REPORT` bytes.
    """
    if os.stat(source.path).st_size > MOST_REPORT:
        raise CannotRender("The report is too large to be shown", hint="retrieve it as application/dicom")
    with _guarded(), _plain(source) as path:
        from pydicom import dcmread

        from isocenter.dicom.rendering import report

        data_set = dcmread(str(path), stop_before_pixels=True, force=True)
        text = report.as_html(data_set) if media_type == "text/html" else report.as_text(data_set)
        with open(target, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)


def icon(target: str, label: str, view: View, media_type: str) -> None:
    """A card with a word on it, as the thumbnail of what has no picture."""
    from PIL import Image, ImageDraw

    from isocenter.dicom.rendering import encoding, graphics

    size = view.viewport
    width, height = ((size and size.width) or 128, (size and size.height) or 128)
    card = Image.new("L", (width, height), 40)
    pen = ImageDraw.Draw(card)
    margin = min(width, height) / 12
    pen.rectangle((margin, margin, width - margin, height - margin), outline=160)
    words = min(width, height) / max(len(label), 4) * 1.1
    graphics.write(pen, (width / 2, height / 2), label, max(words, 8.0), "mm")
    encoding.save(card, media_type, view.quality, None, target)


def representative(image: StoredImage) -> int:
    """Representative Frame Number (PS3.3 C.7.6.6), else the one in the middle."""
    told = image.data_set.get("RepresentativeFrameNumber")
    if isinstance(told, int) and 1 <= told <= image.count:
        return told
    return (image.count + 1) // 2


@contextmanager
def _open(source: Source) -> Iterator[StoredImage]:
    """The image, with pydicom silent."""
    from isocenter.dicom.frames import NoFrames
    from isocenter.dicom.reencode import CannotTranscode

    with _guarded(), _plain(source) as path:
        from isocenter.dicom.rendering.pixels import StoredImage

        assert path is not None
        try:
            image = StoredImage(path)
        except (NoFrames, CannotTranscode) as error:
            raise CannotRender(error.message, hint=error.hint) from error
        with image:
            yield image


@contextmanager
def _plain(source: Source | None) -> Iterator[str | None]:
    """A path where the object is not deflated: a file of its own if it was."""
    syntax = source.transfer_syntax if source else ""
    if source is None or not uids.is_deflated(syntax):
        yield source.path if source else None
        return
    from isocenter.dicom import transcode

    with tempfile.NamedTemporaryFile(suffix=".plain") as file:
        explicit = uids.EXPLICIT_LITTLE_ENDIAN
        transcode.to_file(source.path, source.data_set_offset, syntax, explicit, file.name)
        yield file.name


@contextmanager
def _guarded() -> Iterator[None]:
    """With pydicom silent, which quotes values; what cannot be made of a broken value is told plainly."""
    try:
        with quiet():
            yield
    except IsocenterError:
        raise
    except Exception as error:  # pydicom raises whatever it likes over values that are broken
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CannotRender(
            f"A value of the object is too broken to show it ({type(error).__name__})",
            hint="retrieve it as application/dicom",
        ) from error
