"""How to look at an image: the rendering parameters of PS3.18 8.3.5 and 9.1.2 as one checked value.

Plain values without numpy, that a process pool and a cache key can take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec

from isocenter.errors import BadRequest, NotAcceptable

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
PROFILES = ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3")
CAPTIONS = ("patient", "technique")
LARGEST = 16384
"""The longest side of a picture that is made larger than its image."""


class CannotRender(NotAcceptable):
    """This object cannot be shown as asked for."""

    code = "cannot-render"


def can_encode_mp4() -> bool:
    """Whether an encoder is installed: PyAV or imageio-ffmpeg, which are no dependencies of ours."""
    return find_spec("av") is not None or find_spec("imageio_ffmpeg") is not None


def no_encoder() -> CannotRender:
    """What to answer where none is."""
    return CannotRender(
        "There is no MP4 encoder on this server",
        hint="ask for image/gif, or have `av` or `imageio-ffmpeg` installed",
    )


@dataclass(frozen=True)
class Window:
    """VOI window in units of the modality LUT's output (PS3.3 C.11.2.1.2 and .3)."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True)
class Viewport:
    """The size to fit into, pixels; None leaves a side open."""

    width: int | None
    height: int | None


@dataclass(frozen=True)
class Region:
    """The part of the image to be shown, in pixels, or in parts of its sides when `relative`.

    Negative width or height flip (PS3.18 8.3.5.1.3); None is all that is there.
    """

    x: float = 0.0
    y: float = 0.0
    width: float | None = None
    height: float | None = None
    relative: bool = False


@dataclass(frozen=True)
class View:
    """How to look.

    Attributes:
        window: instead of the object's own.
        viewport: the size to fit into, the image's own when None.
        region: the part of the image.
        quality: of a lossy encoding, 1 to 100; None for the usual one.
        captions: `patient`, `technique`, to be burned in.
        profile: of `PROFILES`; `no` leaves colours and profile away.
    """

    window: Window | None = None
    viewport: Viewport | None = None
    region: Region | None = None
    quality: int | None = None
    captions: tuple[str, ...] = ()
    profile: str = "no"


def parse_window(text: str) -> Window:
    """`center,width[,function]` as in PS3.18 8.3.5.1.4; the function in any case, hyphen or underscore.

    Raises:
        BadRequest: it is none.
    """
    parts = [part.strip() for part in text.split(",")]
    hint = "window=center,width,function with function linear, linear-exact or sigmoid: window=40,400,linear"
    if len(parts) not in (2, 3):
        raise BadRequest("window has a center, a width and a function", hint=hint)
    function = parts[2].upper().replace("-", "_") if len(parts) == 3 else "LINEAR"
    if function not in FUNCTIONS:
        raise BadRequest(f"{parts[2][:20]!r} is no window function", hint=hint)
    return checked_window(_number("window", parts[0]), _number("window", parts[1]), function)


def checked_window(center: float, width: float, function: str = "LINEAR") -> Window:
    """A window whose width its function can use. Raises BadRequest."""
    if width <= 0 or (function == "LINEAR" and width < 1):
        least = "at least 1" if function == "LINEAR" else "above 0"
        raise BadRequest(f"The width of this window is {width:g}; it is {least}")
    return Window(center, width, function)


def parse_viewport(text: str) -> tuple[Viewport, Region | None]:
    """`vw,vh[,sx,sy,sw,sh]`, where each of the last four may be left empty (PS3.18 8.3.5.1.3).

    Raises:
        BadRequest: it is none.
    """
    parts = [part.strip() for part in text.split(",")]
    hint = "viewport=width,height or viewport=width,height,sx,sy,sw,sh: viewport=512,512,,,256,256"
    if not 2 <= len(parts) <= 6:
        raise BadRequest("viewport has a width, a height and up to four numbers of the source", hint=hint)
    viewport = Viewport(checked_size("viewport", parts[0]), checked_size("viewport", parts[1]))
    rest = [_number("viewport", part) if part else None for part in (*parts[2:], "", "", "", "")][:4]
    if rest == [None] * 4:
        return viewport, None
    if 0 in rest[2:] or min(rest[0] or 0, rest[1] or 0) < 0:
        raise BadRequest("The source of a viewport begins at 0 or above, and is not empty", hint=hint)
    return viewport, Region(rest[0] or 0.0, rest[1] or 0.0, rest[2], rest[3])


def parse_region(text: str) -> Region:
    """`xmin,ymin,xmax,ymax` in parts of the image's sides, as WADO-URI has it (PS3.18 9.1.2.2).

    Raises:
        BadRequest: it is none.
    """
    parts = [_number("region", part) for part in text.split(",")]
    if len(parts) != 4 or not (0 <= parts[0] < parts[2] <= 1 and 0 <= parts[1] < parts[3] <= 1):
        raise BadRequest(
            "region is xmin,ymin,xmax,ymax, each from 0 to 1",
            hint="the upper left quarter: region=0,0,0.5,0.5",
        )
    return Region(parts[0], parts[1], parts[2] - parts[0], parts[3] - parts[1], relative=True)


def parse_quality(text: str) -> int:
    """1 to 100. Raises BadRequest."""
    if not (text.isascii() and text.strip().isdecimal() and len(text) < 10 and 1 <= int(text) <= 100):
        raise BadRequest(f"{text[:20]!r} is no quality", hint="quality is a whole number from 1 to 100")
    return int(text)


def parse_captions(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The known keywords of `annotation`, and what is not known."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return tuple(one for one in CAPTIONS if one in words), [one for one in words if one not in CAPTIONS]


def parse_profile(text: str) -> str:
    """A value of `iccprofile` (PS3.18 8.3.5.1.5). Raises BadRequest."""
    if text.strip().lower() not in PROFILES:
        raise BadRequest(f"{text[:20]!r} is no iccprofile", hint=f"there are: {', '.join(PROFILES)}")
    return text.strip().lower()


def checked_size(name: str, text: str) -> int:
    """A number of pixels. Raises BadRequest."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 0 < int(text) <= LARGEST):
        raise BadRequest(f"{name} has a size of {text[:20]!r}", hint=f"a size is 1 to {LARGEST} pixels")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequest(f"{name} has a number that is none: {text.strip()[:20]!r}")
    return value
