"""Which bytes answer which Accept: DICOM files and bulk data in PS3.18 8.7.3, with the choices of our design.

No `transfer-syntax` means Explicit VR Little Endian, save for video; `*` means as stored; Implicit VR and
Big Endian never leave the server. It decides by names only; converting is `dicom.transcode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.dicom.uids import (
    EXPLICIT_LITTLE_ENDIAN,
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
        return [Wanted(True, default, syntax or EXPLICIT_LITTLE_ENDIAN)]
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

    A stored encapsulated object can be sent as stored or decompressed; one without compression can always be
    sent in Explicit VR Little Endian.
    """
    if not is_valid_uid(stored):
        return None  # stored before ingest looked: it would stand in a header
    as_stored = EXPLICIT_LITTLE_ENDIAN if is_implicit_vr(stored) or is_big_endian(stored) else stored
    if asked in (ANY, as_stored):
        return as_stored
    if asked == EXPLICIT_LITTLE_ENDIAN:
        return stored if is_video(stored) else EXPLICIT_LITTLE_ENDIAN
    return None


@dataclass(frozen=True)
class FrameForm:
    """How stored frames are sent: packaging, media type, transfer syntax, and whether decoded first."""

    multipart: bool
    media_type: str
    transfer_syntax: str
    decode: bool

    @property
    def content_type(self) -> str:
        """The Content-Type of one frame."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax}"


def frame_form(stored: str, forms: Iterable[Wanted], *, count: int) -> FrameForm:
    """The first form in which frames stored as `stored` can be sent.

    Raises:
        NotAcceptable: none; the message says what there is.
    """
    encapsulated = is_encapsulated(stored)
    own = bulk_type(stored) if encapsulated else OCTETS
    syntax = stored if encapsulated else EXPLICIT_LITTLE_ENDIAN
    if not is_valid_uid(stored):
        raise NotAcceptable("The transfer syntax of this object is no UID: its frames cannot be read")
    for form in forms:
        single = not form.multipart and count == 1
        if not (form.multipart or single):
            continue
        if form.media_type in (own, OCTETS) and form.transfer_syntax in (ANY, syntax):
            return FrameForm(form.multipart, own, syntax, decode=False)
        if (
            form.media_type == OCTETS
            and form.transfer_syntax == EXPLICIT_LITTLE_ENDIAN
            and not is_video(stored)
        ):
            return FrameForm(form.multipart, OCTETS, EXPLICIT_LITTLE_ENDIAN, decode=True)
    raise NotAcceptable(
        f"These frames are {own} in transfer syntax {syntax}",
        hint=f'Accept: multipart/related; type="{own}"; transfer-syntax={syntax}',
    )
