"""`Patient`, `Study`, `Series`, `Instance`: one thing of an archive, with its attributes by keyword.

A resource is a name and what is known of it so far: making one asks nothing, and an attribute that is not
known yet is asked for once. Not here: tables of them (`frame`), pixels in space (`volume`), files (`files`).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

from isocenter.client.contents import Contents
from isocenter.client.display.resources import resource_html, resource_text
from isocenter.client.files import BLOCK, MEMORY, RemoteFile
from isocenter.client.frame import Frame
from isocenter.dicom.attributes import COMPUTED, INDEX, lookup, suggestion
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Predicate, all_of
from isocenter.errors import BadRequest, IsocenterError, NotFound, UnknownAttribute

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

    from isocenter.client.transport import Transport

_ORDER = {
    Level.STUDY: ("StudyDate", "StudyTime", "StudyInstanceUID"),
    Level.SERIES: ("SeriesNumber", "SeriesInstanceUID"),
    Level.INSTANCE: ("InstanceNumber", "SOPInstanceUID"),
}


_OWN = ("_size", "_seq", "_received", "_source_aet", "_sha256")


class Resource(Contents):
    """What the four have in common; equal when they name the same thing of the same archive.

    Attributes of DICOM are read by keyword (`series.Modality`): dates and times as those of `datetime`, the
    rest as in a frame's rows; None where it is absent. What belongs to a level below is that of the instance
    received first.

    Attributes:
        level: what it is.
        transport: to its server.
        dataset_name: of its archive, on the server.
        uid: its unique identifier (of a patient: the PatientID).
    """

    level: ClassVar[Level]

    def __init__(
        self, transport: Transport, dataset: str, uid: str, known: Mapping[str, Any] | None = None
    ) -> None:
        self.transport, self.dataset_name, self.uid = transport, dataset, uid
        self._known: dict[str, Any] = {**(known or {}), self.level.unique_key: uid}
        self._whole = False

    @property
    def predicate(self) -> Predicate:
        """What selects it in a query."""
        return Equal((self.level.unique_key,), self.uid)

    @property
    def row(self) -> dict[str, Any]:
        """All that the index knows of it, by keyword, as in a frame's rows."""
        if not self._whole:
            self._ask(None)
        return dict(self._known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in _OWN:
            raise AttributeError(name)
        try:
            vr = "" if name in _OWN else lookup(name).vr
        except UnknownAttribute as error:
            near = suggestion(name, tuple(own for own in dir(type(self)) if own[0] != "_")) or error.hint
            told = f"; {near}" if near else ""
            raise AttributeError(f"{type(self).__name__} has no {name!r}{told}", name=name) from None
        return _as_python(vr, self._value(name))

    def __dir__(self) -> list[str]:
        indexed = (name for level in self.level.and_above for name in (*INDEX[level], *COMPUTED[level]))
        return sorted({*super().__dir__(), *(n for n in (*indexed, *self._known) if "." not in n)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __bool__(self) -> bool:
        return True  # whatever its length

    def __repr__(self) -> str:
        return resource_text(self.level, self.uid, self._known)

    def _repr_html_(self) -> str:
        try:
            return resource_html(self.level, self.uid, self.row)
        except IsocenterError as error:
            return resource_html(self.level, self.uid, self._known, str(error))

    def _identity(self) -> tuple[object, ...]:
        return self.level, self.transport.url, self.dataset_name, self.uid

    def _below(self, level: Level) -> Frame:
        return Frame(self.transport, self.dataset_name, level, self.predicate).sort(*_ORDER[level])

    def _value(self, name: str) -> Any:
        if name not in self._known:
            indexed = any(name in INDEX[level] or name in COMPUTED[level] for level in self.level.and_above)
            self._ask(None if indexed and not self._whole else (name,))
        return self._known.get(name)

    def _ask(self, names: tuple[str, ...] | None) -> None:
        """Learn these attributes, or all that the index has."""
        level = max(self.level, Level.STUDY, key=list(Level).index)
        frame = Frame(self.transport, self.dataset_name, level, self.predicate)
        frame = frame if names is None else frame.select(*names)
        if self.level is Level.PATIENT:
            frame = frame.sort("StudyDate", descending=True)  # what was last said of the person
        found = next(iter(list(frame.rows(1))), None)
        if found is None:
            hint = "was it deleted, or is it of another dataset?"
            what = "patient of this PatientID" if self.level is Level.PATIENT else f"{self.level} {self.uid}"
            raise NotFound(f"There is no {what} in {self.dataset_name!r}", hint=hint)
        self._known |= {name: value for name, value in found.items() if self._is_mine(name)}
        self._known |= dict.fromkeys(names or ())  # those that came are kept by the line below
        self._known |= {name: found[name] for name in names or () if name in found}
        self._whole |= names is None

    def _is_mine(self, name: str) -> bool:
        return True


class Patient(Resource):
    """A person or animal, known by PatientID and its issuer. Without a PatientID it is that of one study."""

    level = Level.PATIENT

    @property
    def predicate(self) -> Predicate:
        """The studies of the same PatientID and issuer."""
        if not self.uid:
            return Equal(("StudyInstanceUID",), str(self._known.get("StudyInstanceUID") or ""))
        issuer = self._known.get("IssuerOfPatientID")
        same = [Equal(("IssuerOfPatientID",), str(issuer))] if issuer else []
        return all_of([super().predicate, *same])

    @property
    def studies(self) -> Frame:
        """Its studies, the oldest first."""
        return self._below(Level.STUDY)

    @property
    def series(self) -> Frame:
        """The series of all its studies."""
        return self._below(Level.SERIES)

    @property
    def instances(self) -> Frame:
        """The instances of all its studies."""
        return self._below(Level.INSTANCE)

    def __len__(self) -> int:
        return self.studies.count()

    def __iter__(self) -> Iterator[Study]:
        return (
            Study(self.transport, self.dataset_name, row["StudyInstanceUID"], row)
            for row in self.studies.rows()
        )

    def _identity(self) -> tuple[object, ...]:
        told = self._known.get("IssuerOfPatientID") if self.uid else self._known.get("StudyInstanceUID")
        return *super()._identity(), told or ""

    def _is_mine(self, name: str) -> bool:
        return name in INDEX[Level.PATIENT] or name in COMPUTED[Level.PATIENT] or not self.uid


class Study(Resource):
    """A study: the series that were made for one order."""

    level = Level.STUDY

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL (PS3.18 10.1)."""
        return f"{dicomweb_root(self.dataset_name)}/studies/{self.uid}"

    @property
    def patient(self) -> Patient:
        """Whom it is of."""
        return _patient_of(self)

    @property
    def series(self) -> Frame:
        """Its series, by number."""
        return self._below(Level.SERIES)

    @property
    def instances(self) -> Frame:
        """The instances of all its series."""
        return self._below(Level.INSTANCE).sort("SeriesNumber", "SeriesInstanceUID", *_ORDER[Level.INSTANCE])

    def metadata(self) -> Iterator[Dataset]:
        """The headers of its instances as pydicom data sets, without pixels and values of over 1 KiB.

        They come from the server's DICOM JSON, which costs less than `datasets(stop_before_pixels=True)`.
        """
        from isocenter.client.data_sets import metadata

        return metadata(self)

    def __len__(self) -> int:
        return self.series.count()

    def __iter__(self) -> Iterator[Series]:
        return (
            Series(self.transport, self.dataset_name, row["SeriesInstanceUID"], row)
            for row in self.series.rows()
        )


class Series(Resource):
    """A series: instances that one device made in one go."""

    level = Level.SERIES

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL."""
        return f"{self.study.path}/series/{self.uid}"

    @property
    def study(self) -> Study:
        """What it is part of."""
        return Study(
            self.transport, self.dataset_name, self._value("StudyInstanceUID"), _upper(self, Level.STUDY)
        )

    @property
    def patient(self) -> Patient:
        """Whom it is of."""
        return _patient_of(self)

    @property
    def instances(self) -> Frame:
        """Its instances, by number."""
        return self._below(Level.INSTANCE)

    def metadata(self) -> Iterator[Dataset]:
        """The headers of its instances as pydicom data sets, without pixels and values of over 1 KiB.

        They come from the server's DICOM JSON, which costs less than `datasets(stop_before_pixels=True)`.
        """
        from isocenter.client.data_sets import metadata

        return metadata(self)

    def __len__(self) -> int:
        return self.instances.count()

    def __iter__(self) -> Iterator[Instance]:
        return (
            Instance(self.transport, self.dataset_name, row["SOPInstanceUID"], row)
            for row in self.instances.rows()
        )


class Instance(Resource):
    """An instance: one DICOM object, an image or another."""

    level = Level.INSTANCE

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL."""
        return f"{self.series.path}/instances/{self.uid}"

    @property
    def study(self) -> Study:
        """What it is part of."""
        return Study(
            self.transport, self.dataset_name, self._value("StudyInstanceUID"), _upper(self, Level.STUDY)
        )

    @property
    def series(self) -> Series:
        """What it is part of."""
        known = _upper(self, Level.SERIES)
        return Series(self.transport, self.dataset_name, self._value("SeriesInstanceUID"), known)

    @property
    def patient(self) -> Patient:
        """Whom it is of."""
        return _patient_of(self)

    @property
    def instances(self) -> Frame:
        """Itself, as a table of one row."""
        return self._below(Level.INSTANCE)

    def dataset(self, *, stop_before_pixels: bool = False) -> FileDataset:
        """It as a pydicom data set; without its pixels these are not fetched either."""
        from isocenter.client.data_sets import dataset_of

        return dataset_of(self, stop_before_pixels=stop_before_pixels)

    def metadata(self) -> Dataset:
        """Its header as a pydicom data set, without pixels and values of over 1 KiB."""
        from isocenter.client.data_sets import metadata

        return next(metadata(self))

    def open(self, *, block: int = BLOCK, memory: int = MEMORY) -> RemoteFile:
        """The DICOM file, seekable, of which only what is read is fetched.

        Args:
            block: bytes that are fetched at least.
            memory: bytes that are kept of what was read.
        """
        return RemoteFile(self.transport, self.path, block=block, memory=memory)

    def __len__(self) -> int:
        """How many frames it has."""
        return int(self._value("NumberOfFrames") or (1 if self._value("Rows") else 0))

    def __iter__(self) -> Iterator[Self]:
        raise TypeError("an instance is not a list: instance.dataset() reads it")


_KINDS: dict[Level, type[Resource]] = {kind.level: kind for kind in (Patient, Study, Series, Instance)}


def resource_of(
    home: Any, level: Level | str, row_or_uid: Mapping[str, Any] | str, dataset: str | None = None
) -> Patient | Study | Series | Instance:
    """The resource that a UID, or a row of a frame, names.

    Args:
        home: an `Archive`, a `Frame`, another resource, or a `Transport`.
        level: what it is.
        row_or_uid: its unique identifier, or a row with it; what else the row says is not asked for again.
        dataset: which; None: that of `home`, of a transport `main`.

    Raises:
        BadRequest: the row does not have the unique identifier.
    """
    kind = _KINDS[Level(level)]
    transport = getattr(home, "transport", home)
    name = dataset or getattr(home, "dataset_name", None) or getattr(home, "dataset", "main")
    known = {kind.level.unique_key: row_or_uid} if isinstance(row_or_uid, str) else dict(row_or_uid)
    uid = known.get(kind.level.unique_key)
    if not uid and kind is not Patient:
        key = kind.level.unique_key
        raise BadRequest(f"The row does not say which {kind.level} it is", hint=f"select {key} as well")
    found = kind(transport, str(name), str(uid or ""), known)
    assert isinstance(found, Patient | Study | Series | Instance)
    return found


def dicomweb_root(dataset: str) -> str:
    """The path of a dataset's DICOMweb service."""
    return "/dicom-web" if dataset == "main" else f"/datasets/{quote(dataset)}/dicom-web"


def _upper(resource: Resource, level: Level) -> dict[str, Any]:
    """What a resource knows of the one above it."""
    names = {name for upper in level.and_above for name in (*INDEX[upper], *COMPUTED[upper])}
    return {name: value for name, value in resource._known.items() if name in names}


def _patient_of(resource: Resource) -> Patient:
    for name in ("PatientID", "IssuerOfPatientID", "StudyInstanceUID"):
        resource._value(name)
    known = _upper(resource, Level.PATIENT)
    uid = known.get("PatientID") or ""
    if not uid:
        known["StudyInstanceUID"] = resource._value("StudyInstanceUID")
    return Patient(resource.transport, resource.dataset_name, uid, known)


def _as_python(vr: str, value: Any) -> Any:
    """Dates and times, which JSON does not have; lists of them too."""
    if isinstance(value, list):
        return [_as_python(vr, one) for one in value]
    if vr == "DA" and isinstance(value, str):
        return datetime.date.fromisoformat(value)
    if vr == "DT" and isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    if vr == "TM" and isinstance(value, int):
        midnight = datetime.datetime.min
        return (midnight + datetime.timedelta(microseconds=value)).time()
    return value
