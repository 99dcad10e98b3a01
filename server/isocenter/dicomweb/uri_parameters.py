"""Query parameters of WADO-URI (PS3.18 9.1.2) as one checked value.

What is not known, and what does not concern the form asked for, is set aside and told by a Warning.
Not here: the object, and which form it can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isocenter.dicom.rendering import view
from isocenter.dicom.rendering.view import Region, View, Viewport, Window
from isocenter.dicom.uids import clean
from isocenter.dicomweb.media import DICOM
from isocenter.dicomweb.paths import Target
from isocenter.errors import BadRequest
from isocenter.http.accept import MediaRange, parse_accept

_HINT = "/wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=…&contentType=image/jpeg"
_TO_RENDER = frozenset(
    {
        "frameNumber", "imageAnnotation", "annotation", "imageQuality", "quality", "rows", "columns",
        "region", "windowCenter", "windowWidth", "presentationUID", "presentationSeriesUID", "iccprofile",
    }
)  # fmt: skip
_KNOWN = _TO_RENDER | {
    "requestType", "studyUID", "seriesUID", "objectUID", "contentType", "charset", "anonymize",
    "transferSyntax", "accept",
}  # fmt: skip


@dataclass(frozen=True)
class UriRequest:
    """What a WADO-URI request asks for.

    Attributes:
        target: the instance.
        content_types: media types it takes, best first; empty when it leaves the choice to us.
        transfer_syntax: of a DICOM file, empty when it is not told.
        frame: number of the frame, from 1.
        view: how to look.
        state: the presentation state to apply: series and instance.
        anonymize: whether it is to be de-identified.
        warnings: texts of `Warning: 299`.
    """

    target: Target
    content_types: tuple[MediaRange, ...] = ()
    transfer_syntax: str = ""
    frame: int | None = None
    view: View = field(default_factory=View)
    state: tuple[str, str] | None = None
    anonymize: bool = False
    warnings: tuple[str, ...] = ()

    def takes(self, media_type: str) -> bool:
        """Whether `media_type` is named, as itself or by a range."""
        return any(one.q > 0 and one.media.covers(media_type) for one in self.content_types)

    @property
    def first_is_dicom(self) -> bool:
        """Whether the DICOM file is what is liked best."""
        return bool(self.content_types) and self.content_types[0].media.name == DICOM


def parse_uri(arguments: Mapping[str, Sequence[str]]) -> UriRequest:
    """The request that query parameters (name to values) make.

    Raises:
        BadRequest: something required is missing, contradicts itself or cannot be understood.
    """
    given = {name: values[-1].strip() for name, values in arguments.items() if values and values[-1].strip()}
    if given.get("requestType", "").upper() != "WADO":
        raise BadRequest("requestType is WADO", hint=_HINT)
    anonymize = given.get("anonymize", "no").lower()
    if anonymize not in ("yes", "no"):
        raise BadRequest("anonymize is yes or no")
    if anonymize == "yes" and given.keys() & {"presentationUID", "presentationSeriesUID"}:
        raise BadRequest("A presentation state may name somebody: not with anonymize=yes")
    types = tuple(parse_accept([given["contentType"]])) if "contentType" in given else ()
    warnings = []
    if types and types[0].media.name == DICOM and (idle := sorted(_TO_RENDER & given.keys())):
        warnings.append(f"These parameters do not concern {DICOM} and were ignored: {', '.join(idle)}")
        given = {name: value for name, value in given.items() if name not in _TO_RENDER}
    if unknown := [name for name in given if name not in _KNOWN]:
        warnings.append("These parameters are unknown and were ignored: " + ", ".join(unknown))
    if given.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "iso_ir 192"):
        warnings.append("Text is sent in UTF-8 only")
    captions, odd = view.parse_captions(given.get("annotation", given.get("imageAnnotation", "")))
    warnings += [f"This annotation is unknown and was ignored: {word}" for word in odd]
    return UriRequest(
        target=_target(given),
        content_types=types,
        transfer_syntax=clean(given.get("transferSyntax", "")),
        frame=_frame(given),
        view=_view(given, captions),
        state=_state(given),
        anonymize=anonymize == "yes",
        warnings=tuple(warnings),
    )


def _target(given: Mapping[str, str]) -> Target:
    names = ("studyUID", "seriesUID", "objectUID")
    if missing := [name for name in names if name not in given]:
        raise BadRequest(f"{', '.join(missing)} must be told", hint=_HINT)
    return Target(*(clean(given[name]) for name in names))


def _view(given: Mapping[str, str], captions: tuple[str, ...]) -> View:
    quality = given.get("imageQuality", given.get("quality"))
    return View(
        window=_window(given),
        viewport=_viewport(given),
        region=_region(given),
        quality=view.parse_quality(quality) if quality else None,
        captions=captions,
        profile=view.parse_profile(given.get("iccprofile", "no")),
    )


def _window(given: Mapping[str, str]) -> Window | None:
    values = [given.get(name) for name in ("windowCenter", "windowWidth")]
    if values == [None, None]:
        return None
    if None in values:
        raise BadRequest("windowCenter and windowWidth are told together")
    if "presentationUID" in given:
        raise BadRequest("A presentation state has a window of its own", hint="leave windowCenter away")
    made = view.parse_window(f"{values[0]},{values[1]}")
    return view.checked_window(made.center, made.width)


def _viewport(given: Mapping[str, str]) -> Viewport | None:
    width, height = (
        view.checked_size(name, given[name]) if name in given else None for name in ("columns", "rows")
    )
    return None if width is None and height is None else Viewport(width, height)


def _region(given: Mapping[str, str]) -> Region | None:
    return view.parse_region(given["region"]) if "region" in given else None


def _frame(given: Mapping[str, str]) -> int | None:
    text = given.get("frameNumber")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise BadRequest(
            f"{text[:20]!r} is no frame number", hint="frames are numbered from 1: frameNumber=1"
        )
    return int(text)


def _state(given: Mapping[str, str]) -> tuple[str, str] | None:
    if "presentationUID" not in given and "presentationSeriesUID" not in given:
        return None
    if "presentationUID" not in given or "presentationSeriesUID" not in given:
        raise BadRequest("presentationUID and presentationSeriesUID are told together")
    return clean(given["presentationSeriesUID"]), clean(given["presentationUID"])
