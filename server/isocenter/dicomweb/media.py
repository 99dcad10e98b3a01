"""Which bytes answer which Accept: DICOM files and bulk data in PS3.18 8.7.3, with the choices of our design.

No `transfer-syntax` means Explicit VR Little Endian, save for video; `*` means as stored; Implicit VR and
Big Endian never leave the server. A media type of images without one is as stored, else encoded without loss.
It decides by names only; converting is `dicom.transcode`, `dicom.pixels` and `dicom.compress`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from isocenter.dicom.compress import ENCODED
from isocenter.dicom.pixels import is_compressed, is_decodable
from isocenter.dicom.transcode import TARGETS
from isocenter.dicom.uids import (
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    is_big_endian,
    is_encapsulated,
    is_implicit_vr,
    is_valid_uid,
    is_video,
)
from isocenter.errors import NotAcceptable
from isocenter.http.accept import MediaRange, MediaType

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"
ANYTHING = "*/*"
ANY = "*"

# Table 8.7.3-5: the media type of one compressed frame or video by its transfer syntax.
_COMPRESSED: dict[str, str] = {
    **dict.fromkeys(
        (f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70)),
        "image/jpeg",
    ),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)), "image/jls"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)), "image/jp2"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (92, 93)), "image/jpx"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)), "image/jphc"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112)), "image/jxl"),
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}


@dataclass(frozen=True)
class Wanted:
    """One acceptable form: in parts or a single body, of a media type, in a transfer syntax (or `*`)."""

    multipart: bool
    media_type: str
    transfer_syntax: str


def wanted_forms(ranges: Sequence[MediaRange], default: str) -> list[Wanted]:
    """What the client takes, best first, where `default` is the media type of the resource.

    A range without a transfer syntax is Explicit VR Little Endian for DICOM files and octets.
    """
    forms: list[Wanted] = []
    for item in ranges:
        if item.q > 0:
            forms.extend(_forms(item.media, default))
    return list(dict.fromkeys(forms))


def _forms(media: MediaType, default: str) -> list[Wanted]:
    syntax = media.get("transfer-syntax")
    if media.name in ("*/*", "*", "multipart/*"):
        # Who takes anything gets video, and what there is no decoder for, as it is stored.
        return [Wanted(True, default, syntax or EXPLICIT_LITTLE_ENDIAN), Wanted(True, ANYTHING, ANY)]
    if media.name == MULTIPART:
        inner = media.get("type").lower() or default
        inner = default if inner == "*/*" else inner
        return [Wanted(True, inner, syntax or _default_syntax(inner))]
    if media.name == "application/*":
        return [Wanted(False, default, syntax or EXPLICIT_LITTLE_ENDIAN)]
    return [Wanted(False, media.name, syntax or _default_syntax(media.name))]


def _default_syntax(media_type: str) -> str:
    """Without a parameter: Explicit VR Little Endian for files and octets, any that an image type has."""
    return EXPLICIT_LITTLE_ENDIAN if media_type in (DICOM, OCTETS) else ANY


def bulk_type(transfer_syntax: str) -> str:
    """The media type of one stored frame in this transfer syntax."""
    if is_video(transfer_syntax):
        return "video/mpeg" if transfer_syntax in _MPEG2 else "video/mp4"
    return _COMPRESSED.get(transfer_syntax, OCTETS)


_MPEG2 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in ("100", "100.1", "101", "101.1"))


def file_syntax(stored: str, asked: str) -> str | None:
    """The transfer syntax in which a file stored as `stored` goes to who asked for `asked`; None: it cannot.

    A stored file can be sent as stored, decompressed, or compressed without loss. Whether its pixels can be
    is known when they are read; video is never anything else.
    """
    if not is_valid_uid(stored):
        return None  # stored before ingest looked: it would stand in a header
    as_stored = EXPLICIT_LITTLE_ENDIAN if is_implicit_vr(stored) or is_big_endian(stored) else stored
    if asked in (ANY, as_stored):
        return as_stored
    if asked == EXPLICIT_LITTLE_ENDIAN:
        return stored if is_video(stored) else EXPLICIT_LITTLE_ENDIAN
    return asked if asked in _WRITTEN and is_decodable(stored) else None


# Implicit VR never leaves over HTTP.
_WRITTEN = frozenset(TARGETS) - {IMPLICIT_LITTLE_ENDIAN}

# What an image type is sent in when no transfer syntax is asked for and it is not stored in one of that type.
_LOSSLESS = {bulk_type(syntax): syntax for syntax in ENCODED}


@dataclass(frozen=True)
class FrameForm:
    """How frames are sent: packaging, media type, transfer syntax, and what is done to each of them.

    `work` is `stored` (nothing, save byte order of native ones), `decode` or `encode`.
    """

    multipart: bool
    media_type: str
    transfer_syntax: str
    work: Literal["stored", "decode", "encode"] = "stored"

    @property
    def content_type(self) -> str:
        """The Content-Type of one frame."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax}"


