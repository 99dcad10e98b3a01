"""`Grid`: the images that an array lies on, in the array's order, for what is made of it to refer to.

An array of a series is in the order of `series.volume()`; one of a list of data sets in theirs; one of a
multi-frame instance in that of its volume. Not here: what is made of the array (`derived`, `segmentation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.client.slices import Slice, slices_of
from isocenter.client.stacking import stack
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from isocenter.client.archive import Archive

Array = np.ndarray[Any, Any]
_LIKE = "like= takes a series, an instance, a volume of one, its UID, or a list of pydicom data sets"


@dataclass(frozen=True)
class Grid:
    """Images without their pixels.

    Attributes:
        images: one a slice of the array, or a single one of many frames.
        order: of a multi-frame image: the index of the frame that each slice of the array is.
    """

    images: tuple[Dataset, ...]
    order: tuple[int, ...] = ()

    @property
    def first(self) -> Dataset:
        """What patient, study and geometry are copied from."""
        return self.images[0]

    @property
    def is_multiframe(self) -> bool:
        """Whether it is one instance of several frames."""
        return bool(self.order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.order) or len(self.images), int(self.first.Rows), int(self.first.Columns)

    def checked(self, array: Array) -> Array:
        """The array as (slices, rows, columns[, …]).

        Raises:
            BadRequest: it does not fit; the hint says what would make it.
        """
        wanted = self.shape
        if array.shape == wanted[1:] and wanted[0] == 1:
            array = array[None]
        if array.shape[:3] == wanted and array.ndim in (3, 4):
            return array
        raise BadRequest(
            f"The array is {_by(array.shape)}, the images are {_by(wanted)} (slices, rows, columns)",
            hint=_way(array.shape, wanted),
        )

    def in_frame_order(self, array: Array) -> Array:
        """The slices of the array in the order in which the multi-frame image has its frames."""
        return array[np.argsort(self.order)] if self.is_multiframe else array


def _way(shape: tuple[int, ...], wanted: tuple[int, int, int]) -> str:
    slices, rows, columns = wanted
    three = shape[:3]
    if three == (columns, rows, slices) and len(shape) == 3:
        return "its axes are (columns, rows, slices), as in NIfTI: give array.T, and mind the order of slices"
    if three == (rows, columns, slices):
        return "its last axis are the slices: give np.moveaxis(array, 2, 0)"
    if three == (slices, columns, rows):
        return "rows and columns are exchanged: give array.swapaxes(1, 2)"
    if three[1:] == (rows, columns):
        return "give like= the volume that it was made from, or the data sets of its slices only"
    return "resample it to the grid of the images first"


def grid_of(archive: Archive, like: Any) -> Grid:
    """The images of `like`.

    Raises:
        BadRequest: it has none, or they are no stack.
        NotFound: a UID that the dataset does not have.
    """
    if hasattr(like, "save_as"):
        like = [like]
    if isinstance(like, (list, tuple)) and like and all(hasattr(one, "save_as") for one in like):
        return _of_data_sets(list(like), ordered=True)
    uids: tuple[str, ...] = ()
    if hasattr(like, "instance_uids"):
        uids, like = like.instance_uids, like.series_uid
    if not isinstance(like, (str, list, tuple)) and not hasattr(like, "datasets"):
        raise BadRequest(f"{type(like).__name__} is nothing that an array can lie on", hint=_LIKE)
    wanted = set(uids)
    images: list[Dataset] = [
        image
        for image in archive.read(like, stop_before_pixels=True)
        if "Rows" in image and (not wanted or image.SOPInstanceUID in wanted)
    ]
    if wanted and len(wanted) == len(uids):
        by_uid = {str(image.SOPInstanceUID): image for image in images}
        return Grid(tuple(by_uid[uid] for uid in uids))
    return _of_data_sets(images, ordered=False)


def _of_data_sets(images: list[Dataset], *, ordered: bool) -> Grid:
    if not images:
        raise BadRequest("There are no images", hint=_LIKE)
    if len({one.get("SeriesInstanceUID") for one in images}) > 1:
        raise BadRequest("The images are of several series", hint="an array lies on the images of one")
    frames = int(images[0].get("NumberOfFrames") or 1)
    if len(images) > 1 and any(int(one.get("NumberOfFrames") or 1) > 1 for one in images):
        raise BadRequest("The images are several of many frames", hint="choose one: like=series.instances[0]")
    if frames > 1:
        order = [one.frame - 1 for one in stack(_slices(images)).slices]
        if len(order) < frames:
            raise BadRequest("Only some frames of the image are a stack", hint=_LIKE)
        return Grid(tuple(images), tuple(order))
    if ordered or len(images) == 1:
        _same_size(images)
        return Grid(tuple(images))
    by_uid = {str(image.SOPInstanceUID): image for image in images}
    return Grid(tuple(by_uid[one.uid] for one in stack(_slices(images)).slices))


def _slices(images: list[Dataset]) -> list[Slice]:
    return [one for image in images for one in slices_of(image.to_json_dict(suppress_invalid_tags=True))]


def _same_size(images: list[Dataset]) -> None:
    sizes = {(one.get("Rows"), one.get("Columns")) for one in images}
    if len(sizes) > 1 or None in next(iter(sizes)):
        raise BadRequest("The images differ in size, or are none", hint=_LIKE)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
