"""What a request for a rendered resource asks for: its view and its media types (PS3.18 8.3.5, 8.7.4, 8.7.8).

It parses and chooses; it renders nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from isocenter.dicom.rendering import view
from isocenter.dicom.rendering.view import View, Viewport
from isocenter.dicomweb.media import MULTIPART
from isocenter.errors import BadRequest, NotAcceptable
from isocenter.http.accept import MediaRange, MediaType, negotiate

THUMBNAIL = Viewport(128, 128)
_ANY = frozenset({"*/*", "*"})


@dataclass(frozen=True)
class Asked:
    """A view, and what to tell of parameters that are not followed."""

    view: View
    warnings: tuple[str, ...] = ()


def parse_rendered(arguments: Mapping[str, Sequence[str]]) -> Asked:
    """The view that the query parameters of `/rendered` ask for.

    Raises:
        BadRequest: a value cannot be understood.
    """
    given = {name: values[-1].strip() for name, values in arguments.items() if values}
    made, warnings = View(), []
    if "window" in given:
        made = replace(made, window=view.parse_window(given["window"]))
    if "viewport" in given:
        viewport, region = view.parse_viewport(given["viewport"])
        made = replace(made, viewport=viewport, region=region)
    if "quality" in given:
        made = replace(made, quality=view.parse_quality(given["quality"]))
    if "annotation" in given:
        captions, unknown = view.parse_captions(given["annotation"])
        made = replace(made, captions=captions)
        warnings += [f"This annotation is unknown and was ignored: {word}" for word in unknown]
    if "iccprofile" in given:
        made = replace(made, profile=view.parse_profile(given["iccprofile"]))
    known = ("window", "viewport", "quality", "annotation", "iccprofile", "accept", "charset")
    warnings += _charset(given) + _unknown(given, known)
    return Asked(made, tuple(warnings))


def parse_thumbnail(arguments: Mapping[str, Sequence[str]]) -> Asked:
    """The view that the query parameters of `/thumbnail` ask for: only a size.

    Raises:
        BadRequest: it is none, or it names a part of the image.
    """
    given = {name: values[-1].strip() for name, values in arguments.items() if values}
    size = THUMBNAIL
    if "viewport" in given:
        size, region = view.parse_viewport(given["viewport"])
        if region is not None:
            raise BadRequest("The viewport of a thumbnail is a width and a height", hint="viewport=128,128")
    return Asked(View(viewport=size), tuple(_unknown(given, ("viewport", "accept", "charset"))))


def _charset(given: Mapping[str, str]) -> list[str]:
    asked = given.get("charset", "utf-8").lower()
    return [] if asked in ("utf-8", "utf8", "iso_ir 192") else ["Text is sent in UTF-8 only"]


def _unknown(given: Mapping[str, str], known: Iterable[str]) -> list[str]:
    unknown = [name for name in given if name not in known]
    return ["These parameters are unknown and were ignored: " + ", ".join(unknown)] if unknown else []


@dataclass(frozen=True)
class Form:
    """What the client takes: bodies alone, and parts of a multipart answer, each best first."""

    alone: tuple[MediaRange, ...]
    parts: tuple[MediaRange, ...]

    def single(self, offers: Sequence[str]) -> str | None:
        """The media type of one body, None when none is accepted."""
        return negotiate(self.alone, offers)

    def part(self, offers: Sequence[str]) -> str | None:
        """The media type of a part, None when none is accepted."""
        return negotiate(self.parts, offers)

    def prefers_parts(self, offers: Sequence[str]) -> bool:
        """Whether one resource goes out in parts: only when that is liked better, or alone is not."""
        best = max(
            (one.q for one in self.alone if any(one.media.covers(offer) for offer in offers)), default=0.0
        )
        explicit = (one for one in self.parts if one.media.name not in _ANY or not self.alone)
        return max((one.q for one in explicit if any(map(one.media.covers, offers))), default=0.0) > best


def form_of(ranges: Sequence[MediaRange]) -> Form:
    """Accept as it concerns rendered resources: `multipart/related; type=...` is the type of parts."""
    alone, parts = [], []
    for one in ranges:
        if one.media.name == MULTIPART:
            inner = one.media.get("type").lower() or "*/*"
            parts.append(MediaRange(MediaType(inner), one.q))
        else:
            alone.append(one)
            if one.media.name in _ANY:
                parts.append(one)
    return Form(tuple(alone), tuple(parts))


def not_acceptable(offers: Sequence[str], *, several: bool) -> NotAcceptable:
    """The refusal that says what there is."""
    if not offers:
        return NotAcceptable("This object has no rendered form", hint="retrieve it as application/dicom")
    what = ", ".join(dict.fromkeys(offers))
    accept = f'multipart/related; type="{offers[0]}"' if several else offers[0]
    return NotAcceptable(
        f"This is rendered as {what}{' in parts' if several else ''}", hint=f"Accept: {accept}"
    )
