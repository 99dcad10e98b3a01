"""Content negotiation as DICOMweb clients really write it (RFC 9110 12.5, PS3.18 8.3.3.1 and 8.7.5).

Liberal: lists, several headers, q-values, parameters quoted or not (`type=application/dicom`), `*/*`, the
`accept` query parameter. It parses and ranks; what a resource can be sent as is the resource's own knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A query string turns `+` into a space: `accept=application/dicom+json` arrives as `application/dicom json`.
_LOST_PLUS = re.compile(r"^(\s*[\w.-]+/[\w.-]+) ([\w.-]+)")
_MOST_RANGES = 64


@dataclass(frozen=True)
class MediaType:
    """A media type or range, lower case, with its parameters (names lower case, values as given)."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, parameter: str, default: str = "") -> str:
        """The value of a parameter."""
        return dict(self.parameters).get(parameter, default)

    def covers(self, name: str) -> bool:
        """Whether this range includes the media type `name`; parameters are not looked at."""
        if self.name in ("*/*", "*") or self.name == name:
            return True
        return self.name.endswith("/*") and name.startswith(self.name[:-1])


@dataclass(frozen=True)
class MediaRange:
    """One element of an Accept header: a media range and its weight, 0 to 1."""

    media: MediaType
    q: float


def parse_media_type(text: str) -> MediaType:
    """The media type in a Content-Type; never raises: what is not understood is left out."""
    first, *rest = _split(text, ";")
    parameters = []
    for piece in rest:
        name, equals, value = piece.partition("=")
        if equals and name.strip():
            parameters.append((name.strip().lower(), _unquoted(value.strip())))
    return MediaType(first.strip().lower(), tuple(parameters))


def parse_accept(values: Iterable[str]) -> list[MediaRange]:
    """The media ranges of Accept header values, best first; equal weights keep their order.

    Nothing, or nothing that can be read, is `*/*`. Ranges of weight 0 stay: they exclude.
    """
    ranges = []
    for value in values:
        for piece in _split(value, ","):
            media = parse_media_type(_LOST_PLUS.sub(r"\1+\2", piece))
            if "/" in media.name or media.name == "*":
                ranges.append(_weighed(media))
    if not ranges:
        return [MediaRange(MediaType("*/*"), 1.0)]
    return sorted(ranges[:_MOST_RANGES], key=lambda item: -item.q)


def negotiate(ranges: Sequence[MediaRange], offers: Sequence[str]) -> str | None:
    """The best of `offers` (media type names, preferred first), or None when none is accepted.

    Among ranges of one weight the more specific wins (RFC 9110 12.5.1), then the order of `offers`.
    """
    best: tuple[float, int] | None = None
    chosen = None
    for offer in offers:
        fit = _fit(ranges, offer)
        if fit is not None and fit[0] > 0 and (best is None or fit > best):
            best, chosen = fit, offer
    return chosen


def takes_gzip(values: Iterable[str]) -> bool:
    """Whether Accept-Encoding header values take gzip (RFC 9110 12.5.3); nothing said is no here."""
    q = 0.0
    for value in values:
        for piece in _split(value, ","):
            item = _weighed(parse_media_type(piece))
            if item.media.name in ("gzip", "x-gzip"):
                return item.q > 0
            if item.media.name == "*":
                q = item.q
    return q > 0


def _fit(ranges: Sequence[MediaRange], offer: str) -> tuple[float, int] | None:
    """Weight and specificity of the most specific range that covers `offer`."""
    found = [(_specificity(item.media), item.q) for item in ranges if item.media.covers(offer)]
    if not found:
        return None
    specificity, q = max(found)
    return q, specificity


def _specificity(media: MediaType) -> int:
    if media.name in ("*/*", "*"):
        return 0
    return 1 if media.name.endswith("/*") else 2


def _weighed(media: MediaType) -> MediaRange:
    try:
        q = min(max(float(media.get("q", "1")), 0.0), 1.0)
    except ValueError:
        q = 1.0
    kept = tuple(item for item in media.parameters if item[0] != "q")
    return MediaRange(MediaType(media.name, kept), q if q == q else 1.0)


def _split(text: str, separator: str) -> list[str]:
    """`text` cut at separators outside double quotes; a quote that never closes is an ordinary character."""
    if '"' not in text:
        return text.split(separator)
    pieces, start, quoted = [], 0, False
    balanced = text.count('"') % 2 == 0
    for place, character in enumerate(text):
        if character == '"' and balanced:
            quoted = not quoted
        elif character == separator and not quoted:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return pieces


def _unquoted(value: str) -> str:
    return value.strip("\"'").strip()
