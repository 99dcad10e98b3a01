"""A frame as a picture: all steps from stored values to what is encoded (PS3.4 N.2, PS3.18 8.3.5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from pydicom import Dataset

from isocenter.dicom.pixels import Decoded
from isocenter.dicom.rendering import captions, colour, grayscale, icc, overlays, shutters
from isocenter.dicom.rendering.grayscale import Step
from isocenter.dicom.rendering.pixels import Array, StoredImage, functional
from isocenter.dicom.rendering.placing import Placed
from isocenter.dicom.rendering.presentation import State, ratio_of
from isocenter.dicom.rendering.view import View

Range = tuple[float, float]


@dataclass(frozen=True)
class Shown:
    """A picture in mode L or RGB, and the ICC profile to embed."""

    picture: Image.Image
    profile: bytes | None


def show(
    image: StoredImage, number: int, view: View, state_path: str | None = None, spread: Range | None = None
) -> Shown:
    """Render frame `number`, from 1.

    Args:
        image: where it is.
        number: of the frame.
        view: how to look.
        state_path: Part 10 file of a presentation state to apply first.
        spread: what black and white mean where nothing tells; the frame's own range when None.

    Raises:
        NotFound: there is no such frame.
        CannotRender: not decodable, or not to be shown so.
    """
    data_set = image.data_set
    state = State(state_path, data_set, number) if state_path else None
    decoded = image.frame(number)
    levels = _levels(decoded, data_set, number, view, state, spread)
    levels = shutters.close(levels, state.data_set if state else data_set)
    raw = decoded.array if decoded.array.ndim == 2 else None
    levels = overlays.burn(levels, data_set, raw, number, state.overlay_groups() if state else None)
    if state:
        levels = overlays.burn(levels, state.data_set, None, number, state.overlay_groups())
    placed = Placed.of(Image.fromarray(np.ascontiguousarray(levels)))
    shown = placed = state.place(placed) if state else placed
    if view.region:
        placed = placed.region(view.region)
    if view.viewport:
        aspect = aspect_of(data_set, number)
        placed = placed.fit(view.viewport, state.aspect(aspect) if state else aspect)
    if state:
        state.draw(placed, shown)
    if view.captions:
        captions.burn(placed.picture, data_set, number, view.captions)
    return Shown(*icc.coloured(placed.picture, data_set, view.profile))


def _levels(
    decoded: Decoded, data_set: Dataset, number: int, view: View, state: State | None, spread: Range | None
) -> Array:
    """Grey or RGB bytes, before anything is drawn or moved; always memory of its own."""
    if not colour.is_grey(decoded.photometric):
        return np.array(colour.rgb_of(decoded, data_set))
    stored = stored_values(decoded.array, data_set)
    signed = stored.dtype.kind != "u"
    modality = state.modality(signed) if state else grayscale.modality_of(data_set, signed, number)
    if view.window:
        voi: Step | None = grayscale.windowing(view.window)
    else:
        voi = state.voi(signed) if state else grayscale.voi_of(data_set, signed, number)
    steps = [modality, voi or grayscale.spread(*(spread or range_of(stored, data_set, modality)))]
    if state:
        more, inverse = state.polarity()
        levels = grayscale.displayed(stored, [*steps, *more], inverse)
        return (
            colour.looked_up(_entries(levels, state.data_set), state.data_set) if state.coloured else levels
        )
    levels = grayscale.displayed(stored, steps, decoded.photometric == "MONOCHROME1")
    if str(data_set.get("PixelPresentation") or "") in ("COLOR", "MIXED"):
        return colour.with_supplemental(levels, stored, data_set)
    return levels


def _entries(levels: Array, palette: Dataset) -> Array:
    """Grey levels spread over the entries of a palette."""
    count = int(palette.RedPaletteColorLookupTableDescriptor[0]) or 65536
    return np.rint(levels.astype(np.float64) * ((count - 1) / 255.0)).astype(np.uint16)


def stored_values(array: Array, data_set: Dataset) -> Array:
    """The bits that are pixels, with their sign (PS3.5 8.1.1); floats as they are."""
    stored = int(data_set.get("BitsStored") or data_set.get("BitsAllocated") or 0)
    cell = array.dtype.itemsize * 8
    if array.dtype.kind not in "iu" or not 0 < stored < cell:
        return array
    high = data_set.get("HighBit")
    shift = int(high) + 1 - stored if high is not None else 0
    # Twice shifted, so that what is above goes and the sign comes down.
    up = cell - stored - (shift if 0 < shift <= cell - stored else 0)
    return (array << up) >> (cell - stored)


def range_of(stored: Array, data_set: Dataset, modality: Step) -> Range:
    """What black and white mean when the object does not tell.

    Up to 8 bits that nothing rescales were made for the eye and are shown as they are; labels, and all that
    has more bits, are spread from the lowest to the highest value.
    """
    bits = int(data_set.get("BitsStored") or 16)
    kind = str(data_set.get("SegmentationType") or "")
    if kind == "FRACTIONAL":
        return 0.0, float(data_set.get("MaximumFractionalValue") or 255)
    untouched = np.array_equal(modality(np.array([0.0, 1.0])), [0.0, 1.0])
    if bits <= 8 and stored.dtype.kind == "u" and untouched and kind != "LABELMAP":
        return 0.0, float((1 << bits) - 1)
    return grayscale.range_of(stored, data_set, modality)


def common_range(image: StoredImage, most: int = 8) -> Range | None:
    """One range for all frames of a moving picture, from up to `most` of them; None for colours."""
    ranges = []
    for number in sorted({1 + n * (image.count - 1) // max(most - 1, 1) for n in range(most)}):
        decoded = image.frame(number)
        if not colour.is_grey(decoded.photometric):
            return None
        stored = stored_values(decoded.array, image.data_set)
        modality = grayscale.modality_of(image.data_set, stored.dtype.kind != "u", number)
        ranges.append(range_of(stored, image.data_set, modality))
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def aspect_of(data_set: Dataset, number: int) -> float:
    """Height of a pixel over its width; 1 when nothing is told."""
    measures: Any = functional(data_set, number, "PixelMeasuresSequence") or data_set
    for source, keyword in (
        (measures, "PixelSpacing"),
        (data_set, "ImagerPixelSpacing"),
        (data_set, "NominalScannedPixelSpacing"),
        (data_set, "PixelAspectRatio"),
    ):
        found = ratio_of(source.get(keyword))
        if found:
            return found
    return 1.0
