"""What names an object, over everything that may: what nothing names is swept.

Counted are the index, frozen cohorts included, of every dataset that is open or has ever been one here, the
indexes that a rebuild put aside (as long as their folder `before-…` is there), and the objects that a rebuild
could not read. When one of them is not at hand, nothing can be said, and nothing is swept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from isocenter.archive.known import Known, dataset_of, recognise
from isocenter.archive.opening import Opened
from isocenter.archive.place import Place
from isocenter.archive.view import is_view
from isocenter.catalog.members import unpack
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import Damaged, Unavailable
from isocenter.index import Index, datasets_in, has_index, in_postgres, open_index
from isocenter.objects import ObjectStore, object_path
from isocenter.objects.faults import storage_errors
from isocenter.objects.paths import split_path

if TYPE_CHECKING:
    from isocenter.archive.dataset import Dataset

UNREADABLE = "unreadable.json"
"""In a dataset's folder: the objects that its last rebuild could not read, with the reason."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class References:
    """Everything that names objects, open.

    Attributes:
        indexes: that may name some.
        datasets: whose indexes those are.
        unreadable: objects that a rebuild could not read: nobody knows who names them.
    """

    objects: ObjectStore
    indexes: tuple[Index, ...]
    datasets: frozenset[str]
    unreadable: frozenset[str]

    def named(self, paths: Sequence[str]) -> set[str]:
        """Which of these objects a row of any epoch, a conflict, a cohort or an unfinished repair names."""
        found = {path for index in self.indexes for path in index.reader.references(paths)}
        found |= self.unreadable & set(paths)
        rest = set(paths) - found
        return found | (self._in_cohorts(rest) if rest else rest)

    def _in_cohorts(self, paths: set[str]) -> set[str]:
        """Which of these objects are those of members of a frozen cohort, though their rows are gone."""
        ours = {path: split for path in paths if (split := split_path(path)) is not None}
        instances = {name for _, _, name, _ in ours.values()}
        hashed = not all(map(is_valid_uid, instances))  # the name then tells no UID to look for
        wanted = pa.array(instances, pa.string())
        named: dict[str, list[str]] = {}
        for index in self.indexes:
            for part in index.reader.cohort_parts():
                members = unpack(part)
                if not hashed:
                    members = members.filter(pc.is_in(members.column("SOPInstanceUID"), value_set=wanted))
                for one in members.to_pylist():
                    uids = (one["StudyInstanceUID"], one["SeriesInstanceUID"], one["SOPInstanceUID"])
                    named.setdefault(object_path(*uids, ""), []).append(one["identity"].hex())
        return {
            path
            for path, (study, series, name, digits) in ours.items()
            for identity in named.get(f"{study}/{series}/{name}..dcm", ())
            if identity.startswith(digits) or digits.startswith(identity)
        }

    def spared(self, paths: Sequence[str]) -> set[str]:
        """Which of these objects, that nothing names, must stay: their dataset is not one that was asked.

        So are those whose head is broken: only an index could tell whose they are.
        """
        return {path for path in paths if dataset_of(self.objects, path) not in self.datasets}


@contextmanager
def references(
    data: Path, url: str | None, datasets: Mapping[str, Dataset], known: Known, objects: ObjectStore
) -> Iterator[References]:
    """Open everything that names objects.

    Args:
        data: the data folder.
        url: of the PostgreSQL database, if the indexes are there.
        datasets: those that are open.
        known: which datasets there are, in the settings or not.
        objects: the object store.

    Raises:
        Unavailable: an index is not at hand.
        Damaged: an index is not the one that it was.
    """
    folders = {path.name: path for path in (data / "datasets").iterdir() if path.is_dir()}
    folders |= {name: data / "datasets" / name for name in known.names()}
    folders = {name: folder for name, folder in folders.items() if not is_view(folder)}
    indexes: list[Index] = []
    with ExitStack() as stack:
        for name, folder in sorted(folders.items()):
            dataset = datasets.get(name)
            if dataset is not None:
                recognise(name, dataset.index, dataset.catalog, known, objects)
                indexes.append(dataset.index)
            else:
                indexes.append(_unused(stack, Place(name, folder, url or ""), known, objects))
            indexes += _put_aside(stack, folder, url or "", dataset)
        unreadable = {path for folder in folders.values() for path in unreadable_of(folder)}
        yield References(objects, tuple(indexes), frozenset(folders), frozenset(unreadable))


def unreadable_of(folder: Path) -> dict[str, str]:
    """The objects that the last rebuild of a dataset could not read, and why."""
    if not (folder / UNREADABLE).exists():
        return {}
    with storage_errors("read what a rebuild left out"):
        told: dict[str, str] = json.loads((folder / UNREADABLE).read_text())
    return told


def _unused(stack: ExitStack, place: Place, known: Known, objects: ObjectStore) -> Index:
    """The index of a dataset that is out of the settings: its objects must not be lost."""
    if place.folder.is_dir():
        stack.enter_context(closing(Opened(place.folder, place.index)))
    for where in (str(place.folder / "index.db"), place.index):
        if where and has_index(where, dataset=place.name):
            index = stack.enter_context(open_index(where, dataset=place.name))
            recognise(place.name, index, place.open_catalog(), known, objects)
            return index
    raise Unavailable(
        f"The index of the dataset {place.name} is not at hand, so nothing is swept",
        hint=f"put {place.name} into the settings again, and run `isocenter reindex --dataset {place.name}`",
    )


def _put_aside(stack: ExitStack, folder: Path, url: str, dataset: Dataset | None) -> Iterator[Index]:
    """Indexes of a dataset that are not in use: before a rebuild, or before PostgreSQL."""
    places = [(str(path), folder.name) for path in sorted(folder.glob("before-*/index.db"))]
    if dataset is not None and in_postgres(dataset.place.index) and (folder / "index.db").exists():
        places.append((str(folder / "index.db"), folder.name))
    if url:
        aside = f"{folder.name}.before-"
        places += [(url, name) for name in sorted(datasets_in(url)) if name.startswith(aside)]
    for place, name in places:
        try:
            yield stack.enter_context(open_index(place, dataset=name))
        except Damaged:  # that may be why it was put aside
            _log.warning("An index of %s that was put aside cannot be read, and keeps no object", folder.name)
