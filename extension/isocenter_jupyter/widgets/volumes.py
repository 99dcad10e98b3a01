"""A series as a volume in ipyniivue's viewer (optional): NIfTI-1 bytes made of the client's volume.

Not here: reading the volume (`isocenter.client.volume`), exports to NIfTI files.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter.errors import BadRequest, NotFound

_TYPES = {"int16": 4, "int32": 8, "float32": 16, "uint16": 512, "uint8": 2}
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_installed() -> bool:
    """Whether ipyniivue can be imported."""
    return importlib.util.find_spec("ipyniivue") is not None


def show(image: Any, window: Sequence[float] | None = None, *, height: int = 480) -> Any:
    """A widget of ipyniivue with the volume of a series or instance; the largest even part of its slices.

    Args:
        image: of the client.
        window: centre and width.
        height: in CSS pixels.

    Raises:
        NotFound: ipyniivue is not installed.
        BadRequest: the images make no volume.
    """
    if not is_installed():
        raise NotFound("3-D needs ipyniivue, which is not installed", hint="pip install ipyniivue")
    from ipyniivue import NiiVue

    volume = image.volume(irregular="largest", progress=False)
    told: dict[str, Any] = {"name": "volume.nii", "colormap": "gray"}
    told["data"] = nifti(volume.array, volume.affine[:, [2, 1, 0, 3]])  # indices as NIfTI counts them
    if window is not None:
        centre, width = window
        told |= {"cal_min": centre - width / 2, "cal_max": centre + width / 2}
    viewer = NiiVue(
        height=height, is_radiological_convention=True
    )  # as the viewer: the patient's right is left
    viewer.load_volumes([told])
    return viewer


def nifti(array: Any, affine: Any) -> bytes:
    """NIfTI-1 in one file.

    Args:
        array: [slice, row, column], in the units to show.
        affine: 4 x 4, (column, row, slice) to patient mm, L, P and H positive.

    Raises:
        BadRequest: the array has not three dimensions.
    """
    values = np.asarray(array)
    if values.ndim != 3:
        raise BadRequest(f"A volume has three dimensions, this has {values.ndim}")
    if str(values.dtype) not in _TYPES:
        values = values.astype(np.float32)
    slices, rows, columns = values.shape
    to_world = _TO_RAS @ np.asarray(affine, dtype=np.float64)
    steps = np.linalg.norm(to_world[:3, :3], axis=0)
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, _TYPES[str(values.dtype)], values.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, 1.0, *steps, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)  # where the voxels begin; slope and intercept
    header[123] = 2  # millimetres
    struct.pack_into("<2h", header, 252, 0, 1)  # the affine is of the scanner
    struct.pack_into("<12f", header, 280, *to_world[:3].ravel())
    header[344:348] = b"n+1\0"
    return bytes(header) + np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
