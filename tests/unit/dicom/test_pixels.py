"""One frame decoded, encoded, and decoded again: what pydicom reads from the whole object."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from encoded import EXPLICIT_BIG, explicit, part10

from isocenter.dicom import compress, frames, pixels
from isocenter.dicom.header import read_header
from isocenter.dicom.reencode import CannotTranscode
from isocenter.errors import IsocenterError

FOLDER = Path(pydicom.data.__file__).parent / "test_files"
NO_DECODER = {"JPEG-lossy.dcm", "JPGExtended.dcm"}
BROKEN = {"JPEG2000-embedded-sequence-delimiter.dcm", "MR_truncated.dcm", "badVR.dcm"}
FILES = sorted(path for path in FOLDER.glob("*.dcm") if path.name not in NO_DECODER | BROKEN)


def _opened(path: Path) -> tuple[pixels.Image, frames.FrameTable] | None:
    with open(path, "rb") as file:
        try:
            header = read_header(file)
            return pixels.describe(header), frames.locate(file, header)
        except IsocenterError:
            return None


WITH_FRAMES = [path for path in FILES if _opened(path)]
NAMED = pytest.mark.parametrize("path", WITH_FRAMES, ids=lambda path: path.name)


def _first(path: Path) -> tuple[pixels.Image, pixels.Decoded]:
    found = _opened(path)
    assert found is not None
    return found[0], pixels.decode_at(str(path), found[0], found[1].frame(1))


@NAMED
def test_each_frame_is_what_pydicom_reads_from_the_whole(path: Path) -> None:
    found = _opened(path)
    assert found is not None
    image, table = found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = pydicom.dcmread(path).pixel_array
    for number in {1, table.count}:
        one = pixels.decode_at(str(path), image, table.frame(number), rgb=True)
        assert np.array_equal(one.array, whole if table.count == 1 else whole[number - 1])
        assert one.photometric in ("RGB", image.photometric)


@NAMED
@pytest.mark.parametrize("wanted", compress.ENCODED)
def test_what_is_encoded_is_decoded_to_the_same_pixels(path: Path, wanted: str) -> None:
    image, one = _first(path)
    if not compress.reach(image, wanted):
        with pytest.raises(CannotTranscode):
            compress.encode(image, one, wanted)
        return
    made = compress.encode(image, one, wanted)
    assert len(made) % 2 == 0
    photometric = compress.photometric_in(one.photometric, wanted)
    encoded = replace(
        image, transfer_syntax=wanted, photometric=photometric, planar=0, bits_allocated=one.bits_allocated
    )
    assert np.array_equal(pixels.decode(encoded, made).array, one.array)


def test_bytes_of_big_endian_words_that_frames_share() -> None:
    """Frames of three bytes in words: the second begins inside a word."""
    little = bytes(range(1, 10))
    swapped = b"".join(little[n : n + 2][::-1] for n in range(0, 8, 2)) + b"\0\x09"
    us = [(0x00280002, 1), (0x00280010, 1), (0x00280011, 3), (0x00280100, 8), (0x00280101, 8)]
    elements = {tag: explicit(tag, "US", value.to_bytes(2, "big"), order=">") for tag, value in us}
    elements[0x00280008] = explicit(0x00280008, "IS", b"3 ", order=">")
    elements[0x7FE00010] = explicit(0x7FE00010, "OW", swapped, order=">")
    raw = part10(b"".join(elements[tag] for tag in sorted(elements)), EXPLICIT_BIG)
    header = read_header(raw)
    image, table = pixels.describe(header), frames.locate(raw, header)
    assert [pixels.read(raw, image, table.frame(n)) for n in (1, 2, 3)] == [
        b"\1\2\3",
        b"\4\5\6",
        b"\7\x08\x09",
    ]


def test_colours_encoded_without_loss_stay_as_they_are() -> None:
    image, _ = _first(FOLDER / "SC_rgb_rle.dcm")
    ybr = pixels.Decoded(np.arange(30_000, dtype="u1").reshape(100, 100, 3), "YBR_FULL", 8)
    raw = compress.encode(image, ybr, compress.RLE)
    again = pixels.decode(replace(image, photometric="YBR_FULL"), raw)
    assert again.photometric == "YBR_FULL"
    assert np.array_equal(again.array, ybr.array)


def test_bits_beyond_bits_stored_are_not_lost_silently() -> None:
    image, one = _first(FOLDER / "CT_small.dcm")
    narrow = replace(image, bits_stored=8)
    with pytest.raises(CannotTranscode, match="beyond Bits Stored"):
        compress.encode(narrow, one, compress.JPEG_LS)
    assert compress.encode(narrow, one, compress.RLE)


def test_lossy_syntaxes_and_single_bits_are_out_of_reach() -> None:
    image, one = _first(FOLDER / "CT_small.dcm")
    for lossy in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"):
        assert not compress.reach(image, lossy)
        with pytest.raises(CannotTranscode):
            compress.encode(image, one, lossy)
    bits, _ = _first(FOLDER / "liver_1frame.dcm")
    assert not any(compress.reach(bits, wanted) for wanted in compress.ENCODED)
