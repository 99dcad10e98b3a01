"""What `show()` gives: the widget that an installed extension offers, else a still picture.

Widgets are found by the entry points `isocenter.displays` (`series`, `cohort`, `tags`, `job`, `review`): each
is a callable that takes the object and keyword arguments. The client knows none of them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from isocenter.client.display.html import STYLE
from isocenter.client.files import read_whole

if TYPE_CHECKING:
    from isocenter.client.frame import Frame
    from isocenter.client.resources import Image, Instance, Series, Study

GROUP = "isocenter.displays"
_SIDE, _SMALL, _MOST = 384, 128, 24
_HINT = "pip install isocenter-jupyter to scroll, window and measure"


def widget_of(kind: str) -> Callable[..., Any] | None:
    """What shows objects of a kind as a widget; None where nothing does, or it cannot be loaded."""
    for entry in entry_points(group=GROUP, name=kind):
        try:
            loaded: Callable[..., Any] = entry.load()
        except (ImportError, AttributeError, OSError):  # half installed: the picture is still to be had
            continue
        return loaded
    return None


@dataclass(frozen=True)
class Picture:
    """A JPEG and what it is of."""

    jpeg: bytes
    caption: str

    def html(self, width: int) -> str:
        """As a figure with its caption."""
        source = b64encode(self.jpeg).decode()
        said = escape(self.caption)
        below = (
            f'<figcaption style="margin-top:4px;color:var(--isocenter-quiet)">{said}</figcaption>'
            if said
            else ""
        )
        return (
            f'<figure style="margin:0;max-width:{width}px">'
            f'<img alt="{said}" width="{width}" style="display:block;background:#000;border-radius:2px" '
            f'src="data:image/jpeg;base64,{source}">{below}</figure>'
        )


@dataclass(frozen=True)
class Still:
    """Pictures in place of a widget, in the colours of the notebook's theme."""

    title: str
    pictures: tuple[Picture, ...]
    width: int
    note: str = ""

    def __repr__(self) -> str:
        return f"<{self.title}: {self.note or f'{len(self.pictures)} pictures'}>"

    def _repr_html_(self) -> str:
        figures = "".join(one.html(self.width) for one in self.pictures)
        note = f'<div class="quiet" style="margin-top:6px">{escape(self.note)}</div>' if self.note else ""
        title = f'<div style="font-weight:600;margin:2px 0 6px">{escape(self.title)}</div>'
        return (
            f'{STYLE}<div class="isocenter">{title}'
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{figures}</div>{note}</div>'
        )


def show_images(image: Image, **how: Any) -> Any:
    """A series or an instance: the viewer when one is installed, else the image in its middle."""
    viewer = widget_of("series")
    if viewer is not None:
        return viewer(image, **how)
    return Still(repr(image).strip("<>"), (Picture(_thumbnail(image, _SIDE), ""),), _SIDE, _HINT)


def show_study(study: Study) -> Still:
    """A study: a picture of each of its series."""
    series = list(study)
    pictures = tuple(Picture(_thumbnail(one, _SMALL), _caption(one)) for one in series[:_MOST])
    left = len(series) - len(pictures)
    note = "series.show() shows one of them" + (f"; {left} more are not shown" if left > 0 else "")
    return Still(repr(study).strip("<>"), pictures, _SMALL, note)


def show_frame(frame: Frame, **how: Any) -> Any:
    """A frame: the cohort table when one is installed, else the frame, which shows its first rows."""
    table = widget_of("cohort")
    return frame if table is None else table(frame, **how)


def show_tags(instance: Instance, other: object = None, **how: Any) -> Any:
    """The attributes of an instance: the tag browser when one is installed, else a table of them.

    With `other`, an instance or a pydicom data set, what differs.
    """
    browser = widget_of("tags")
    if browser is not None:
        return browser(instance, other, **how)
    from isocenter.client.tags import Tags

    return Tags(instance, other)


def _caption(series: Series) -> str:
    told = (series.Modality, series.SeriesNumber, series.SeriesDescription)
    count = series.NumberOfSeriesRelatedInstances
    return " ".join(str(value) for value in told if value not in (None, "")) + f" ({count})"


def _thumbnail(resource: Image, side: int) -> bytes:
    """The image in the middle, drawn by the server; a card with the modality where there is none."""
    path = f"{resource.path}/thumbnail?viewport={side},{side}"
    return read_whole(resource.transport, path, "image/jpeg")
