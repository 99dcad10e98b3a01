"""What `archive.store` makes of an array: derived images, a parametric map or a segmentation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.client.derived import derived_images
from isocenter.client.grid import Grid, grid_of
from isocenter.client.segmentation import parametric_map, segmentation
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from isocenter.client.archive import Archive

_OF_IMAGES = ("description", "units", "frames")
_OF_MASKS = ("description", "algorithm", "kind")


def objects_of(
    archive: Archive, array: Any, like: Any = None, segments: Any = None, **how: Any
) -> list[Dataset]:
    """The DICOM objects of an array; see `Archive.store`.

    Raises:
        BadRequest: it is not said what it lies on, or it does not fit.
    """
    if like is None and hasattr(array, "instance_uids"):  # a volume
        like, how = array, {"units": array.units, **how} if segments is None else how
    if like is None:
        hint = "archive.store(array, like=series); a mask also with segments=['liver']"
        raise BadRequest("An array does not say of what images it is", hint=hint)
    known = _OF_IMAGES if segments is None else _OF_MASKS
    if unknown := [name for name in how if name not in known]:
        kind = "an array" if segments is None else "a mask"
        raise BadRequest(f"Nothing is known of {unknown[0]!r} of {kind}", hint=", ".join(known))
    values = np.asarray(array)
    if segments is None and values.dtype.kind == "b":
        raise BadRequest("The array is of true and false", hint="name what it segments: segments=['liver']")
    if values.size == 0:
        raise BadRequest("The array is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the images have wrong is no news about what is made of them
        return _made(values, grid_of(archive, like), segments, **how)


def _made(values: Any, grid: Grid, segments: Any, frames: str = "single", **how: Any) -> list[Dataset]:
    if segments is not None:
        return [segmentation(values, grid, segments, **how)]
    if frames not in ("single", "multi"):
        raise BadRequest(f"There are no frames {frames!r}", hint="'single': an instance a slice, or 'multi'")
    if frames == "multi":
        return [parametric_map(values, grid, **how)]
    return list(derived_images(values, grid, **how))