def frame_form(
    stored: str,
    forms: Iterable[Wanted],
    *,
    count: int,
    reach: Callable[[str], bool] = lambda syntax: False,
    whole: bool = False,
) -> FrameForm:
    """The first form in which frames stored as `stored` can be sent.

    Args:
        stored: transfer syntax of the object.
        forms: what the client takes, best first.
        count: of frames that are asked for: several go in parts only.
        reach: whether frames of this object can be encoded in a transfer syntax.
        whole: whether all frames are asked for as one value, which uncompressed is one body.

    Raises:
        NotAcceptable: none; the message says what there is.
    """
    if not is_valid_uid(stored):
        raise NotAcceptable("The transfer syntax of this object is no UID: its frames cannot be read")
    own = bulk_type(stored) if is_encapsulated(stored) else OCTETS
    syntax = stored if is_encapsulated(stored) else EXPLICIT_LITTLE_ENDIAN
    for form in forms:
        made = _frame_form(form, own, syntax, reach)
        if made is None:
            continue
        one_body = count == 1 or (whole and made.media_type == OCTETS and syntax == made.transfer_syntax)
        if made.multipart or one_body or (whole and made.work == "decode"):
            return made
    raise NotAcceptable(
        f"These frames are {own} in transfer syntax {syntax}",
        hint=f'Accept: multipart/related; type="{own}"; transfer-syntax={syntax}',
    )


def _frame_form(form: Wanted, own: str, syntax: str, reach: Callable[[str], bool]) -> FrameForm | None:
    """How a form that the client takes is met; None when it cannot be."""
    octets = form.media_type == OCTETS
    if (octets or _covers(form.media_type, own)) and form.transfer_syntax in (ANY, syntax):
        return FrameForm(form.multipart, own, syntax)
    if octets and form.transfer_syntax == EXPLICIT_LITTLE_ENDIAN:
        if not is_decodable(syntax):
            return None
        work: Literal["stored", "decode"] = "decode" if is_compressed(syntax) else "stored"
        return FrameForm(form.multipart, OCTETS, EXPLICIT_LITTLE_ENDIAN, work)
    for wanted in _targets(form):
        if reach(wanted):
            return FrameForm(form.multipart, bulk_type(wanted), wanted, "encode")
    return None


def _targets(form: Wanted) -> Iterable[str]:
    """The transfer syntaxes to encode into that meet a form, preferred first."""
    if form.transfer_syntax != ANY:
        fits = form.media_type == OCTETS or _covers(form.media_type, bulk_type(form.transfer_syntax))
        return (form.transfer_syntax,) if fits else ()
    return [syntax for kind, syntax in _LOSSLESS.items() if _covers(form.media_type, kind)]


def _covers(asked: str, media_type: str) -> bool:
    return asked in (media_type, ANYTHING) or (asked == "image/*" and media_type.startswith("image/"))
