"""`Volume`: a series as an array in space, with the affine that says where each voxel lies in the patient.

Not here: how slices stack (`stacking`), nor their pixels (`pixels`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from isocenter.client import pixels
from isocenter.client.data_sets import metadata_json
from isocenter.client.dicomweb import DicomwebClient
from isocenter.client.display.html import bytes_text, facts_html
from isocenter.client.long_values import fill
from isocenter.client.slices import Slice, one, slices_of
from isocenter.client.stacking import Irregular, choose, stack
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    import nibabel
    import xarray

    from isocenter.client.resources import Image

Array = np.ndarray[Any, Any]
Values = Literal["modality", "stored", "real_world"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Space is DICOM's: millimetres, x to the patient's left, y to the back, z to the head (LPS). Indices are
    those of the array: slice, row, column. `affine @ (slice, row, column, 1)` is the centre of that voxel.

    Attributes:
        array: of shape (slices, rows, columns).
        affine: 4x4, from indices to mm (LPS).
        units: of the values, as DICOM calls them (`HU`, `BQML`, `GY`); empty when unknown.
        series_uid: Series Instance UID.
        frame_of_reference_uid: volumes of the same one lie in the same space.
        instance_uids: SOP Instance UID of each slice.
        positions: of the first voxel of each slice as its header says it, mm, of shape (slices, 3).
        problems: what is irregular, in words; only with `irregular="keep"` or `"largest"`.
    """

    array: Array
    affine: Array
    units: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    instance_uids: tuple[str, ...] = field(default=(), repr=False)
    positions: Array = field(default_factory=lambda: np.empty((0, 3)), repr=False)
    problems: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Slices, rows, columns."""
        return tuple(self.array.shape)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm between slices, between rows and between columns, centre to centre."""
        slices, rows, columns = (float(np.linalg.norm(self.affine[:3, axis])) for axis in range(3))
        return slices, rows, columns

    @property
    def origin(self) -> tuple[float, float, float]:
        """The centre of the first voxel, mm (LPS)."""
        x, y, z = map(float, self.affine[:3, 3])
        return x, y, z

    @property
    def direction(self) -> Array:
        """3x3: its columns are the unit vectors from slice to slice, row to row and column to column."""
        made: Array = self.affine[:3, :3] / np.asarray(self.spacing)
        return made

    @property
    def affine_ras(self) -> Array:
        """The affine to mm in RAS: x to the right, y to the front; as NIfTI has it, indices as here."""
        made: Array = _LPS_TO_RAS @ self.affine
        return made

    @property
    def regular(self) -> bool:
        """Whether every slice is where the affine puts it."""
        return not self.problems

    def to_patient(self, indices: Any) -> Array:
        """Where voxels lie: indices (slice, row, column) of shape (..., 3) to mm (LPS)."""
        return _applied(self.affine, indices)

    def to_index(self, points: Any) -> Array:
        """The indices (slice, row, column), as fractions, of points in mm (LPS) of shape (..., 3)."""
        return _applied(np.linalg.inv(self.affine), points)

    def to_xarray(self) -> xarray.DataArray:
        """As an `xarray.DataArray` of dimensions z, y, x.

        Coordinates are mm along the direction of each axis; for axial slices of a patient on the back these
        are the LPS coordinates. `attrs` has the affine and the units.

        Raises:
            BadRequest: xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise BadRequest("xarray is not installed", hint="pip install xarray") from None
        starts = self.direction.T @ self.affine[:3, 3]
        axes = zip("zyx", self.shape, starts, self.spacing, strict=True)
        coordinates = {
            name: (name, start + step * np.arange(size), {"units": "mm"}) for name, size, start, step in axes
        }
        told = {"units": self.units, "affine": self.affine, "space": "LPS", "series_uid": self.series_uid}
        return xarray.DataArray(self.array, coordinates, ("z", "y", "x"), attrs=told)

    def to_nibabel(self) -> nibabel.Nifti1Image:
        """As a `nibabel.Nifti1Image`: array axes (column, row, slice), affine to RAS.

        Raises:
            BadRequest: nibabel is not installed.
        """
        try:
            import nibabel
        except ImportError:
            raise BadRequest("nibabel is not installed", hint="pip install nibabel") from None
        array = self.array.astype(np.int32) if self.array.dtype == np.int64 else self.array
        make: Any = nibabel.Nifti1Image  # it has no types
        image = make(array.T, self.affine_ras[:, [2, 1, 0, 3]])
        image.header.set_xyzt_units("mm")
        made: nibabel.Nifti1Image = image
        return made

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False and dtype is not None and np.dtype(dtype) != self.array.dtype:
            raise ValueError("another dtype needs a copy")
        made: Array = np.array(self.array, dtype) if copy else np.asarray(self.array, dtype)
        return made

    def __repr__(self) -> str:
        units = f" {self.units}" if self.units else ""
        return f"<volume {self._size()}{units}, {self._spacing()}{'' if self.regular else ', irregular'}>"

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {
            "slices x rows x columns": self._size(),
            "voxel": self._spacing(),
            "extent": " x ".join(f"{n * s:.4g}" for n, s in zip(self.shape, self.spacing, strict=True))
            + " mm",
            "values": f"{self.array.dtype}{f' in {self.units}' if self.units else ''}, "
            f"{bytes_text(self.array.nbytes)}",
        }
        if self.problems:
            facts["irregular"] = "; ".join(self.problems)
        return facts_html("Volume", facts)

    def _size(self) -> str:
        return " x ".join(map(str, self.shape))

    def _spacing(self) -> str:
        return " x ".join(f"{step:.4g}" for step in self.spacing) + " mm"


def volume(
    resource: Image,
    *,
    irregular: Irregular = "error",
    values: Values = "modality",
    dtype: Any = None,
    connections: int = 4,
    progress: bool | Callable[[int, int], None] = True,
    chosen: dict[str, Any] | None = None,
) -> Volume:
    """See `Series.volume`."""
    if values not in ("modality", "stored", "real_world"):
        raise BadRequest(f"There are no values {values!r}", hint="'modality', 'stored' or 'real_world'")
    kind = None if dtype is None else pixels.checked_dtype(dtype)
    modules = metadata_json(resource)
    for module in modules:
        fill(module, lambda uri: b"".join(DicomwebClient(resource).retrieve_bulkdata(uri)))
    every, left_out = _slices(modules, values)
    if left_out and irregular == "error":
        raise BadRequest(
            f"Not all are slices: {left_out}", hint="volume(irregular='largest') leaves them out"
        )
    found = stack(choose(every, chosen or {}), irregular)
    root = resource.path.partition("/instances/")[0]
    paths = {one.uid: f"{root}/instances/{one.uid}" for one in found.slices}
    array = pixels.fetch(
        resource.transport, paths, found.slices, dtype=kind, connections=connections, progress=progress
    )
    return Volume(
        array,
        found.affine,
        units=_units(found.slices),
        series_uid=root.rpartition("/")[2],
        frame_of_reference_uid=found.slices[0].reference,
        instance_uids=tuple(one.uid for one in found.slices),
        positions=np.asarray([one.position for one in found.slices]),
        problems=(*([left_out] if left_out else []), *found.problems),
    )


def _slices(modules: list[dict[str, Any]], values: str) -> tuple[list[Slice], str]:
    """The slices of all that are images, and what the others are, in words."""
    found: list[Slice] = []
    problems: list[BadRequest] = []
    for module in modules:
        try:
            found.extend(slices_of(module, values))
        except BadRequest as error:
            problems.append(error)
        except (ValueError, TypeError):  # a number that is none
            wrong = f"The header of instance {one(module, '00080018')} has values that are no numbers"
            problems.append(BadRequest(wrong, hint="read its pixels: instance.dataset().pixel_array"))
    if not found:
        raise problems[0] if problems else BadRequest("The series has no instances")
    placed = [each for each in found if each.position and each.orientation and each.spacing]
    nowhere = len(found) - len(placed) if placed else 0
    told = [problems[0].message] if problems else []
    told += [f"{nowhere} images do not say where they lie"] if nowhere else []
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return placed or found, "; ".join(told) + more


def _units(slices: tuple[Slice, ...]) -> str:
    told = {each.meaning.units for each in slices}
    return told.pop() if len(told) == 1 else ""


def _applied(affine: Array, points: Any) -> Array:
    made: Array = np.asarray(points, dtype=float) @ affine[:3, :3].T + affine[:3, 3]
    return made
