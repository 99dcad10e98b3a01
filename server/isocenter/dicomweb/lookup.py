"""The stored instance that a path names, looked up once and kept until the index changes.

Viewers fetch the frames of one instance, and of its neighbours, in bursts: composing and running the same SQL
for each of them would cost more than sending it.
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from isocenter.archive import Dataset
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.dicomweb.paths import Target
from isocenter.errors import Gone, NotFound
from isocenter.index.records import StoredInstance

_MOST = 50_000


class _Kept:
    """What is known of one dataset, as of one version of its index."""

    def __init__(self) -> None:
        self.version = -1
        self.found: dict[Target, StoredInstance] = {}


class InstanceLookup:
    """Finds stored instances by path. Safe for threads; may block, so call it in one."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._kept: WeakKeyDictionary[Dataset, _Kept] = WeakKeyDictionary()

    def of(self, dataset: Dataset, target: Target) -> StoredInstance:
        """The instance that `target` names. Raises NotFound."""
        # Asked before the lookup: what is read is at least as new; a change in between costs one more lookup.
        version = dataset.index.reader.data_version()
        with self._mutex:
            kept = self._kept.setdefault(dataset, _Kept())
            if kept.version != version or len(kept.found) > _MOST:
                kept.version, kept.found = version, {}
            found = kept.found.get(target)
        if found is None:
            found = _find(dataset, target)
            with self._mutex:
                if kept.version == version:
                    kept.found[target] = found
        return found


def _find(dataset: Dataset, target: Target) -> StoredInstance:
    key = Level.INSTANCE.unique_key
    for one in dataset.instances(Equal((key,), target.instance)):
        if (one.StudyInstanceUID, one.SeriesInstanceUID) == (target.study, target.series):
            return one
    raise absent(dataset, target)


def absent(dataset: Dataset, target: Target) -> NotFound:
    """Why nothing is found at a path: it was deleted (410), or never was here (404). Blocks."""
    what = target.level.value if target.level else "instance"
    uids = (target.study, target.series, target.instance)
    if target.study and dataset.index.reader.was_deleted(*uids):
        return Gone(f"This {what} was deleted")
    return NotFound(f"There is no such {what} in this dataset")
