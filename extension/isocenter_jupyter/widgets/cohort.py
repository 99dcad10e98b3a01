"""`CohortTable`: a frame to look through: pages from the server, facets, sorting, selection.

What is chosen is a query: `widget.cohort` gives it back as a frame. Conditions are made here, in Python, and
given to the browser side as the predicate that it pages through (`/api/tables`). Not here: freezing a cohort
(`frame.freeze`), the series viewer (`series_viewer`, or another that is installed as the display `series`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import traitlets
from ipywidgets import widget_serialization

from isocenter.client.archive import Archive, ColumnInfo
from isocenter.client.columns import col
from isocenter.client.display.html import bytes_text
from isocenter.client.display.masking import is_identifier
from isocenter.client.frame import Frame
from isocenter.client.resources import resource_of
from isocenter.errors import BadRequest, IsocenterError
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback
from isocenter_jupyter.widgets.series_viewer import SeriesViewer

COLUMNS = {
    "study": "PatientID StudyDate ModalitiesInStudy StudyDescription NumberOfStudyRelatedSeries "
    "NumberOfStudyRelatedInstances",
    "series": "PatientID StudyDate Modality SeriesNumber SeriesDescription BodyPartExamined Manufacturer "
    "NumberOfSeriesRelatedInstances",
    "instance": "PatientID StudyDate Modality SeriesNumber InstanceNumber SliceThickness Rows Columns",
}
FACETS = {
    "study": "ModalitiesInStudy StudyDate PatientSex StudyDescription NumberOfStudyRelatedInstances",
    "series": "Modality BodyPartExamined StudyDate Manufacturer SliceThickness PatientSex",
    "instance": "Modality BodyPartExamined StudyDate Manufacturer SliceThickness KVP",
}
_KEYS = {
    "study": ("StudyInstanceUID",),
    "series": ("SeriesInstanceUID", "StudyInstanceUID"),
    "instance": ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"),
}
_ORDER = {
    "study": [["StudyDate", "desc"]],
    "series": [["StudyDate", "desc"], ["SeriesNumber", "asc"]],
    "instance": [],  # sorting ten million rows takes seconds; who wants an order chooses one
}
_EVERYTHING = {"op": "everything"}
_NUMBERS = ("int", "uint", "float", "double")
_BINS, _VALUES, _CUT = 24, 12, 5000


class CohortTable(ArchiveWidget, module="cohort"):
    """The rows of a frame, to narrow, sort, select and open.

    Args:
        frame: what to look through; the studies, series or instances of an archive, narrowed or not.
        columns: which to show first.
        facets: by which columns to narrow.
        traits: `expression`, `choices`, `order`, `height` to begin with.

    Attributes:
        expression: a query text that rows satisfy: `Modality = CT and SliceThickness < 2`.
        choices: what is chosen in the facets: column to `{"values": [...]}` (None: no value) or
            `{"range": [low, high]}`, both included, either may be None.
        order: `[column, "asc" | "desc"]`, the first first.
        selected_uids: UIDs of the selected rows.
        count: how many rows there are; -1 until that is known.
        height: of the table, in CSS pixels.
    """

    expression = traitlets.Unicode("").tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    facets = traitlets.List(traitlets.Unicode()).tag(sync=True)
    order = traitlets.List().tag(sync=True)
    selected_uids = traitlets.List(traitlets.Unicode()).tag(sync=True)
    count = traitlets.Int(-1).tag(sync=True)
    height = traitlets.Int(380, min=160).tag(sync=True)
    viewer = traitlets.Any(None, allow_none=True).tag(sync=True, **widget_serialization)

    _asked = traitlets.Dict().tag(sync=True)
    _problem = traitlets.Dict().tag(sync=True)
    _level = traitlets.Unicode().tag(sync=True)
    _keys = traitlets.List().tag(sync=True)

    def __init__(
        self,
        frame: Frame,
        *,
        columns: list[str] | None = None,
        facets: list[str] | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(frame, Frame):
            told = f"{type(frame).__name__} is no frame"
            raise BadRequest(told, hint="archive.studies, .series or .instances")
        self._frame = _uncut(frame)
        self._infos: dict[str, ColumnInfo] = {}
        self._opening = threading.Lock()
        level = frame.level.value
        super().__init__(
            Archive(frame.transport, frame.dataset_name),
            columns=columns or list(frame.selected or COLUMNS[level].split()),
            facets=FACETS[level].split() if facets is None else facets,
            order=traits.pop("order", [list(one) for one in frame.order] or _ORDER[level]),
            _level=level,
            _keys=list(_KEYS[level]),
            **traits,
        )
        self._ask()
        self.observe(self._ask, ["expression", "choices", "facets"])

    @property
    def frame(self) -> Frame:
        """The rows that satisfy expression and choices, in the order of the table.

        Raises:
            BadRequest: the expression cannot be understood.
        """
        found = self._narrowed(None)
        return found.sort(*(tuple(one) for one in self.order)) if self.order else found

    @property
    def cohort(self) -> Frame:
        """The selected rows; where none is selected, all that satisfy what was chosen."""
        if not self.selected_uids:
            return self.frame
        return self._frame.where(col[self._keys[0]].isin(self.selected_uids))

    @property
    def selected(self) -> list[Any]:
        """The selected studies, series or instances, as resources."""
        return [resource_of(self._frame, self._level, uid) for uid in self.selected_uids]

    def answers(self) -> dict[str, Any]:
        """`columns`: what may be asked for; `totals`: of what is chosen; `open`: show a row's series."""
        return {"columns": self._columns_told, "totals": self._totals, "open": self._open}

    def fallback(self) -> Fallback:
        """The first rows, identifiers masked, as the frame shows them."""
        shown = self.frame.select(*self.columns)
        return Fallback(repr(shown), shown._repr_html_())

    def _narrowed(self, but: str | None) -> Frame:
        """The rows, without the condition on the column `but`."""
        found = self._frame.where(self.expression) if self.expression.strip() else self._frame
        for name, choice in self.choices.items():
            if name != but:
                found = found.where(self._condition(name, choice))
        return found

    def _condition(self, name: str, choice: Mapping[str, Any]) -> Any:
        column = col[name]
        if "values" in choice:
            return column.isin(choice["values"])
        low, high = (self._bound(name, bound) for bound in choice["range"])
        if low is None:
            return column <= high
        return column >= low if high is None else column.between(low, high)

    def _bound(self, name: str, bound: Any) -> Any:
        """A bound as conditions take it: times of day come as microseconds since midnight."""
        if bound is None or bound == "":
            return None
        told = self._types().get(name)
        if told is None or not told.description.endswith(" TM") or not isinstance(bound, int | float):
            return bound
        seconds, micro = divmod(int(bound), 1_000_000)
        return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{micro:06d}"

    def _ask(self, _change: object = None) -> None:
        """Tell the browser side what to page through, or what is wrong with what was chosen."""
        try:
            facets = [self._facet(name) for name in self.facets]
            asked = {"where": _where(self._narrowed(None)), "cohort": self._frame.cohort, "facets": facets}
        except IsocenterError as error:
            self._problem = {"message": error.message, "hint": error.hint}
            return
        self._problem = {}
        self._asked = asked

    def _facet(self, name: str) -> dict[str, Any]:
        told = self._types().get(name)
        kind = told.type if told is not None else ""
        binned = kind.startswith(_NUMBERS) or kind.startswith("date32")
        own = {"where": _where(self._narrowed(name)) or _EVERYTHING} if name in self.choices else {}
        return {"column": name, **({"bins": _BINS} if binned else {"limit": _VALUES}), **own}

    def _types(self) -> dict[str, ColumnInfo]:
        if not self._infos:
            self._infos = {column.name: column for column in self.archive.columns(self._level)}
        return self._infos

    def _columns_told(self, _content: object) -> list[dict[str, Any]]:
        known = self._types()
        names = [*known, *(name for name in (*self.columns, *self.facets) if name not in known)]
        told = (known.get(name) or ColumnInfo(name, "") for name in names)
        return [
            {"name": one.name, "type": one.type, "about": one.description, "masked": is_identifier(one.name)}
            for one in told
        ]

    def _totals(self, _content: object) -> dict[str, Any]:
        """Instances and their bytes, where the conditions can be asked of instances."""
        chosen = self.cohort
        instances = Frame(
            chosen.transport,
            chosen.dataset_name,
            self.archive.instances.level,
            chosen.predicate,
            cohort=chosen.cohort,
        )
        question = {
            "dataset": instances.dataset_name,
            "level": "instance",
            "where": _where(instances),
            "cohort": instances.cohort,
            "columns": ["_size"],
        }
        with instances.transport.post(
            "/api/tables/describe", question, accept="application/x-ndjson"
        ) as answer:
            told = answer.json()
        count = int(told.get("count") or 0)
        return {"instances": count, "size": bytes_text(count * float(told.get("mean") or 0))}

    def _open(self, content: Any) -> dict[str, Any]:
        """Put the viewer of a row's series beneath the table."""
        uid = content.get("SeriesInstanceUID") or self._first_series(str(content["StudyInstanceUID"]))
        series = resource_of(self._frame, "series", str(uid))
        found = next(iter(entry_points(group="isocenter.displays", name="series")), None)
        show = SeriesViewer if found is None else found.load()
        with self._opening:
            before, self.viewer = self.viewer, show(series)
        if before is not None:
            before.close()
        return {"series": str(uid)}

    def _first_series(self, study: str) -> str:
        """The first series of a study, of those with images if there is one."""
        assert self.archive is not None
        rows = self.archive.series.where(StudyInstanceUID=study).sort("SeriesNumber", "SeriesInstanceUID")
        found = list(rows.select("SeriesInstanceUID", "Rows").rows())
        chosen = next((row for row in found if row.get("Rows")), found[0])
        return str(chosen["SeriesInstanceUID"])


def _where(frame: Frame) -> dict[str, Any] | None:
    where: dict[str, Any] | None = frame.question()["where"]
    return where


def _uncut(frame: Frame) -> Frame:
    """A frame that can be narrowed: one that is cut becomes the rows that it has now."""
    if frame.limit is None and not frame.offset:
        return frame
    if (frame.limit or _CUT + 1) > _CUT:
        raise BadRequest(
            "The frame is cut behind too many rows", hint=f"at most {_CUT}, or call where instead"
        )
    uids = frame.uids()
    whole = Frame(frame.transport, frame.dataset_name, frame.level, cohort=frame.cohort)
    whole = whole.where(col[frame.level.unique_key].isin(uids))
    return whole.select(*frame.selected) if frame.selected else whole
