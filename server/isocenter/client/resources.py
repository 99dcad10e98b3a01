"""`Patient`, `Study`, `Series`, `Instance`: one thing of an archive, with its attributes by keyword.

A resource is a name and what is known of it so far: making one asks nothing, and an attribute that is not
known yet is asked for once. Not here: tables of them (`frame`), pixels in space (`volume`), files (`files`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from isocenter.client.files import BLOCK, MEMORY, RemoteFile
from isocenter.client.frame import Frame
from isocenter.client.resource import ORDER, Resource, dicomweb_root
from isocenter.dicom.attributes import COMPUTED, INDEX
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Predicate, all_of
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

    from isocenter.client.display.shows import Still
    from isocenter.client.stacking import Irregular
    from isocenter.client.volume import Values, Volume


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


class Image(Resource):
    """What may be a volume: a series, or an instance with frames."""

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL."""
        raise NotImplementedError

    def show(self, **how: Any) -> Any:
        """Look at it: the viewer of isocenter-jupyter when that is installed, else the image in its middle.

        Args:
            how: for the viewer: `overlays`, `index`, `window`, `montage`, `height`.
        """
        from isocenter.client.display.shows import show_images

        return show_images(self, **how)

    def delete(self, *, confirm: bool = False) -> None:
        """Delete it from the dataset; snapshots keep it.

        Args:
            confirm: must be true.

        Raises:
            BadRequest: `confirm` is not.
            Forbidden: the token may not delete.
        """
        self._delete(confirm)

    def volume(
        self,
        *,
        irregular: Irregular = "error",
        values: Values = "modality",
        dtype: Any = None,
        connections: int = 4,
        progress: bool | Callable[[int, int], None] = True,
        **chosen: Any,
    ) -> Volume:
        """Its images as one array in space.

        Args:
            irregular: what to do with slices that are no even stack (gaps, doubled slices, tilt, mixed
                orientations or sizes): `error`; `keep` all, at a mean spacing; `largest` even part.
            values: `modality` (after rescale or modality table: HU, BQML, Gy), `stored`, or `real_world`
                (the first Real World Value Mapping).
            dtype: of the array; None: whole numbers where the values are, else float32. What a type of whole
                numbers cannot hold is rounded, and cut to its range.
            connections: requests at the same time.
            progress: shown, or a function called with bytes done and bytes in all.
            chosen: attributes to choose slices by, where a series is of several volumes: `EchoTime=20`.

        Raises:
            BadRequest: the images make no volume; it says why and what can be done.
        """
        from isocenter.client.volume import volume

        return volume(
            self,
            irregular=irregular,
            values=values,
            dtype=dtype,
            connections=connections,
            progress=progress,
            chosen=chosen,
        )


class Headers(Resource):
    """What has the headers of many instances: a study or a series."""

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL."""
        raise NotImplementedError

    def metadata(self) -> Iterator[Dataset]:
        """The headers of its instances as pydicom data sets, without pixels and values of over 1 KiB.

        They come from the server's DICOM JSON, which costs less than `datasets(stop_before_pixels=True)`.
        """
        from isocenter.client.data_sets import metadata

        return metadata(self)


class Study(Headers):
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
        return self._below(Level.INSTANCE).sort("SeriesNumber", "SeriesInstanceUID", *ORDER[Level.INSTANCE])

    def show(self) -> Still:
        """A picture of each of its series."""
        from isocenter.client.display.shows import show_study

        return show_study(self)

    def delete(self, *, confirm: bool = False) -> None:
        """Delete it from the dataset with all its series; snapshots keep it.

        Args:
            confirm: must be true.

        Raises:
            BadRequest: `confirm` is not.
            Forbidden: the token may not delete.
        """
        self._delete(confirm)

    def __len__(self) -> int:
        return self.series.count()

    def __iter__(self) -> Iterator[Series]:
        return (
            Series(self.transport, self.dataset_name, row["SeriesInstanceUID"], row)
            for row in self.series.rows()
        )


class Series(Image, Headers):
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

    def __len__(self) -> int:
        return self.instances.count()

    def __iter__(self) -> Iterator[Instance]:
        return (
            Instance(self.transport, self.dataset_name, row["SOPInstanceUID"], row)
            for row in self.instances.rows()
        )


class Instance(Image):
    """An instance: one DICOM object, an image or another."""

    level = Level.INSTANCE

    @property
    def path(self) -> str:
        """Its path in DICOMweb, below the server's URL."""
        return f"{self.series.path}/instances/{self.uid}"

    def tags(self, other: object = None, **how: Any) -> Any:
        """Look at its attributes: the tag browser of isocenter-jupyter when that is installed, else a table.

        Args:
            other: another instance, or a pydicom data set, to see what differs.
            how: for the browser: `names`, what to call the two.
        """
        from isocenter.client.display.shows import show_tags

        return show_tags(self, other, **how)

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
