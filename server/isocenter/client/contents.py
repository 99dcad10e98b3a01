"""`Contents`: what can be done with all that has instances, a frame as much as a study or one instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

    from isocenter.client.transport import Transport


class Contents:
    """Something with instances; a class of it has a `transport` and a `dataset_name`."""

    transport: Transport
    dataset_name: str

    def datasets(
        self,
        *,
        stop_before_pixels: bool = False,
        specific_tags: list[Any] | None = None,
        connections: int = 4,
        progress: bool | Callable[[int, int], None] = False,
    ) -> Iterator[FileDataset]:
        """Its instances as pydicom data sets, one after the other; memory does not grow with their number.

        Args:
            stop_before_pixels: only what is before the pixels; the rest is not fetched either.
            specific_tags: only these elements, as `pydicom.dcmread` takes them.
            connections: files that are fetched at the same time.
            progress: shown, or a function called with bytes done and bytes in all.
        """
        from isocenter.client.data_sets import datasets
        from isocenter.client.selection import Selection

        return datasets(
            Selection(self.transport, self.dataset_name),
            self,
            stop_before_pixels=stop_before_pixels,
            specific_tags=specific_tags,
            connections=connections,
            progress=progress,
        )
