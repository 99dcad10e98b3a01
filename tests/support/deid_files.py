"""Objects to de-identify over a served archive, and jobs waited for."""

from __future__ import annotations

from typing import Any

from live_archive import LiveArchive, instance

IMAGE: dict[str, Any] = {
    "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
    "Rows": 2,
    "Columns": 2,
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BodyPartExamined": "CHEST",
    "AccessionNumber": "A1",
    "pixels": b"\x01\x02\x03\x04",
}


def stored(web: LiveArchive) -> None:
    """A study of three instances in two series: two that may leave, and one with text in its pixels."""
    answer = web.store(
        instance(1, **IMAGE),
        instance(2, **IMAGE),
        instance(1, series="2", **IMAGE | {"BurnedInAnnotation": "YES"}),
    )
    assert answer.status_code == 200, answer.text
