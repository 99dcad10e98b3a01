"""What an action is done to: the instances that a frame, a resource, a UID or a list of these means."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from isocenter.client.frame import Frame
from isocenter.client.resource import Resource, dicomweb_root
from isocenter.client.resources import resource_of
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import OneOf
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_ORDER = ("StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "SOPInstanceUID")
_AT_ONCE = 200
Row = dict[str, Any]


class Selection:
    """Instances of one dataset.

    Args:
        transport: to the server.
        dataset: which.
        columns: to know of every instance, beyond its UIDs and `_size`.
    """

    def __init__(self, transport: Transport, dataset: str, columns: Iterable[str] = ()) -> None:
        self.transport, self.dataset = transport, dataset
        self._columns = tuple(dict.fromkeys((*UIDS, "_size", *columns)))

    def rows(self, source: object) -> Iterator[Row]:
        """The rows of the instances that `source` means, in its order; those of a series by number.

        Raises:
            NotFound: a UID that the dataset does not have.
            BadRequest: something that names no instances.
        """
        frame = source if isinstance(source, Frame) else getattr(source, "instances", None)
        if isinstance(frame, Frame):
            self._check(frame)
            yield from self._of_frame(frame)
        elif isinstance(source, str):
            yield from self._of_uids([source])
        elif (column := _column(source)) is not None:
            yield from self._of_list(iter(column))
        elif isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
            yield from self._of_list(iter(source))
        else:
            hint = "give a frame, a study, series or instance, a UID, a list or a data frame of these"
            raise BadRequest(f"{type(source).__name__} does not say which instances", hint=hint)

    def path(self, row: Row) -> str:
        """The path of an instance in DICOMweb."""
        study, series, instance = (row[name] for name in UIDS)
        root = dicomweb_root(self.dataset)
        return f"{root}/studies/{study}/series/{series}/instances/{instance}"

    def _check(self, frame: Frame) -> None:
        if (frame.transport.url, frame.dataset) != (self.transport.url, self.dataset):
            raise BadRequest("These instances are of another archive", hint="ask that archive for them")

    def _of_frame(self, frame: Frame) -> Iterator[Row]:
        if frame.level is Level.PATIENT:  # PatientID alone does not say which: it has issuers, or is empty
            for patient in frame:
                yield from self._of_frame(replace(patient.instances, cohort=frame.cohort))
            return
        if frame.level is not Level.INSTANCE:
            keys = iter(frame.uids())
            while some := list(islice(keys, _AT_ONCE // 10)):
                yield from self._below(frame.level, some, frame.cohort)
            return
        if not frame.order and frame.limit is None and not frame.offset:
            frame = frame.sort(*_ORDER)
        yield from frame.select(*self._columns).rows()

    def _of_list(self, source: Iterator[object]) -> Iterator[Row]:
        """UIDs that follow each other are looked up together."""
        uids: list[str] = []
        for one in source:
            if isinstance(one, Resource) and one.level is not Level.PATIENT:
                uids.append(one.uid)
            elif isinstance(one, str):
                uids.append(one)
            elif isinstance(one, Mapping) and (key := _lowest(one)):
                uids.append(str(one[key]))
            else:
                yield from self._of_uids(uids)
                uids.clear()
                yield from self.rows(one)
            if len(uids) >= _AT_ONCE:
                yield from self._of_uids(uids)
                uids.clear()
        yield from self._of_uids(uids)

    def _of_uids(self, uids: list[str]) -> Iterator[Row]:
        """Of instances, series or studies, in this order."""
        for uid in uids:
            if not is_valid_uid(uid):
                raise BadRequest(f"{uid[:70]!r} is no UID", hint="give UIDs of studies, series or instances")
        found: dict[str, list[Row]] = {}
        for level in (Level.INSTANCE, Level.SERIES, Level.STUDY):
            left = [uid for uid in dict.fromkeys(uids) if uid not in found]
            if left:
                for row in self._below(level, left):
                    found.setdefault(str(row[level.unique_key]), []).append(row)
        missing = [uid for uid in uids if uid not in found]
        if missing:
            hint = "is it of another dataset, or deleted?"
            told = f"{missing[0]} is not in {self.dataset!r}"
            raise NotFound(told, hint=hint, detail={"missing": missing})
        for uid in uids:
            yield from found[uid]

    def _below(self, level: Level, uids: list[str], cohort: str | None = None) -> Iterator[Row]:
        """The instances of these things, in the order of the list; with a cohort, only its members."""
        frame = Frame(self.transport, self.dataset, Level.INSTANCE, cohort=cohort)
        frame = replace(frame, predicate=OneOf((level.unique_key,), tuple(uids)))
        place = {uid: number for number, uid in enumerate(uids)}
        rows = frame.sort(*_ORDER).select(*self._columns).rows()
        yield from sorted(rows, key=lambda row: place[str(row[level.unique_key])])


def _column(source: Any) -> Iterable[object] | None:
    """The column of UIDs of a pandas or Polars data frame; of the lowest level that it has."""
    names = getattr(source, "columns", None)
    if isinstance(source, Mapping) or not isinstance(names, Iterable):
        return None
    key = _lowest(set(names))
    return None if key is None else map(str, dict.fromkeys(source[key]))


def _lowest(names: Container[str]) -> str | None:
    return next((key for key in reversed(UIDS) if key in names), None)


def find(home: Any, uid: str) -> Resource:
    """The study, series or instance of this UID.

    Raises:
        NotFound: there is none.
    """
    name = getattr(home, "dataset_name", None) or home.dataset
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        frame = Frame(home.transport, name, level)
        for row in replace(frame, predicate=OneOf((level.unique_key,), (uid,))).rows(1):
            return resource_of(home, level, row)
    raise NotFound(f"{uid} is not in {name!r}", hint="is it of another dataset, or deleted?")
