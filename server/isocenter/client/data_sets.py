"""Instances as pydicom data sets, one after the other: whole, without their pixels, or from DICOM JSON.

Files come over several connections and in order; how many wait to be taken is bounded in bytes, so that
memory does not grow with a series. Not here: arrays in space (`volume`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from isocenter.client.files import RemoteFile, read_whole
from isocenter.client.parallel import in_order
from isocenter.client.progress import Progress
from isocenter.client.selection import Row, Selection

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

    from isocenter.client.resources import Headers, Image, Instance

_PIXELS = ("7FE00008", "7FE00009", "7FE00010")
_HEADER = 1 << 16


def datasets(
    selection: Selection,
    source: object,
    *,
    stop_before_pixels: bool = False,
    specific_tags: list[Any] | None = None,
    connections: int = 4,
    progress: bool | Callable[[int, int], None] = False,
) -> Iterator[FileDataset]:
    """Every instance of `source`.

    Args:
        selection: of the dataset.
        source: a frame, resource, UID, or list of these.
        stop_before_pixels: only what is before the pixels, which is also all that is fetched.
        specific_tags: only these elements, as `pydicom.dcmread` takes them.
        connections: files that are fetched at the same time.
        progress: shown, or told to a function; in bytes of whole files.
    """
    rows: Any = selection.rows(source)
    total = 0
    if progress:
        rows = list(rows)
        total = sum(_size(row) for row in rows)

    def read(row: Row) -> FileDataset:
        return _read(selection, row, stop_before_pixels, specific_tags)

    def weigh(row: Row) -> int:
        return _HEADER if stop_before_pixels else _size(row)

    with Progress("Reading", total, progress) as shown:
        for row, dataset in in_order(rows, read, connections=connections, weigh=weigh):
            shown.advance(_size(row))
            yield dataset


def dataset_of(instance: Instance, **how: Any) -> FileDataset:
    """The data set of one instance; `how` as for `datasets`."""
    return next(datasets(Selection(instance.transport, instance.dataset_name), instance, **how))


def metadata(resource: Headers | Image) -> Iterator[Dataset]:
    """The headers of all its instances from WADO-RS metadata; without pixels and values of over 1 KiB."""
    from pydicom.dataset import Dataset

    for module in metadata_json(resource):
        for tag in _PIXELS:
            module.pop(tag, None)
        yield Dataset.from_json(module, lambda tag, vr, uri: None)


def metadata_json(resource: Headers | Image) -> list[dict[str, Any]]:
    """The same as the DICOM JSON model (PS3.18 F)."""
    import json

    raw = read_whole(resource.transport, f"{resource.path}/metadata", "application/dicom+json")
    found: list[dict[str, Any]] = json.loads(raw)
    return found


def _read(
    selection: Selection, row: Row, stop_before_pixels: bool, specific_tags: list[Any] | None
) -> FileDataset:
    from pydicom import dcmread

    path = selection.path(row)
    if stop_before_pixels:
        with RemoteFile(selection.transport, path, block=_HEADER) as file:
            read = dcmread(file, stop_before_pixels=True, specific_tags=specific_tags)
    else:
        raw = read_whole(selection.transport, path)
        read = dcmread(io.BytesIO(raw), specific_tags=specific_tags)
    read.buffer = None  # it has been read: the raw file need not stay in memory with it
    return read


def _size(row: Row) -> int:
    return int(row.get("_size") or 0)
