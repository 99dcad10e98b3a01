"""The object store of an archive, with objects that are not stored but made.

Those of a view are made when they are opened: they have names like any other, below `view-<dataset>/`, and no
local file, as if they were remote. Others were made already and are derived files in the cache. Nothing is
placed, listed or removed among them; every other object is where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from isocenter.errors import NotFound
from isocenter.objects import Incoming, ObjectInfo, ObjectStore, Share, derived
from isocenter.objects.derived import Derived
from isocenter.objects.faults import storage_errors
from isocenter.objects.paths import checked

_PREFIX, _CACHED = "view-", "derived-object"


def named(view: str, relpath: str) -> str:
    """The name of an object of a view."""
    return f"{_PREFIX}{view}/{relpath}"


def cached(name: Derived) -> str:
    """The name of an object that is a derived file."""
    return f"{_CACHED}/{name.sha256}/{name.what}"


class Makes(Protocol):
    """A view, as it makes its objects."""

    def open(self, relpath: str) -> BinaryIO:
        """The object, made. Raises NotFound, Gone, Damaged."""

    def info(self, relpath: str) -> ObjectInfo | None:
        """Its size; None when it cannot be made."""


class ViewStore:
    """An object store, and what views make of its objects.

    Args:
        store: the objects.
        view: the view of a name; None where there is none.
        cache: folder of derived files.
    """

    def __init__(self, store: ObjectStore, view: Callable[[str], Makes | None], cache: Path) -> None:
        self.store = store
        self._view = view
        self._cache = cache

    def _derived(self, relpath: str) -> Path | None:
        """Where an object is that is a derived file."""
        if not relpath.startswith(_CACHED):
            return None
        _, sha256, what = checked(relpath).split("/")
        return derived.path_of(self._cache, Derived(sha256, what))

    def _made_by(self, relpath: str) -> Makes | None:
        """The view that an object belongs to; None for one that is stored."""
        if not relpath.startswith(_PREFIX):
            return None
        found = self._view(relpath.removeprefix(_PREFIX).partition("/")[0])
        if found is None:
            raise NotFound("The view of this object is not there any more")
        return found

    def open(self, relpath: str) -> BinaryIO:
        """The object as a seekable binary file. Raises NotFound."""
        path = self._derived(relpath)
        if path is not None:
            with storage_errors("open what was made of an object"):
                return path.open("rb")
        view = self._made_by(relpath)
        return self.store.open(relpath) if view is None else view.open(relpath)

    def path(self, relpath: str) -> Path | None:
        """The object as a local file, or None where there is none."""
        if relpath.startswith(_PREFIX):
            return None
        return self._derived(relpath) or self.store.path(relpath)

    def info(self, relpath: str) -> ObjectInfo | None:
        """Size and time of the object, None when it is not there."""
        view = self._made_by(relpath)
        return self.store.info(relpath) if view is None else view.info(relpath)

    def create(self) -> Incoming:
        """A new incoming object."""
        return self.store.create()

    def place(self, incoming: Incoming, relpath: str, *, replace: bool = False) -> bool:
        """Give an object its name."""
        return self.store.place(incoming, relpath, replace=replace)

    def sync(self, incoming: Incoming, relpath: str) -> None:
        """Make an object durable that was given its name before it was sealed."""
        self.store.sync(incoming, relpath)

    def sync_directories(self, relpaths: Iterable[str]) -> None:
        """Make the names of these objects durable."""
        self.store.sync_directories(relpaths)

    def delete(self, relpath: str) -> None:
        """Remove the object."""
        self.store.delete(relpath)

    def list(self, under: str = "") -> Iterator[ObjectInfo]:
        """Every object that is stored."""
        return self.store.list(under)

    def remove_leftovers(self) -> int:
        """Remove incoming objects of processes that are dead."""
        return self.store.remove_leftovers()

    def hold(self) -> Share:
        """Keep the sweeper out."""
        return self.store.hold()

    def lock_exclusive(self) -> AbstractContextManager[None]:
        """Sweep lock, exclusive."""
        return self.store.lock_exclusive()

    def close(self) -> None:
        """Release what the store holds open."""
        self.store.close()
