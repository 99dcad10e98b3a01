"""`Transform`: what an export does to each object on its way out, such as de-identify it.

A protocol, so that what exports (`jobs`) and what changes objects (`deid`) need not know each other: they are
joined from above. Pure: no I/O but on the open files that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Kept:
    """A result that leaves, by its own UIDs."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An object that does not leave, and why; the reason holds nothing of the object's values."""

    reason: str


Names = Callable[[Kept], tuple[str, ...]]
"""Gives results their names in an export: the components of a path, each result another one."""


class Transform(Protocol):
    """What is done to each object of one export; used by one thread."""

    def ready(self) -> None:
        """Begin: raises an `IsocenterError` where nothing could be done."""

    def apply(self, source: BinaryIO, sink: BinaryIO) -> Kept | Quarantined:
        """Do it to one object.

        Args:
            source: a Part 10 file that can be sought in; left open.
            sink: an empty file that can be sought in and read; it stays empty where the result is not kept.
        """

    def names(self) -> Names:
        """Names for the results of one export, which fit media (PS3.10 8.2) and say nothing of originals."""

    def report(self) -> dict[str, bytes]:
        """Files that tell what was done, by their names; they say nothing of originals."""
