"""`SeriesViewer`: the images of a series, with what lies on them (SEG, RTSTRUCT, RTDOSE, overlay planes).

The browser side fetches decoded frames over WADO-RS (PS3.18 10.4) and applies modality and VOI
transformations itself; see `static/series_viewer`. Not here: volumes in 3-D (`volumes`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from html import escape
from typing import Any

import traitlets

from isocenter.client.archive import Archive
from isocenter.client.resources import Instance, Series, resource_of
from isocenter.errors import BadRequest, IsocenterError, NotFound
from isocenter_jupyter.widgets import volumes
from isocenter_jupyter.widgets.answering import Answer
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback

_STILL_WITHIN = 0.5
"""Seconds that a display waits for the still image of its fallback, asked for when the viewer was made."""


class SeriesViewer(ArchiveWidget, module="series_viewer"):
    """A viewer of one series, or of one instance of several frames.

    Values may be read and set, and observed (`viewer.observe(f, "index")`): `index` (from 0, in the order in
    which slices lie), `window` (centre and width in effect; None when no image is shown yet), `invert`,
    `montage`, `fps`, `playing`, `measurements`. A measurement is a dictionary: `type` (`distance`, `angle`,
    `region`), `points` ([column, row], 0, 0 the corner of the first pixel, as in SCOORD), `patient` (the same
    in mm, where the image has a place), and `length`, `degrees`, or `mean`, `sd`, `least`, `most`, `area`,
    with `unit` (`mm`, or `px` where no spacing is known) and `spacing` (`pixel`, `region`, `imager`, `none`).

    Args:
        series: a `Series` or `Instance`, or with `archive` a row of a frame or a UID of a series.
        archive: where it is, when `series` does not say.
        overlays: `"auto"`: what the study has that refers to this series or shares its frame of reference
            (doses are found but not shown at once); a list of series or instances, or their UIDs; None.
        index: the image to begin with; the middle one, of a cine the first, when None.
        window: centre and width to begin with; the object's own when None.
        montage: rows and columns of images.
        height: of the image area, in CSS pixels.
        traits: `invert`, `fps`, `direct`.

    Raises:
        NotFound: there is no such series.
        BadRequest: `series` or an overlay is something else.
    """

    _study = traitlets.Unicode().tag(sync=True)
    _series = traitlets.Unicode().tag(sync=True)
    _instance = traitlets.Unicode().tag(sync=True)
    _chosen = traitlets.Any("auto").tag(sync=True)
    _can_3d = traitlets.Bool(False).tag(sync=True)
    _drawing = traitlets.Enum(("auto", "webgl", "canvas"), "auto").tag(sync=True)

    index = traitlets.Int(None, allow_none=True, min=0).tag(sync=True)
    count = traitlets.Int(0, help="images of the series, once it is open").tag(sync=True)
    window = traitlets.List(traitlets.Float(), None, allow_none=True, minlen=2, maxlen=2).tag(sync=True)
    invert = traitlets.Bool(None, allow_none=True).tag(sync=True)
    montage = traitlets.List(traitlets.Int(min=1, max=8), [1, 1], minlen=2, maxlen=2).tag(sync=True)
    fps = traitlets.Float(0.0, min=0.0, max=120.0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(520, min=160).tag(sync=True)
    measurements = traitlets.List(traitlets.Dict()).tag(sync=True)
    found_overlays = traitlets.List(traitlets.Dict(), read_only=False).tag(sync=True)
    overlays_shown = traitlets.List(traitlets.Unicode(), None, allow_none=True).tag(sync=True)

    def __init__(
        self,
        series: Series | Instance | Mapping[str, Any] | str,
        *,
        archive: Archive | None = None,
        overlays: str | Iterable[Series | Instance | str] | None = "auto",
        index: int | None = None,
        window: tuple[float, float] | None = None,
        montage: tuple[int, int] = (1, 1),
        height: int = 520,
        **traits: Any,
    ) -> None:
        shown = _shown(series, archive)
        self.shown = shown
        home = archive or Archive(shown.transport, shown.dataset_name)
        super().__init__(
            home,
            _study=shown.StudyInstanceUID,
            _series=shown.SeriesInstanceUID,
            _instance=shown.uid if isinstance(shown, Instance) else "",
            _chosen=_chosen(home, overlays),
            _can_3d=volumes.is_installed(),
            index=index,
            window=None if window is None else [float(value) for value in window],
            montage=list(montage),
            height=height,
            **traits,
        )
        self._still = _in_background(self._ask_still)

    @property
    def series(self) -> Series:
        """The series that is shown, or that the shown instance is part of."""
        return self.shown.series if isinstance(self.shown, Instance) else self.shown

    def show_overlays(self, *names: str) -> None:
        """Show the overlays of these labels or SOP instance UIDs (`found_overlays` lists them), no others."""
        self.overlays_shown = list(names)

    def show_3d(self) -> Any:
        """The series as a volume in ipyniivue's viewer, a widget of its own, in the window in effect.

        Raises:
            NotFound: ipyniivue is not installed.
            BadRequest: the images make no volume.
        """
        return volumes.show(self.shown, self.window)

    def answers(self) -> dict[str, Answer]:
        """What the browser side asks of Python: the volume."""
        return {"show_3d": self._show_3d}

    def fallback(self) -> Fallback:
        """The middle image as a still, and what it is of; no identifiers."""
        told = self._describe()
        picture = self._still_picture()
        if picture is None:
            image = ""
        else:
            source = base64.b64encode(picture).decode()
            image = f'<img alt="{escape(told)}" src="data:image/png;base64,{source}" style="max-width: 100%">'
        return Fallback(
            f"<{told}>", f'<figure style="margin: 0">{image}<figcaption>{escape(told)}</figcaption></figure>'
        )

    def _describe(self) -> str:
        series = self.series
        words = [series.Modality, series.SeriesDescription, f"{len(series)} instances"]
        return f"SeriesViewer of {', '.join(str(word) for word in words if word)}"

    def _show_3d(self, content: Any) -> dict[str, str]:
        """Make the volume's widget and tell its model, which the browser side shows over its images."""
        height = int(content.get("height", self.height)) if isinstance(content, dict) else self.height
        self._volume = volumes.show(self.shown, self.window, height=max(height, 160))
        return {"model_id": self._volume.model_id}

    def _ask_still(self) -> bytes:
        path = f"{self.shown.path}/rendered?viewport=320,320"
        with self.archive.transport.request("GET", path, headers={"Accept": "image/png"}) as answer:
            picture: bytes = answer.readall()
        return picture

    def _still_picture(self) -> bytes | None:
        try:
            return self._still.result(_STILL_WITHIN)
        except (TooLong, IsocenterError):
            return None


