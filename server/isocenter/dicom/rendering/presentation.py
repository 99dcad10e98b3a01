"""Softcopy presentation states (PS3.3 C.11, PS3.4 N.2): which steps one tells for one image.

Greyscale, colour and pseudo-colour states. Not here: blending, volumetric and structured display states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread

from isocenter.dicom import uids
from isocenter.dicom.rendering import graphics, grayscale
from isocenter.dicom.rendering.grayscale import Step
from isocenter.dicom.rendering.placing import Placed
from isocenter.dicom.rendering.view import CannotRender

SUPPORTED = {
    "GrayscaleSoftcopyPresentationStateStorage",
    "ColorSoftcopyPresentationStateStorage",
    "PseudoColorSoftcopyPresentationStateStorage",
}
_MOST_MAGNIFIED = 16.0


class State:
    """A presentation state as it applies to frame `number` of `image`.

    Raises:
        CannotRender: it is of another kind.
    """

    def __init__(self, path: str, image: Dataset, number: int) -> None:
        self.data_set: Dataset = dcmread(path, force=True)
        kind = uids.keyword_of(str(self.data_set.get("SOPClassUID", "")))
        if kind not in SUPPORTED:
            raise CannotRender(
                "Only greyscale, colour and pseudo-colour softcopy presentation states are applied",
                hint=f"this one is {kind}",
            )
        self._image = str(image.get("SOPInstanceUID", ""))
        self._number = number

    def modality(self, signed: bool) -> Step:
        """Its modality LUT; a state without one says that there is none (PS3.3 C.11.1)."""
        return grayscale.modality_of(self.data_set, signed)

    def voi(self, signed: bool) -> Step | None:
        """Its VOI LUT or window for the image, None for the whole range."""
        for item in self._applying("SoftcopyVOILUTSequence"):
            return grayscale.voi_of(item, signed)
        return None

    def polarity(self) -> tuple[list[Step], bool]:
        """Its Presentation LUT as steps behind the VOI LUT, and whether black and white change places."""
        sequence = self.data_set.get("PresentationLUTSequence")
        lut = grayscale.lut_of(sequence[0], signed=False) if sequence else None
        if lut is not None:
            last, most = len(lut.entries) - 1, float((1 << lut.bits) - 1)
            return [lambda levels: lut(levels * (last / 255.0) + lut.first) * (255.0 / most)], False
        return [], str(self.data_set.get("PresentationLUTShape") or "IDENTITY").upper() == "INVERSE"

    @property
    def coloured(self) -> bool:
        """Whether grey levels go through a palette at the end."""
        return "RedPaletteColorLookupTableDescriptor" in self.data_set

    def overlay_groups(self) -> list[int]:
        """Groups of overlays that a graphic layer activates (PS3.3 C.11.7)."""
        found = (self.data_set.get((group, 0x1001)) for group in range(0x6000, 0x6020, 2))
        return [element.tag.group for element in found if element is not None and element.value]

    def place(self, placed: Placed) -> Placed:
        """The displayed area, turned, flipped and magnified as told."""
        columns, rows = placed.picture.size
        area = next(iter(self._applying("DisplayedAreaSelectionSequence")), Dataset())
        corners = [
            _pair(area.get("DisplayedAreaTopLeftHandCorner"), (1, 1)),
            _pair(area.get("DisplayedAreaBottomRightHandCorner"), (columns, rows)),
        ]
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners, strict=True))
        placed = placed.crop(left - 1, top - 1, right, bottom)
        placed = placed.turn(int(self.data_set.get("ImageRotation") or 0) % 360)
        if str(self.data_set.get("ImageHorizontalFlip") or "N").upper() == "Y":
            placed = placed.flip(left_right=True)
        ratio = float(area.get("PresentationPixelMagnificationRatio") or 1.0)
        if str(area.get("PresentationSizeMode") or "") == "MAGNIFY" and 0 < ratio <= _MOST_MAGNIFIED:
            width, height = (max(round(side * ratio), 1) for side in placed.picture.size)
            placed = placed.scale(width, height)
        return placed

    def aspect(self, image_aspect: float) -> float:
        """Height of a pixel over its width, as the picture lies; `image_aspect` where the state is silent."""
        area = next(iter(self._applying("DisplayedAreaSelectionSequence")), Dataset())
        ratio = area.get("PresentationPixelSpacing") or area.get("PresentationPixelAspectRatio")
        aspect = ratio_of(ratio) or image_aspect
        turned = int(self.data_set.get("ImageRotation") or 0) % 180 == 90
        return 1.0 / aspect if turned else aspect

    def draw(self, placed: Placed, shown: Placed) -> None:
        """Draw its graphic annotations on `placed`; `shown` is the displayed area that they may relate to."""
        for item in sorted(self._applying("GraphicAnnotationSequence"), key=self._order):
            graphics.draw(placed, shown, item)

    def _order(self, item: Dataset) -> int:
        name = item.get("GraphicLayer")
        layers = self.data_set.get("GraphicLayerSequence") or []
        return next(
            (int(one.get("GraphicLayerOrder") or 0) for one in layers if one.get("GraphicLayer") == name), 0
        )

    def _applying(self, keyword: str) -> Iterator[Dataset]:
        """The items of a sequence that are meant for this frame."""
        for item in self.data_set.get(keyword) or []:
            references = item.get("ReferencedImageSequence")
            if not references or any(self._means(one) for one in references):
                yield item

    def _means(self, reference: Dataset) -> bool:
        if str(reference.get("ReferencedSOPInstanceUID", "")) != self._image:
            return False
        numbers = reference.get("ReferencedFrameNumber")
        if numbers is None or numbers == "":
            return True
        return self._number in [int(one) for one in _listed(numbers)]


def ratio_of(pair: Any) -> float | None:
    """Vertical over horizontal of a pair such as Pixel Spacing; None when it is none."""
    try:
        vertical, horizontal = (float(part) for part in pair)
    except (TypeError, ValueError):
        return None
    ratio = vertical / horizontal if horizontal else 0.0
    return ratio if np.isfinite(ratio) and 0.05 < ratio < 20 else None


def _pair(value: Any, otherwise: tuple[int, int]) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if value is not None and len(value) == 2 else otherwise


def _listed(value: Any) -> Iterable[Any]:
    return [value] if isinstance(value, str | int) else value
