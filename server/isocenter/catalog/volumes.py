"""Geometry of a series as a table: which images stack into volumes, how evenly, and what is amiss.

One row for each group of images of a series with the same orientation, matrix, pixel spacing and frame of
reference. Single images give their Image Plane module (PS3.3 C.7.6.2), multi-frame ones their functional
groups (C.7.6.16). Distances are millimetres, along the normal of the images; angles degrees.

Not here: pixels, resampling, which series (`tables`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]

SCHEMA = pa.schema(
    [
        ("_study_key", pa.int64()),
        ("_series_key", pa.int64()),
        ("_seq", pa.int64()),
        ("StudyInstanceUID", pa.string()),
        ("SeriesInstanceUID", pa.string()),
        ("FrameOfReferenceUID", pa.string()),
        ("volume", pa.int32()),
        ("instances", pa.int64()),
        ("Rows", pa.int32()),
        ("Columns", pa.int32()),
        ("orientation", pa.list_(pa.float64())),
        ("normal", pa.list_(pa.float64())),
        ("origin", pa.list_(pa.float64())),
        ("pixel_spacing", pa.list_(pa.float64())),
        ("slice_thickness", pa.float64()),
        ("images", pa.int64()),
        ("positions", pa.int64()),
        ("images_a_position", pa.int64()),
        ("slice_spacing", pa.float64()),
        ("slice_spacing_min", pa.float64()),
        ("slice_spacing_max", pa.float64()),
        ("extent", pa.float64()),
        ("gaps", pa.int64()),
        ("tilt", pa.float64()),
        ("regular", pa.bool_()),
        ("irregularities", pa.list_(pa.string())),
    ]
)

SAME_ANGLE = 1e-3
SAME_PLACE = 0.005
SAME_SPACING = 0.02
STRAIGHT = 0.5
_SHARED, _PER_FRAME = "52009229", "52009230"


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one image lies: position and orientation in the patient, pixel spacing (row, column), matrix."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    matrix: tuple[int | None, int | None]
    thickness: float | None
    frame_of_reference: str | None


def volumes_of(instances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the instances of one series, without their keys.

    Args:
        instances: by keyword `ImagePositionPatient`, `ImageOrientationPatient`, `PixelSpacing`, `Rows`,
        `Columns`,
            `SliceThickness`, `FrameOfReferenceUID`; `shared` and `per_frame` are the JSON of the functional
            groups.
    """
    planes = [plane for instance in instances for plane in planes_of(instance)]
    return [_measure(group) | {"volume": n} for n, group in enumerate(_groups(planes))]


def planes_of(instance: Mapping[str, Any]) -> Iterator[Plane]:
    """The planes of an instance: none without position, one for each frame with functional groups."""
    if instance.get("per_frame"):
        yield from _frames(instance)
    elif (plane := _plane(instance, instance)) is not None:
        yield plane


def _plane(where: Mapping[str, Any], instance: Mapping[str, Any]) -> Plane | None:
    position, orientation = where.get("ImagePositionPatient"), where.get("ImageOrientationPatient")
    if not _numbers(position, 3) or not _numbers(orientation, 6):
        return None
    spacing, thickness = where.get("PixelSpacing"), where.get("SliceThickness")
    return Plane(
        position=tuple(position),
        orientation=tuple(orientation),
        pixel_spacing=tuple(spacing) if _numbers(spacing, 2) else (),
        matrix=(instance.get("Rows"), instance.get("Columns")),
        thickness=float(thickness) if isinstance(thickness, (int, float)) else None,
        frame_of_reference=instance.get("FrameOfReferenceUID"),
    )


def _numbers(found: Any, count: int) -> TypeGuard[Sequence[float]]:
    """Whether these are so many finite numbers."""
    try:
        return found is not None and len(found) == count and isfinite(sum(found))
    except TypeError:
        return False


_MACROS = {
    "ImagePositionPatient": ("00209113", "00200032"),
    "ImageOrientationPatient": ("00209116", "00200037"),
    "PixelSpacing": ("00289110", "00280030"),
    "SliceThickness": ("00289110", "00180050"),
}


def _frames(instance: Mapping[str, Any]) -> Iterator[Plane]:
    """A frame's own functional groups before the shared ones (PS3.3 C.7.6.16.1)."""
    shared = _items(instance.get("shared"))
    for frame in _items(instance["per_frame"]):
        where = {name: _macro(name, (frame, *shared[:1])) for name in _MACROS}
        plane = _plane(where, instance)
        if plane is not None:
            yield plane


