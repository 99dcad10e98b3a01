"""`Resource`: what a patient, a study, a series and an instance have in common (`resources` has the four).

Attributes are known from the row that it was made of, or asked for once.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from isocenter.client.contents import Contents
from isocenter.client.display.resources import resource_html, resource_text
from isocenter.client.frame import Frame
from isocenter.dicom.attributes import COMPUTED, INDEX, lookup, suggestion
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Predicate
from isocenter.errors import BadRequest, IsocenterError, NotFound, UnknownAttribute

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

ORDER = {
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

    def _delete(self, confirm: bool) -> None:
        if not confirm:
            count = self.instances.count()
            told = f"This would delete {count} instance{'s' if count != 1 else ''}"
            raise BadRequest(told, hint="delete(confirm=True) does it")
        self.transport.request("DELETE", self.path).finish()

    def _below(self, level: Level) -> Frame:
        return Frame(self.transport, self.dataset_name, level, self.predicate).sort(*ORDER[level])

    def _value(self, name: str) -> Any:
        if name not in self._known:
            indexed = any(name in INDEX[level] or name in COMPUTED[level] for level in self.level.and_above)
            self._ask(None if indexed and not self._whole else (name,))
        return self._known.get(name)

    def _ask(self, names: tuple[str, ...] | None) -> None:
        """Learn these attributes, or all that the index has."""
        frame: Frame[Any] = Frame(self.transport, self.dataset_name, self.level, self.predicate)
        if names is None and self.level is Level.PATIENT:
            patient = (*INDEX[Level.PATIENT], *COMPUTED[Level.PATIENT])
            frame = frame.select(*(name for name in patient if "." not in name))
        elif names is not None:
            frame = frame.select(*names)
        found = next(iter(list(frame.rows(1))), None)
        if found is None:
            hint = "was it deleted, or is it of another dataset?"
            what = "patient of this PatientID" if self.level is Level.PATIENT else f"{self.level} {self.uid}"
            raise NotFound(f"There is no {what} in {self.dataset_name!r}", hint=hint)
        self._known |= {**dict.fromkeys(names or ()), **found}
        self._whole |= names is None


def dicomweb_root(dataset: str) -> str:
    """The path of a dataset's DICOMweb service."""
    return "/dicom-web" if dataset == "main" else f"/datasets/{quote(dataset)}/dicom-web"


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
