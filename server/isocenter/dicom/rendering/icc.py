"""ICC profiles of rendered colour pictures: `iccprofile` of PS3.18 8.3.5.1.5.

The profiles for Adobe RGB, ROMM RGB and Display P3 are made here from their published primaries (adapted to
D50) and curves; sRGB's is Pillow's. Only pictures in RGB have profiles.
"""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO
from typing import Any, cast

from PIL import Image, ImageCms
from pydicom import Dataset

from isocenter.dicom.rendering.view import CannotRender

# Red, green and blue as XYZ of the profile connection space, and the exponent of the curve (0: sRGB's curve).
_SPACES: dict[str, tuple[str, tuple[tuple[float, float, float], ...], float]] = {
    "adobergb": (
        "Adobe RGB (1998) compatible",
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        2.19921875,
    ),
    "rommrgb": (
        "ROMM RGB compatible",
        ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
        1.8,
    ),
    "displayp3": (
        "Display P3 compatible",
        ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
        0.0,
    ),
}
_D50 = (0.9642, 1.0, 0.8249)


def coloured(picture: Image.Image, data_set: Dataset, wanted: str) -> tuple[Image.Image, bytes | None]:
    """The picture and the profile to embed.

    Args:
        picture: in RGB; others have no profile.
        data_set: of the image, whose own profile is top-level or of its first optical path.
        wanted: `no`: no profile. `yes`: the image's own, else sRGB's. Others: colours are converted.

    Raises:
        CannotRender: the image's own profile cannot be used.
    """
    if wanted == "no" or picture.mode != "RGB":
        return picture, None
    own = own_profile(data_set)
    if wanted == "yes":
        return picture, own or profile("srgb")
    target = profile(wanted)
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(own or profile("srgb")))
        aim = ImageCms.ImageCmsProfile(BytesIO(target))
        made = ImageCms.profileToProfile(picture, source, aim, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        raise CannotRender("The ICC profile of the image cannot be used", hint="iccprofile=no") from error
    return cast(Image.Image, made), target


def own_profile(data_set: Dataset) -> bytes | None:
    """The image's own profile (PS3.3 C.11.15), None when it has none."""
    found: Any = data_set.get("ICCProfile")
    if not found:
        paths = data_set.get("OpticalPathSequence")
        found = paths[0].get("ICCProfile") if paths else None
    return found if isinstance(found, bytes) and len(found) > 128 else None


@cache
def profile(name: str) -> bytes:
    """The profile of a colour space of `iccprofile`."""
    if name == "srgb":
        return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    title, primaries, exponent = _SPACES[name]
    tags = {b"desc": _description(title), b"cprt": _text("No copyright, use freely"), b"wtpt": _xyz(_D50)}
    for letter, primary in zip(b"rgb", primaries, strict=True):
        tags[bytes([letter]) + b"XYZ"] = _xyz(primary)
        tags[bytes([letter]) + b"TRC"] = _curve(exponent)
    return _assembled(tags)


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    """Header, table and values of an ICC profile of version 2 (ICC.1:2001-04, 6)."""
    table, values = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for signature, value in tags.items():
        table += signature + struct.pack(">II", start + len(values), len(value))
        values += value + bytes(-len(value) % 4)
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sI4sI8sI3i4s",
        start + len(values), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ", 2020, 1, 1, 0, 0, 0, b"acsp",
        b"\0" * 4, 0, b"\0" * 4, 0, b"\0" * 8, 0, *(_fixed(part) for part in _D50), b"\0" * 4,
    )  # fmt: skip
    return head.ljust(128, b"\0") + table + values


def _fixed(value: float) -> int:
    return round(value * 65536)


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(part) for part in value))


def _text(text: str) -> bytes:
    return b"text\0\0\0\0" + text.encode("ascii") + b"\0"


def _description(text: str) -> bytes:
    raw = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(raw)) + raw + bytes(8 + 3 + 67)


def _curve(exponent: float) -> bytes:
    if exponent:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    points = [_from_srgb(n / 1023) for n in range(1024)]
    return b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *(round(point * 65535) for point in points))


def _from_srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
