"""`Archive`: one dataset of one server, as `isocenter.connect` gives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from isocenter.client import completion
from isocenter.client.column_list import ColumnInfo, ColumnList
from isocenter.client.contents import TEMPLATE
from isocenter.client.display.html import bytes_text, facts_html
from isocenter.client.display.text import facts_text
from isocenter.client.frame import Frame
from isocenter.client.known import known
from isocenter.client.sql import SqlTable
from isocenter.client.suggesting import no_attribute
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest, InvalidQuery, IsocenterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import FileDataset

    from isocenter.client.changes import Change, Changes
    from isocenter.client.cohorts import Cohorts
    from isocenter.client.deid import Plan
    from isocenter.client.deid_keys import Deid
    from isocenter.client.dicomweb import DicomwebClient
    from isocenter.client.download import DownloadReport
    from isocenter.client.job import Job
    from isocenter.client.jobs import Jobs
    from isocenter.client.resource import Resource
    from isocenter.client.resources import Instance, Patient, Series, Study
    from isocenter.client.store import StoreReport
    from isocenter.client.transport import Transport


class Archive:
    """A dataset of a server: frames of what it holds, SQL, and storing into it.

    A context manager: leaving it closes the connections. Safe to use from several threads.
    """

    def __init__(self, transport: Transport, dataset: str = "main") -> None:
        self.transport = transport
        self.dataset_name = dataset
        completion.offer()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self.transport.url

    @property
    def patients(self) -> Frame[Patient]:
        """A lazy table, a patient a row; studies without PatientID have one each."""
        return Frame(self.transport, self.dataset_name, Level.PATIENT)

    @property
    def studies(self) -> Frame[Study]:
        """A lazy table, a study a row."""
        return Frame(self.transport, self.dataset_name, Level.STUDY)

    @property
    def series(self) -> Frame[Series]:
        """A lazy table, a series a row."""
        return Frame(self.transport, self.dataset_name, Level.SERIES)

    @property
    def instances(self) -> Frame[Instance]:
        """A lazy table, an instance a row."""
        return Frame(self.transport, self.dataset_name, Level.INSTANCE)

    @property
    def cohorts(self) -> Cohorts:
        """The frozen cohorts: `archive.cohorts["thin-ct"]`, of which `["thin-ct@1"]` is the first version."""
        from isocenter.client.cohorts import Cohorts

        return Cohorts(self.transport, self.dataset_name)

    @property
    def jobs(self) -> Jobs:
        """The jobs of the server: long work that goes on while nobody waits."""
        from isocenter.client.jobs import Jobs

        return Jobs(self.transport, self.dataset_name)

    @property
    def deid(self) -> Deid:
        """De-identification: `archive.deid.keys()`, `.new_key("study-42")`, `.runs`."""
        from isocenter.client.deid_keys import Deid

        return Deid(self.transport, self.dataset_name)

    def deidentify(self, source: object, profile: str = "basic", **how: Any) -> Plan:
        """A plan to de-identify; see `Frame.deidentify`.

        Args:
            source: a frame, a cohort, a resource, a UID of a study, series or instance, a data frame with a
                column of UIDs, or a list of these.
            profile: `basic`.
            how: `options`, `key`, `rules` … as for `Frame.deidentify`.
        """
        from isocenter.client.deid import plan_of

        return plan_of(self, source, profile, **how)

    def verify(self, *, digests: bool = True) -> Job:
        """Start a verification of the whole server: is every object there and unchanged; for administrators.

        Args:
            digests: read every object; without it only that they are there, and their sizes.
        """
        return self.jobs.submit("verify", digests=digests)

    def dataset(self, name: str) -> Archive:
        """The same server, another dataset."""
        return Archive(self.transport, name)

    @property
    def dicomweb(self) -> DicomwebClient:
        """Its DICOMweb services as a `DICOMClient` of the package dicomweb-client (which is not needed)."""
        from isocenter.client.dicomweb import DicomwebClient

        return DicomwebClient(self)

    def __getitem__(self, uid: str) -> Resource:
        """The study, series or instance of this UID.

        Raises:
            NotFound: the dataset has none.
        """
        from isocenter.client.selection import find

        return find(self, uid)

    def patient(self, patient_id: str, issuer: str | None = None) -> Patient:
        """Whom this PatientID, of this issuer if one is given, names; nothing is asked yet."""
        from isocenter.client.resources import Patient

        known = {"IssuerOfPatientID": issuer} if issuer else {}
        return Patient(self.transport, self.dataset_name, patient_id, known)

    def read(self, source: object, **how: Any) -> Iterator[FileDataset]:
        """Instances as pydicom data sets, one after the other; memory does not grow with their number.

        Args:
            source: a frame, a resource, a UID of a study, series or instance, a data frame with a column of
                UIDs, or a list of these.
            how: as for `Frame.datasets`: `stop_before_pixels`, `specific_tags`, `connections`, `progress`.

        Raises:
            NotFound: a UID that the dataset does not have.
        """
        from isocenter.client.data_sets import datasets
        from isocenter.client.selection import Selection

        return datasets(Selection(self.transport, self.dataset_name), source, **how)

    def download(
        self, source: object, folder: str | os.PathLike[str], template: str = TEMPLATE, **how: Any
    ) -> DownloadReport:
        """Instances as DICOM files in a folder; see `Frame.download`.

        Args:
            source: a frame, a resource, a UID of a study, series or instance, a data frame with a column of
                UIDs, or a list of these.
            folder: made when it is not there.
            template: of file names, of keywords.
            how: `overwrite`, `verify`, `connections`, `progress`.

        Raises:
            NotFound: a UID that the dataset does not have.
        """
        from isocenter.client.download import download
        from isocenter.client.selection import Selection

        return download(Selection(self.transport, self.dataset_name), source, folder, template, **how)

    def sql(self, text: str) -> SqlTable:
        """The answer to one SELECT over the catalog's tables (`instances`, `series`, …), in DuckDB's SQL.

        Nothing runs before the answer is asked for (`to_pandas`, `to_arrow`, display, …).
        """
        if not text.strip():
            raise InvalidQuery("The SQL is empty", hint='archive.sql("SELECT count(*) FROM instances")')
        return SqlTable(self.transport, self.dataset_name, text)

    def columns(self, level: Level | str = Level.INSTANCE) -> ColumnList:
        """The columns that frames of this level may ask for.

        Args:
            level: `patient`, `study`, `series` or `instance`.
        """
        try:
            chosen = Level(level)
        except ValueError:
            hint = "patient, study, series or instance"
            raise InvalidQuery(f"There is no level {level!r}", hint=hint) from None
        told = self.transport.get("/api/tables/columns", dataset=self.dataset_name, level=chosen.value)
        return ColumnList(
            ColumnInfo(column["name"], str(column.get("type") or ""), str(column.get("description") or ""))
            for column in told
        )

    def store(
        self,
        source: object,
        *,
        progress: bool | Callable[[int, int], None] = True,
        connections: int = 4,
        like: object = None,
        segments: object = None,
        **how: Any,
    ) -> StoreReport:
        """Store DICOM objects: a folder, a file, a zip, data sets, bytes, a frame, or a list of these.

        ::

            archive.store("folder")
            archive.store(smoothed, like=series, description="Gaussian, 2 mm")
            archive.store(mask, like=series, segments=["liver", "spleen"])

        Files of a folder that are no DICOM objects are left out and listed, and so are folders that cannot be
        read and links to folders. A file that the server refuses, or a data set that cannot be encoded, does
        not stop the others: the report says what became of each.

        Args:
            source: what to store. An iterator, of data sets say, is read as far as they are sent. A frame or
                resource, of another archive or dataset, is copied byte for byte.
            progress: show it, or a function called with bytes sent and bytes in all.
            connections: uploads at the same time.
            like: of an array (or a changed volume, which knows it): the series, instance, volume or data sets
                that it lies on, slice by slice. It is stored as a derived series of the same kind.
            segments: of an array that is a mask: what it segments. It is stored as a DICOM segmentation.
            how: of an array: `description`, `units`, and `frames="multi"` for one parametric map, in which
                floating-point values are exact; of a mask: `description`, `algorithm`, `kind`.

        Returns:
            A report: `report.stored`, `report.failed`, `report.skipped`, shown as a table.

        Raises:
            NotFound: there is no such file.
            BadRequest: the array does not fit the images; it says what would.
            IsocenterError: the server cannot be reached or refuses all storing (credentials, rights).
        """
        from isocenter.client.store import store

        is_array = hasattr(source, "__array__") and not hasattr(source, "save_as")  # data sets have both
        if is_array or like is not None:
            from isocenter.client.arrays import objects_of

            source = objects_of(self, source, like, segments, **how)
        elif segments is not None or how:
            raise BadRequest("These are said of arrays only", hint="archive.store(array, like=series, …)")
        return store(self, source, progress=progress, connections=connections)

    def changes(self, since: int | Change | Literal["now"] = 0, *, follow: bool = False) -> Changes:
        """What happened in this dataset after some point, oldest first.

        Args:
            since: the sequence of a change, a change, or `"now"`; 0 is as far back as the log goes.
            follow: wait for what happens next; ends with the loop.

        Returns:
            An iterator; its `last` is where to go on.
        """
        from isocenter.client.changes import Changes

        return Changes(self.transport, self.dataset_name, since, follow)

    def statistics(self) -> dict[str, int]:
        """How many patients, studies, series and instances there are, and the `size` of their objects."""
        told = self.transport.get("/api/statistics", dataset=self.dataset_name)
        counts = {name: int(told[f"Count{name.capitalize()}"]) for name in _COUNTED}
        return {**counts, "size": int(told["TotalDiskSize"])}

    def system(self) -> dict[str, Any]:
        """What the server says of itself: name, version, AE title, ports."""
        told = self.transport.get("/api/system")
        if not isinstance(told, dict):
            raise IsocenterError(f"{self.url} is no Isocenter server", hint="its /api/system is no object")
        return told

    def close(self) -> None:
        """Close the connections; using the archive again opens new ones."""
        known.settle(self.url)
        self.transport.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[object]:
        raise TypeError("an archive is not a list: iterate archive.studies, .series or .instances")

    def __repr__(self) -> str:
        return f"<Isocenter archive {self.dataset_name!r} at {self.url}>"

    def __str__(self) -> str:
        return facts_text(f"Archive {self.dataset_name}", self._facts())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        title, facts = f"Archive {self.dataset_name}", self._facts()
        return {"text/plain": facts_text(title, facts), "text/html": facts_html(title, facts)}

    def _repr_html_(self) -> str:
        return facts_html(f"Archive {self.dataset_name}", self._facts())

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if name[0] != "_" and name != "transport")

    if not TYPE_CHECKING:  # a type checker says it better

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {}
        try:
            system = self.system()
            facts["server"] = f"{system.get('Name', 'Isocenter')} {system.get('Version', '')} at {self.url}"
            port = system.get("DicomPort")
            facts["AE title"] = f"{system.get('DicomAet', '')}, {f'port {port}' if port else 'not listening'}"
            told = self.statistics()
            facts |= {name: f"{told[name]:,}" for name in _COUNTED} | {"size": bytes_text(told["size"])}
        except IsocenterError as error:
            facts["error"] = str(error)
        return facts


_COUNTED = ("patients", "studies", "series", "instances")
