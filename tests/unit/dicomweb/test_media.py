"""Which bytes answer which Accept."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.media import ANY, DICOM, OCTETS, Wanted, file_syntax, frame_form, wanted_forms
from isocenter.errors import NotAcceptable
from isocenter.http.accept import parse_accept

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG, J2K, RLE, H264 = (f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.90", "5", "4.102"))


@pytest.mark.parametrize(
    ("stored", "asked", "sent"),
    [
        (EXPLICIT, EXPLICIT, EXPLICIT),
        (EXPLICIT, "*", EXPLICIT),
        (IMPLICIT, "*", EXPLICIT),
        (BIG, "*", EXPLICIT),
        (IMPLICIT, EXPLICIT, EXPLICIT),
        (IMPLICIT, IMPLICIT, None),
        (BIG, BIG, None),
        (J2K, "*", J2K),
        (J2K, J2K, J2K),
        (J2K, EXPLICIT, EXPLICIT),
        (J2K, JPEG, None),
        (EXPLICIT, J2K, J2K),
        (JPEG, J2K, J2K),
        (H264, J2K, None),
        (EXPLICIT, JPEG, None),
        (H264, EXPLICIT, H264),
        (H264, "*", H264),
    ],
)
def test_files(stored: str, asked: str, sent: str | None) -> None:
    assert file_syntax(stored, asked) == sent


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", (True, DICOM, EXPLICIT)),
        ("", (True, DICOM, EXPLICIT)),
        ('multipart/related; type="application/dicom"', (True, DICOM, EXPLICIT)),
        ("multipart/related; type=application/dicom; transfer-syntax=*", (True, DICOM, "*")),
        ("multipart/related", (True, DICOM, EXPLICIT)),
        ("application/dicom", (False, DICOM, EXPLICIT)),
        (f"application/dicom; transfer-syntax={J2K}", (False, DICOM, J2K)),
        ("multipart/related; type=image/jp2", (True, "image/jp2", "*")),
    ],
)
def test_what_a_client_takes(accept: str, expected: tuple[bool, str, str]) -> None:
    form = wanted_forms(parse_accept([accept]), DICOM)[0]
    assert (form.multipart, form.media_type, form.transfer_syntax) == expected


AS_OCTETS = f"{OCTETS}; transfer-syntax={EXPLICIT}"
AS_J2K = f"image/jp2; transfer-syntax={J2K}"
PARTS = "multipart/related; type"


@pytest.mark.parametrize(
    ("stored", "accept", "count", "content_type", "decode"),
    [
        (EXPLICIT, "*/*", 3, AS_OCTETS, False),
        (IMPLICIT, "*/*", 1, AS_OCTETS, False),
        (J2K, f"{PARTS}=application/octet-stream; transfer-syntax=*", 2, AS_J2K, False),
        (J2K, f"{PARTS}=image/jp2", 2, AS_J2K, False),
        (J2K, f'{PARTS}="image/jp2"; transfer-syntax={J2K}', 1, AS_J2K, False),
        (J2K, "*/*", 1, AS_OCTETS, True),
        (RLE, f"{PARTS}=application/octet-stream", 1, AS_OCTETS, True),
        (JPEG, "image/jpeg", 1, f"image/jpeg; transfer-syntax={JPEG}", False),
        (H264, f"{PARTS}=video/mp4", 1, f"video/mp4; transfer-syntax={H264}", False),
    ],
)
def test_frames(stored: str, accept: str, count: int, content_type: str, decode: bool) -> None:
    form = frame_form(stored, wanted_forms(parse_accept([accept]), OCTETS), count=count)
    assert (form.content_type, form.work == "decode") == (content_type, decode)


@pytest.mark.parametrize(
    ("stored", "accept", "count"),
    [
        (EXPLICIT, "multipart/related; type=image/jpeg", 1),
        (JPEG, "image/jpeg", 2),
        (J2K, "multipart/related; type=image/jpeg", 1),
        (H264, "multipart/related; type=application/octet-stream", 1),
    ],
)
def test_frames_that_cannot_be_had_so(stored: str, accept: str, count: int) -> None:
    with pytest.raises(NotAcceptable, match=r"These frames are"):
        frame_form(stored, wanted_forms(parse_accept([accept]), OCTETS), count=count)


def test_an_object_stored_under_a_syntax_that_is_no_uid_cannot_be_sent() -> None:
    assert file_syntax("1.2\r\nX: y", ANY) is None
    with pytest.raises(NotAcceptable):
        frame_form("1.2\r\nX: y", [Wanted(True, OCTETS, ANY)], count=1)
