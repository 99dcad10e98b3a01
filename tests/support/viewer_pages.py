"""The series viewer in a page of its own, and objects to look at."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import highdicom
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

from isocenter.client.archive import Archive
from isocenter.client.resources import Series, resource_of

LOADED = "document.querySelector('#widget').dataset.firstImage"

TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

OVERLAYS = "model.get('found_overlays')?.filter((o) => o.kind !== 'OVERLAY').length >= 3"


def foreign() -> list[Dataset]:
    """Files of pydicom: a colour cine, overlay planes, an enhanced MR of several frames."""
    names = (
        "examples_ybr_color.dcm",
        "MR-SIEMENS-DICOM-WithOverlays.dcm",
        "examples_palette.dcm",
        "CT_small.dcm",
    )
    return [dcmread(found) for name in names if (found := get_testdata_file(name))]


def named(archive: Archive, **keys: str) -> Series:
    row = next(iter(archive.series.where(**keys).rows(1)))
    found = resource_of(archive, "series", row)
    assert isinstance(found, Series)
    return found


@dataclass
class Shown:
    """A page with a viewer whose first image is there."""

    page: Any
    errors: list[str]

    def get(self, trait: str) -> Any:
        return self.page.evaluate(f"model.get({trait!r})")

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=60_000)

    def until_seen(self, holds: Callable[[np.ndarray], bool]) -> np.ndarray:
        """What the canvas shows, as soon as it is as wanted: when it is drawn cannot be asked."""
        deadline = time.monotonic() + 60
        while not holds(seen := self.pixels()):
            assert time.monotonic() < deadline, "the canvas does not show it"
            self.page.wait_for_timeout(50)
        return seen

    def drawn(self) -> None:
        """Wait until what was changed here is drawn, as far as it is loaded."""
        self.page.evaluate(TWO_FRAMES)

    def requests(self) -> int:
        return int(self.page.evaluate("performance.getEntriesByType('resource').length"))

    def probed(self, place: tuple[float, float]) -> str:
        """What is told of the place under the pointer, which is moved until the dose is told as well."""
        deadline = time.monotonic() + 60
        while True:
            self.page.mouse.move(place[0] + 1, place[1])
            self.page.mouse.move(*place)
            told = str(self.page.inner_text(".viewer-probe"))
            if "Gy" in told:
                return told
            assert time.monotonic() < deadline, told
            self.page.wait_for_timeout(50)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        """From point to point of the stage, as shares of its size."""
        box = self.page.locator(".viewer-stage").bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down(button=button)
        for place in places[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up(button=button)

    def pixels(self) -> np.ndarray:
        """What the canvas shows, RGB."""
        url = self.page.evaluate("document.querySelector('.viewer-canvas').toDataURL('image/png')")
        return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(
            int
        )


Show = Callable[..., Shown]


def segmentation(image: Dataset, mask: np.ndarray, kind: str, *, count: int = 1) -> Dataset:
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Part {number}",
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type="MANUAL",
        )
        for number in range(1, count + 1)
    ]
    uid = f"1.2.826.0.1.3680043.10.1.77.{len(kind)}"
    return highdicom.seg.Segmentation(
        source_images=[image],
        pixel_array=mask,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=uid,
        series_number=77,
        sop_instance_uid=f"{uid}.1",
        instance_number=1,
        manufacturer="Isocenter",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
        content_label="PARTS",
    )