def _shown(series: object, archive: Archive | None) -> Series | Instance:
    if isinstance(series, Series | Instance):
        return series
    if not isinstance(series, str | Mapping):
        raise BadRequest(
            f"A viewer shows a series, not {type(series).__name__}",
            hint="SeriesViewer(archive.series[0]), or a UID with archive=archive",
        )
    if archive is None:
        raise BadRequest("A UID or row does not say where it is", hint="pass archive=archive as well")
    found = resource_of(archive, "series", series)
    assert isinstance(found, Series)
    return found


def _chosen(archive: Archive, overlays: object) -> object:
    """What the browser side is told: `auto`, `none`, or where each overlay is."""
    if overlays is None:
        return "none"
    if isinstance(overlays, str):
        return "auto" if overlays == "auto" else [_place(archive, overlays)]
    if isinstance(overlays, Series | Instance) or not isinstance(overlays, Iterable):
        overlays = [overlays]
    return [_place(archive, one) for one in overlays]


def _place(archive: Archive, overlay: object) -> dict[str, str]:
    if isinstance(overlay, str):
        overlay = _found(archive, overlay)
    if isinstance(overlay, Series):
        return {"study": overlay.StudyInstanceUID, "series": overlay.uid}
    if isinstance(overlay, Instance):
        told = {"study": overlay.StudyInstanceUID, "series": overlay.SeriesInstanceUID}
        return {**told, "instance": overlay.uid}
    raise BadRequest(f"{type(overlay).__name__} is no overlay", hint="series or instances, or their UIDs")


def _found(archive: Archive, uid: str) -> Series | Instance:
    for level, key in (("series", "SeriesInstanceUID"), ("instance", "SOPInstanceUID")):
        frame = archive.series if level == "series" else archive.instances
        for row in frame.where(**{key: uid}).rows(1):
            found = resource_of(archive, level, row)
            assert isinstance(found, Series | Instance)
            return found
    raise NotFound(f"There is no series or instance {uid}", hint="an overlay is named by its UID")


def _in_background(work: Any) -> Future[Any]:
    pool = ThreadPoolExecutor(1, thread_name_prefix="isocenter-still")
    try:
        return pool.submit(work)
    finally:
        pool.shutdown(wait=False)
