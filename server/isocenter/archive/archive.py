"""The archive: objects, and the datasets that name them. The face that everything above talks to.

Any number of processes may have one data folder open. What must happen in one place at a time (flush,
sweep) locks.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType

from isocenter.archive.arrival import Clock
from isocenter.archive.dataset import Dataset
from isocenter.archive.known import Known, recognise
from isocenter.archive.place import MakeQuestions, Place
from isocenter.archive.references import References, references
from isocenter.archive.research import Asks, Here, Research
from isocenter.archive.shared import Shared
from isocenter.archive.verify import Progress, Report, verify
from isocenter.archive.view import View, mark
from isocenter.archive.view_store import ViewStore
from isocenter.config import Settings
from isocenter.dicom.predicate import Equal
from isocenter.objects import LocalStore, ObjectStore
from isocenter.objects.sweep import Swept, sweep

_THREADS = 24


class Archive:
    """An open archive; `close` it, or use it in a `with` statement.

    Args:
        settings: of the server.
        objects: the object store; the folder `objects` below the data folder when not given.
        query_process: whether research queries run in a process of their own.
    """

    def __init__(
        self, settings: Settings, objects: ObjectStore | None = None, *, query_process: bool = True
    ) -> None:
        self._closed = False
        self.settings = settings
        self.data = settings.data.absolute()
        self._stored: ObjectStore = objects or LocalStore(self.data / "objects")
        self.objects: ObjectStore = ViewStore(self._stored, self._view, self.data / "cache" / "objects")
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="isocenter-store")
        places = [Place.of(settings, name) for name in settings.all_datasets()]
        query = settings.query
        make = MakeQuestions(tuple(places), query.sql_seconds, query.sql_memory)
        self._research: Asks = Research(make) if query_process else Here(make)
        self.datasets: dict[str, Dataset] = {}
        self._known = Known(self.data / "objects")
        clock = Clock()
        try:
            for place in places:
                told = settings.all_datasets()[place.name]
                mark(place, told.view_of)
                self.datasets[place.name] = Dataset(
                    place,
                    told,
                    self.objects,
                    self._research,
                    clock,
                    self._executor,
                    Shared(self.data / "objects", place.name),
                    vacuum_after=settings.catalog.vacuum_after,
                )
                self._recognise(self.datasets[place.name])
            self._join_views()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls, settings: Settings, objects: ObjectStore | None = None, *, query_process: bool = True
    ) -> Archive:
        """Open the archive in `settings.data`, making what is missing. For the arguments see the class.

        What processes that are dead left half received is removed.

        Raises:
            Unavailable: the data folder cannot be written, or an index is locked.
            NoSpace: there is no room for an index.
            Damaged: an index is none, or of a newer version, or not the one that this archive had: lost,
                older than it was, of another archive. Bring it back or make it anew (`isocenter reindex`).
        """
        archive = cls(settings, objects, query_process=query_process)
        archive.objects.remove_leftovers()
        return archive

    def dataset_of_ae(self, ae_title: str) -> Dataset | None:
        """The dataset that a called AE title names."""
        return next((one for one in self.datasets.values() if one.ae_title == ae_title.strip()), None)

    def _join_views(self) -> None:
        for dataset in self.datasets.values():
            if dataset.view_of:
                source = self.datasets[dataset.view_of]
                view = View(self.settings, dataset.name, dataset.index, source.index, self._stored)
                dataset.view = view

    def _view(self, name: str) -> View | None:
        dataset = self.datasets.get(name)
        return dataset.view if dataset is not None else None

    def _recognise(self, dataset: Dataset) -> None:
        if dataset.view_of:
            # It names no object that is stored, and what is lost of it is made again.
            if not dataset.index.reader.identity().name:
                dataset.index.writer.identify(uuid.uuid4().hex)
            return
        recognise(dataset.name, dataset.index, dataset.catalog, self._known, self.objects)

    def references(self) -> AbstractContextManager[References]:
        """What tells which objects some dataset, snapshot or conflict names; see `references`.

        Datasets count that are not in the settings: who takes one out of them for a while must not lose its
        objects.
        """
        return references(self.data, self.settings.index.url, self.datasets, self._known, self.objects)

    def sweep(self, *, grace: float | None = None) -> Swept:
        """Remove objects that nothing names and that are older than the grace period, in seconds.

        Raises:
            Unavailable, Damaged: an index that may name some is not at hand; nothing was removed.
        """
        period = self.settings.catalog.sweep_grace if grace is None else grace
        with self.references() as all_of_them:
            swept = sweep(self.objects, all_of_them.named, grace=period, spared=all_of_them.spared)
        for dataset in self.datasets.values():
            told = list(dataset.shared.all())
            if len(dataset.index.reader.references(told)) < len(told):
                with self.objects.lock_exclusive():
                    dataset.shared.forget(dataset.index.reader.references)
        return swept

    def verify(
        self, *, repair: bool = False, digests: bool = True, progress: Progress | None = None
    ) -> Report:
        """Whether everything that was acknowledged is there and unchanged; see `verify`."""
        return verify(self, repair=repair, digests=digests, progress=progress)

    def warm_up(self) -> None:
        """Start the query process, and ask it what has no answer: the first who asks would wait for both.

        Raises Unavailable when it does not start.
        """
        for _ in self.datasets["main"].metadata(Equal(("StudyInstanceUID",), "0")):
            pass

    def close(self) -> None:
        """Store what was received, then close everything. Once is enough."""
        if self._closed:
            return
        self._closed = True
        self._executor.shutdown()
        for dataset in self.datasets.values():
            dataset.close()
        self._research.close()
        self.objects.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