def _items(text: Any) -> list[Mapping[str, Any]]:
    found = json.loads(text).get("Value") if text else None
    return [item for item in found or () if isinstance(item, Mapping)]


def _macro(name: str, groups: Iterable[Mapping[str, Any]]) -> Any:
    macro, tag = _MACROS[name]
    for group in groups:
        for item in (group.get(macro) or {}).get("Value") or ():
            found = (item.get(tag) or {}).get("Value")
            if found:
                return found[0] if name == "SliceThickness" else found
    return None


# -- grouping ----------------------------------------------------------------------------------------------


def _groups(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes that could be one stack, in the order of their first."""
    groups: list[list[Plane]] = []
    for plane in planes:
        for group in groups:
            if _alike(group[0], plane):
                group.append(plane)
                break
        else:
            groups.append([plane])
    return groups


def _alike(one: Plane, other: Plane) -> bool:
    exact = (one.matrix, one.frame_of_reference, len(one.pixel_spacing))
    if exact != (other.matrix, other.frame_of_reference, len(other.pixel_spacing)):
        return False
    return all(
        abs(a - b) <= SAME_ANGLE
        for a, b in zip(
            one.orientation + one.pixel_spacing, other.orientation + other.pixel_spacing, strict=True
        )
    )


# -- measuring ---------------------------------------------------------------------------------------------


def _measure(group: Sequence[Plane]) -> dict[str, Any]:
    first = group[0]
    rows, columns = (np.array(first.orientation[n : n + 3], dtype=np.float64) for n in (0, 3))
    normal = np.cross(rows, columns)
    length = float(np.linalg.norm(normal))
    measured: dict[str, Any] = {
        "FrameOfReferenceUID": first.frame_of_reference,
        "Rows": first.matrix[0],
        "Columns": first.matrix[1],
        "orientation": list(first.orientation),
        "pixel_spacing": list(first.pixel_spacing) or None,
        "slice_thickness": _common(plane.thickness for plane in group),
        "images": len(group),
    }
    if abs(length - 1) > 0.01:
        return measured | {
            "regular": False,
            "irregularities": ["orientation is not two orthogonal unit vectors"],
        }
    normal /= length
    return measured | {"normal": normal.tolist()} | _stack(group, normal)


def _common(found: Iterable[float | None]) -> float | None:
    different = set(found)
    return different.pop() if len(different) == 1 else None


def _stack(group: Sequence[Plane], normal: Floats) -> dict[str, Any]:
    """How the planes lie along their normal."""
    places = np.array([plane.position for plane in group], dtype=np.float64)
    along = places @ normal
    order = np.argsort(along, kind="stable")
    starts = np.flatnonzero(np.diff(along[order], prepend=-np.inf) > SAME_PLACE)
    counts = np.diff(np.append(starts, len(order)))
    distinct = places[order][starts]
    steps = np.diff(along[order][starts])
    found: dict[str, Any] = {
        "origin": distinct[0].tolist(),
        "positions": len(starts),
        "images_a_position": int(counts.max()),
        "extent": float(steps.sum()),
    }
    irregularities = [] if counts.min() == counts.max() else ["some positions have more images than others"]
    if len(steps):
        found |= _steps(steps) | {"tilt": _tilt(distinct, normal)}
        irregularities += _amiss(found)
    else:
        irregularities.append("only one position")
    return found | {"regular": not irregularities, "irregularities": irregularities or None}


def _steps(steps: Floats) -> dict[str, Any]:
    usual = float(np.median(steps))
    return {
        "slice_spacing": usual,
        "slice_spacing_min": float(steps.min()),
        "slice_spacing_max": float(steps.max()),
        "gaps": int(np.maximum(np.rint(steps / usual) - 1, 0).sum()),
    }


def _tilt(distinct: Floats, normal: Floats) -> float:
    """The angle between the line of the origins and the normal: that of a tilted gantry."""
    line = distinct[-1] - distinct[0]
    cosine = float(np.clip(line @ normal / np.linalg.norm(line), -1, 1))
    return float(np.degrees(np.arccos(cosine)))


def _amiss(found: Mapping[str, Any]) -> list[str]:
    usual = found["slice_spacing"]
    spread = max(found["slice_spacing_max"] - usual, usual - found["slice_spacing_min"])
    amiss = []
    if found["gaps"]:
        amiss.append("positions are missing")
    elif spread > max(SAME_SPACING * usual, 2 * SAME_PLACE):
        amiss.append("spacing is uneven")
    if found["tilt"] > STRAIGHT:
        amiss.append("origins do not lie along the normal")
    return amiss
