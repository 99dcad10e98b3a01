"""Objects of many frames from an array, by highdicom: segmentations (PS3.3 A.51) and parametric maps (A.75).

Which segmentation it is follows from the mask: true and false, or several such masks, make a binary one;
whole numbers a label map; fractions a fractional one. Not here: images of one slice each (`derived`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from isocenter import __version__
from isocenter.client.derived import new_series_number
from isocenter.client.grid import Grid
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from highdicom.pm import ParametricMap
    from highdicom.seg import Segmentation, SegmentDescription

Array = np.ndarray[Any, Any]
Kind = Literal["binary", "labelmap", "fractional"]
Segments = Sequence[Any] | Mapping[int, Any] | str

_WAYS = "segments=['liver', 'spleen'], or {1: 'liver', 5: 'spleen'} with the values of the mask"


def segmentation(
    mask: Array,
    grid: Grid,
    segments: Segments,
    *,
    kind: Kind | None = None,
    algorithm: str = "",
    description: str = "",
) -> Segmentation:
    """A DICOM segmentation of images.

    Args:
        mask: of shape (slices, rows, columns): true and false, whole numbers of which 0 is no segment, or
            fractions from 0 to 1; or (slices, rows, columns, segments), which may overlap.
        grid: the images.
        segments: their names, in the order of the values 1, 2, …, or names by value. A name may be a
            `highdicom.seg.SegmentDescription`, or a tuple of name and code (`codes.SCT.Liver`).
        kind: of segmentation, where another is wanted than the mask suggests.
        algorithm: what made it; a person when it is empty.
        description: of the series.

    Raises:
        BadRequest: mask and images, or mask and segments, do not fit; it says what would.
    """
    from highdicom.seg import Segmentation
    from pydicom.uid import generate_uid

    mask = grid.in_frame_order(grid.checked(np.asarray(mask)))
    mask, named, found = _arranged(mask, segments)
    kind = kind or found
    if kind not in ("binary", "labelmap", "fractional"):
        raise BadRequest(f"There is no segmentation {kind!r}", hint="'binary', 'labelmap' or 'fractional'")
    if kind != "fractional" and mask.dtype.kind == "f":
        raise BadRequest("Fractions make a fractional segmentation only", hint="give mask > 0.5")
    if kind == "labelmap" and mask.ndim == 4:
        raise BadRequest("Segments that may overlap make no label map", hint="kind='binary'")
    with _made_of(grid):
        return Segmentation(
            source_images=list(grid.images),
            pixel_array=mask,
            segmentation_type=kind.upper(),
            segment_descriptions=[
                _described(number, name, algorithm) for number, name in enumerate(named, start=1)
            ],
            content_description=(description or "Segmentation")[:64],
            content_label="SEGMENTATION",
            omit_empty_frames=bool(mask.any()) and kind != "labelmap",
            **_new(
                grid,
                generate_uid(prefix=None),
                description or f"Segmentation: {', '.join(map(_name, named))}",
            ),
        )


def _arranged(mask: Array, segments: Segments) -> tuple[Array, list[Any], Kind]:
    """The mask with segments 1, 2, … without gaps, what they are, and the kind of segmentation."""
    if isinstance(segments, str):
        segments = [segments]
    if not segments:
        raise BadRequest("It is not said what is segmented", hint=_WAYS)
    if mask.dtype.kind == "f":
        if mask.min() < 0 or mask.max() > 1:
            raise BadRequest(
                "Fractions are from 0 to 1", hint="give whole numbers for labels: mask.astype(int)"
            )
        return mask, _names(segments, mask.shape[3] if mask.ndim == 4 else 1), "fractional"
    if mask.dtype.kind not in "bui" or mask.min() < 0:
        raise BadRequest("A mask is of true and false, of whole numbers from 0, or of fractions", hint=_WAYS)
    if mask.ndim == 4:
        return mask.astype(bool), _names(segments, mask.shape[3]), "binary"
    if mask.dtype.kind == "b":
        return mask, _names(segments, 1), "binary"
    return _labelled(mask, segments)


def _labelled(mask: Array, segments: Segments) -> tuple[Array, list[Any], Kind]:
    names = dict(segments) if isinstance(segments, Mapping) else dict(enumerate(segments, start=1))
    unknown = sorted({int(value) for value in np.unique(mask)} - {0} - set(names))
    if unknown:
        told = ", ".join(map(str, unknown[:8]))
        raise BadRequest(f"The mask has values that no segment has: {told}", hint=_WAYS)
    table = np.zeros(max(int(mask.max()), *names) + 1, np.uint8 if len(names) < 256 else np.uint16)
    for number, value in enumerate(names, start=1):
        table[value] = number
    kind: Kind = "labelmap" if len(names) > 1 else "binary"
    return table[mask], list(names.values()), kind


def _names(segments: Segments, count: int) -> list[Any]:
    names = list(segments.values()) if isinstance(segments, Mapping) else list(segments)
    if len(names) != count:
        raise BadRequest(f"{len(names)} segments are named, the mask has {count}", hint=_WAYS)
    return names


def _described(number: int, segment: Any, algorithm: str) -> SegmentDescription:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    if hasattr(segment, "SegmentNumber"):
        segment.SegmentNumber = number
        described: SegmentDescription = segment
        return described
    name, what = (segment, _coded(segment)) if isinstance(segment, str) else segment[:2]
    identification = None
    if algorithm:
        family = codes.DCM.ArtificialIntelligence
        identification = AlgorithmIdentificationSequence(algorithm, family, "unknown")
    return SegmentDescription(
        segment_number=number,
        segment_label=str(name)[:64],
        segmented_property_category=codes.SCT.AnatomicalStructure if what else codes.SCT.Tissue,
        segmented_property_type=what or codes.SCT.Tissue,
        algorithm_type="AUTOMATIC" if algorithm else "MANUAL",
        algorithm_identification=identification,
        display_color=None,
    )


def _coded(name: str) -> Any:
    """The SNOMED CT code of that very name (`Liver`, `left kidney`), if there is one."""
    from pydicom.sr.codedict import codes

    keyword = "".join(word[:1].upper() + word[1:] for word in name.replace("_", " ").split())
    try:
        return getattr(codes.SCT, keyword)
    except AttributeError:
        return None


def _name(segment: Any) -> str:
    if hasattr(segment, "SegmentLabel"):
        return str(segment.SegmentLabel)
    return segment if isinstance(segment, str) else str(segment[0])


# --- parametric maps


def parametric_map(array: Array, grid: Grid, *, description: str = "", units: str = "") -> ParametricMap:
    """A parametric map: values as they are, floating-point ones too, in one instance.

    Args:
        array: of shape (slices, rows, columns), of float32, float64, or whole numbers of 8 or 16 bit.
        grid: the images it lies on.
        description: of the series, and of what the values are.
        units: of the values, in UCUM (`Gy`, `mm2/s`, `1`); HU too.

    Raises:
        BadRequest: the array does not fit.
    """
    from highdicom import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from highdicom.sr import CodedConcept
    from pydicom.uid import generate_uid

    array = grid.in_frame_order(grid.checked(_stored_as(array)))
    if array.ndim != 3:
        raise BadRequest("A parametric map has one value a voxel", hint="store one map a quantity")
    whole = array.dtype.kind in "ui"
    low, high = (int if whole else float)(np.nanmin(array)), (int if whole else float)(np.nanmax(array))
    unit = {"HU": "[hnsf'U]", "": "1", "BQML": "Bq/ml", "GY": "Gy"}.get(units, units)
    mapping = RealWorldValueMapping(
        lut_label="VALUE",
        lut_explanation=(description or "Values as stored")[:64],
        unit=CodedConcept(unit, "UCUM", "no units" if unit == "1" else units),
        value_range=(low, high),
        slope=1,
        intercept=0,
    )
    with _made_of(grid):
        made = ParametricMap(
            source_images=list(grid.images),
            pixel_array=array,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[mapping],
            voi_lut_transformations=[
                VOILUTTransformation(
                    window_center=(low + high) / 2,
                    window_width=max(high - low, 1e-9),
                    voi_lut_function="LINEAR_EXACT",
                )
            ],
            content_description=(description or "Parametric map")[:64],
            content_label="MAP",
            **_new(grid, generate_uid(prefix=None), description or "Parametric map"),
        )
    made.Laterality = grid.first.get("Laterality") or ""  # PS3.3 C.7.3.1: there, even if it is not known
    return made


def _stored_as(array: Array) -> Array:
    """The array in a type that a parametric map can have, without loss."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype in (np.float32, np.float64, np.uint8, np.uint16):
        return array
    if array.dtype.kind in "iu":
        if array.min() >= 0 and array.max() < 65_536:
            return array.astype(np.uint16)
        return array.astype(np.float32 if np.abs(array).max() < 2**24 else np.float64)
    raise BadRequest(f"An array of {array.dtype} cannot be stored", hint="give numbers")


def _new(grid: Grid, sop_instance_uid: str, description: str) -> dict[str, Any]:
    from pydicom.uid import generate_uid

    return {
        "series_instance_uid": generate_uid(prefix=None),
        "series_number": new_series_number(grid.first),
        "sop_instance_uid": sop_instance_uid,
        "instance_number": 1,
        "manufacturer": "Isocenter",
        "manufacturer_model_name": "Python client",
        "software_versions": __version__,
        "device_serial_number": "0",
        "series_description": description[:64],
    }


@contextmanager
def _made_of(grid: Grid) -> Iterator[None]:
    """What the images lack is told as such.

    Raises:
        BadRequest: such an object cannot be made of these images.
    """
    if grid.is_multiframe and "SharedFunctionalGroupsSequence" not in grid.first:
        hint = "segment the images that it was computed on" if "DoseUnits" in grid.first else ""
        raise BadRequest("The images are frames that do not say where they lie", hint=hint)
    if not grid.first.get("FrameOfReferenceUID"):
        hint = "store each slice: frames='single', without segments"
        raise BadRequest("The images have no Frame of Reference UID, which this needs", hint=hint)
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRequest("It cannot be made of these images", hint=str(error)) from error
