"""Which datasets have named objects of this archive, and which index is theirs: so that none is ever missed.

An index that is lost, empty, of another archive or older than it was names too little: the sweep would
remove what it does not name, and a catalog would be written over. Beside the objects a note for each dataset
tells the identity of its index and how far that had come; who opens a dataset compares.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isocenter.archive.shared import Shared
from isocenter.catalog.catalog import INSTANCES, Catalog
from isocenter.errors import Damaged, NoSpace, NotFound, Unavailable
from isocenter.index import Index
from isocenter.objects import ObjectStore
from isocenter.objects.durable import fsync_folder, make_folder
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import read_head

_HINT = "bring it back from a backup, or run `isocenter reindex`; until then nothing is stored or swept"
_PREFIX = ".dataset-"


@dataclass(frozen=True)
class Note:
    """What is noted of a dataset: the name of its index, and the highest sequence it was seen to have."""

    index: str
    seq: int = 0


class Known:
    """The notes of one archive.

    Args:
        folder: that of the objects; the notes go with them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The datasets there are notes of."""
        return sorted(path.stem.removeprefix(_PREFIX) for path in self._folder.glob(f"{_PREFIX}*.json"))

    def of(self, dataset: str) -> Note | None:
        """The note of a dataset. Raises Damaged when it cannot be read."""
        try:
            with storage_errors("read what is noted of a dataset"):
                told: dict[str, Any] = json.loads(self._path(dataset).read_text())
            return Note(str(told["index"]), int(told["seq"]))
        except NotFound:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"What is noted of the dataset {dataset} cannot be read") from error

    def shares(self, dataset: str) -> bool:
        """Whether it has objects that came to another dataset first."""
        return bool(Shared(self._folder, dataset).all())

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{_PREFIX}{dataset}.json"

    def put(self, dataset: str, note: Note) -> None:
        """Note it, durably."""
        temporary = self._path(f"{dataset}-{uuid.uuid4().hex}").with_suffix(".new")
        with storage_errors("note a dataset"):
            make_folder(self._folder)
            try:
                with open(temporary, "w") as file:
                    json.dump(asdict(note), file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self._path(dataset))
            finally:
                temporary.unlink(missing_ok=True)
            fsync_folder(self._folder)


def recognise(dataset: str, index: Index, catalog: Catalog, known: Known, objects: ObjectStore) -> None:
    """Make sure that an index is the one of this dataset, whole; note it when it is new or has come further.

    Raises:
        Damaged: it is another one, or less than it was.
    """
    told = known.of(dataset)  # before the index is asked: it has its name before that is noted
    own = index.reader.identity()
    if told is not None and own.name and told.index != own.name:
        raise Damaged(f"The index of the dataset {dataset} is not that of this archive", hint=_HINT)
    least = max(told.seq if told else 0, catalog.last_sequence(INSTANCES))
    if own.last_seq < least:
        raise Damaged(f"The index of the dataset {dataset} is lost or older than it was", hint=_HINT)
    if not own.name and not own.last_seq and _has_objects(dataset, told, known, objects):
        raise Damaged(f"The index of the dataset {dataset} is lost", hint=_HINT)
    if not own.name:
        own = index.writer.identify(told.index if told else uuid.uuid4().hex)
    if told is None:
        known.put(dataset, Note(own.name, own.last_seq))
    elif own.last_seq > told.seq:
        with suppress(Unavailable, NoSpace):  # later will do; a sweep must go on where the disk is full
            known.put(dataset, Note(own.name, own.last_seq))


def _has_objects(dataset: str, told: Note | None, known: Known, objects: ObjectStore) -> bool:
    """Whether an index that was just made should name objects: that is looked up in them, and once.

    A dataset without a note, where there are notes, is new.
    """
    if known.shares(dataset):
        return True
    if told is None and known.names():
        return False
    return any(dataset_of(objects, info.relpath) == dataset for info in objects.list())


def dataset_of(objects: ObjectStore, relpath: str) -> str | None:
    """The dataset to which an object says that it came; None when it is gone or its head cannot be read."""
    try:
        with storage_errors("read an object"), closing(objects.open(relpath)) as file:
            return read_head(file).provenance.dataset
    except (NotFound, Damaged):
        return None
