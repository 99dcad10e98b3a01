"""Colours stay, words go."""

from __future__ import annotations

import io
import struct

from PIL import Image, ImageCms
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from tests.unit.deid.test_bad_input import DEID, header

from isocenter.deid.icc import without_text


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_tag(kind: bytes, body: bytes) -> bytes:
    """A profile whose copyright is of this type."""
    old = profile()
    (count,) = struct.unpack_from(">I", old, 128)
    made = bytearray(old) + bytes(-len(old) % 4)
    for number in range(count):
        if old[132 + 12 * number :][:4] == b"cprt":
            struct.pack_into(">II", made, 136 + 12 * number, len(made), 8 + len(body))
    made += kind + bytes(4) + body
    struct.pack_into(">I", made, 0, len(made))
    return bytes(made)


def test_words_of_every_kind_go() -> None:
    localised = struct.pack(">II2s2sII", 1, 12, b"en", b"US", 12, 28) + "CANARY".encode("utf-16-be")
    described = struct.pack(">I", 7) + b"CANARY\0" + bytes(78)
    for kind, body in (
        (b"text", b"CANARY\0"),
        (b"mluc", localised),
        (b"desc", described),
        (b"mmod", b"CANARY serial"),
    ):
        made = without_text(with_tag(kind, body))
        assert made is not None
        assert b"CANARY" not in made.replace(b"\0", b"")


def test_colours_stay() -> None:
    image = Image.new("RGB", (2, 2), (200, 100, 50))
    made = without_text(profile())
    assert made is not None
    target = ImageCms.createProfile("LAB")
    before, after = (
        ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(data)), target, outputMode="LAB")
        for data in (profile(), made)
    )
    assert before is not None
    assert after is not None
    assert before.tobytes() == after.tobytes()


def test_a_profile_in_a_data_set_and_what_is_none() -> None:
    for data, kept in ((with_tag(b"text", b"CANARY\0"), True), (b"CANARY is no profile", False)):
        source: Dataset = header()
        source.add(DataElement(0x00282000, "OB", data))
        outcome = DEID.apply(source)
        assert outcome.dataset is not None
        assert ("ICCProfile" in outcome.dataset) is kept
        assert "CANARY" not in str(outcome.dataset.get("ICCProfile"))
