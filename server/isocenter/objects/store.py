"""What an object store does: receive a stream, give it its name, find, list and remove it.

An object is the Part 10 file of one SOP instance, immutable once it has its name. The store knows names and
bytes; which of them are referenced is known by the archive, which instances they hold by the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from isocenter.objects.incoming import Incoming
from isocenter.objects.lock import Share


class ObjectInfo(NamedTuple):
    """A stored object as a listing tells it: `size` in bytes, `modified` in seconds since 1970."""

    relpath: str
    size: int
    modified: float


class ObjectStore(Protocol):
    """Where objects are kept. Relative paths use `/` and are checked; errors are of our tree."""

    def create(self) -> Incoming:
        """A new incoming object."""

    def place(self, incoming: Incoming, relpath: str, *, replace: bool = False) -> bool:
        """Give an object its name, atomically; False (nothing changed) when the name is taken.

        It is sealed, or `sync` follows.
        """

    def sync(self, incoming: Incoming, relpath: str) -> None:
        """Make an object durable that was given its name before it was sealed."""

    def sync_directories(self, relpaths: Iterable[str]) -> None:
        """Make the names of these objects durable: every folder on their way once."""

    def open(self, relpath: str) -> BinaryIO:
        """The object as a seekable binary file. Raises NotFound."""

    def path(self, relpath: str) -> Path | None:
        """The object as a local file, or None where there is none."""

    def info(self, relpath: str) -> ObjectInfo | None:
        """Size and time of the object, None when it is not there."""

    def delete(self, relpath: str) -> None:
        """Remove the object, and folders that this leaves empty; nothing happens when it is not there."""

    def list(self, under: str = "") -> Iterator[ObjectInfo]:
        """Every object, in no order, or those in one folder."""

    def remove_leftovers(self) -> int:
        """Remove incoming objects of processes that are dead; how many there were."""

    def hold(self) -> Share:
        """Keep the sweeper out (sweep lock, shared) until the share is released."""

    def lock_exclusive(self) -> AbstractContextManager[None]:
        """Sweep lock, exclusive: no object is between its name and its index row meanwhile."""

    def close(self) -> None:
        """Release what the store holds open."""
