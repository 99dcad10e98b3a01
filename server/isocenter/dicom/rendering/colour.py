"""Colour frames as RGB of 8 bits: palettes, luminance and chrominance, more than 8 bits (PS3.3 C.7.6.3.1.2).

pydicom turns YBR_FULL and YBR_FULL_422 into RGB when it decodes, and looks palettes up, segmented ones too.
Not here: ICC profiles (`icc`).
"""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from isocenter.dicom.pixels import Decoded
from isocenter.dicom.rendering.pixels import Array
from isocenter.dicom.rendering.view import CannotRender

_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_DONE = frozenset({"RGB", "YBR_RCT", "YBR_ICT"})
# ITU-R BT.601 with 16 to 235, as PS3.3 C.7.6.3.1.2 gives it for the retired partial range.
_FROM_PARTIAL = np.array([[1.1644, 0.0, 1.5960], [1.1644, -0.3917, -0.8129], [1.1644, 2.0173, 0.0]])


def is_grey(photometric: str) -> bool:
    """Whether values are of one sample that a grey scale shows."""
    return photometric in ("MONOCHROME1", "MONOCHROME2")


def rgb_of(decoded: Decoded, data_set: Dataset) -> Array:
    """Rows by columns by 3, bytes.

    Raises:
        CannotRender: a photometric interpretation that is retired or unknown.
    """
    array, photometric = decoded.array, decoded.photometric
    if photometric == "PALETTE COLOR":
        return looked_up(array, data_set)
    if array.ndim != 3 or array.shape[2] != 3:
        raise CannotRender(f"Colours of {photometric[:16]} with these samples are not shown")
    if photometric in _PARTIAL:
        centred = array.astype(np.float64) - (16.0, 128.0, 128.0)
        rgb: Array = np.rint(np.clip(centred @ _FROM_PARTIAL.T, 0.0, 255.0)).astype(np.uint8)
        return rgb
    if photometric not in _DONE:
        raise CannotRender(f"Colours of {photometric[:16]} are not shown")
    bits = int(data_set.get("BitsStored") or data_set.get("BitsAllocated") or 8)
    return to_bytes(array, bits)


def looked_up(array: Array, palette: Dataset) -> Array:
    """Colours of a palette (PS3.3 C.7.6.3.1.5, C.7.9), as bytes.

    Raises:
        CannotRender: the palette is missing or broken.
    """
    try:
        found = apply_color_lut(array, palette)
    except Exception as error:  # a table that does not fit its descriptor fails in many ways
        raise CannotRender(f"The palette cannot be read ({type(error).__name__})") from error
    descriptor = palette.get("RedPaletteColorLookupTableDescriptor")
    bits = int(descriptor[2]) if descriptor else found.dtype.itemsize * 8
    # Some writers say 16 and fill 8: their tables would be black.
    bits = 8 if bits == 16 and found.size and _entries_fit_bytes(palette) else bits
    return to_bytes(found[..., :3], bits)


def to_bytes(array: Array, bits: int) -> Array:
    """The upper 8 of `bits` bits; fewer are spread."""
    if bits > 8:
        return (array >> (bits - 8)).astype(np.uint8)
    if bits == 8:
        return array.astype(np.uint8)
    return (array.astype(np.float64) * (255.0 / ((1 << bits) - 1))).round().astype(np.uint8)


def _entries_fit_bytes(palette: Dataset) -> bool:
    for colour in ("Red", "Green", "Blue"):
        data = palette.get(f"{colour}PaletteColorLookupTableData")
        if not isinstance(data, bytes):
            return False
        if (np.frombuffer(data[: len(data) // 2 * 2], "<u2") > 255).any():
            return False
    return True


def with_supplemental(grey: Array, stored: Array, data_set: Dataset) -> Array:
    """Grey levels with the colours of a Supplemental Palette where it has entries (PS3.3 C.7.6.19)."""
    descriptor = data_set.get("RedPaletteColorLookupTableDescriptor")
    if descriptor is None:
        return grey
    first = int(descriptor[1])
    first -= 65536 if stored.dtype.kind == "i" and first >= 32768 else 0
    coloured = stored >= first
    rgb = np.repeat(grey[..., np.newaxis], 3, axis=2)
    if coloured.any():
        # pydicom looks no Supplemental Palette up: to it, this is a plain one.
        palette = Dataset({element.tag: element for element in data_set.group_dataset(0x0028)})
        palette.PixelPresentation = None
        rgb[coloured] = looked_up(np.where(coloured, stored, first), palette)[coloured]
    return rgb
