"""Where frames are, in every encoding of Pixel Data."""

import io
import struct

import numpy as np
import pydicom
import pytest
from encoded import (
    DEFLATED,
    EXPLICIT_LITTLE,
    JPEG_BASELINE,
    explicit,
    fragments,
    item,
    part10,
    real_files,
)
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels.utils import unpack_bits

from isocenter.dicom import encapsulated, frames
from isocenter.dicom.header import Header, read_header
from isocenter.errors import NotFound, UnreadableObject

JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
MPEG4 = "1.2.840.10008.1.2.4.102"


def us(tag, value):
    return explicit(tag, "US", struct.pack("<H", value))


def image(count=None, rows=2, columns=2, bits=8, samples=1, photometric=b"MONOCHROME2 "):
    told = [us(0x00280002, samples), explicit(0x00280004, "CS", photometric)]
    if count is not None:
        told.append(explicit(0x00280008, "IS", str(count).encode()))
    return b"".join([*told, us(0x00280010, rows), us(0x00280011, columns), us(0x00280100, bits)])


def located(data, syntax=EXPLICIT_LITTLE):
    file = part10(data, syntax)
    return file, frames.locate(file, read_header(file))


def contents(file, table):
    return [frames.read(file, table.frame(number)) for number in range(1, table.count + 1)]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"bits": 8}, 4), ({"bits": 16}, 8), ({"bits": 32}, 16), ({"bits": 64}, 32),
        ({"bits": 8, "samples": 3, "photometric": b"RGB "}, 12),
        ({"bits": 8, "samples": 3, "photometric": b"YBR_FULL"}, 12),
        ({"bits": 8, "samples": 3, "photometric": b"YBR_FULL_422"}, 8),
    ],
)  # fmt: skip
def test_native_frames_follow_each_other(attributes, size):
    pixels = bytes(range(3 * size))
    file, table = located(image(3, **attributes) + explicit(0x7FE00010, "OW", pixels))
    assert table.count == 3
    assert contents(file, table) == [pixels[i : i + size] for i in (0, size, 2 * size)]


def test_without_number_of_frames_there_is_one():
    file, table = located(image() + explicit(0x7FE00010, "OW", b"abcd"))
    assert contents(file, table) == [b"abcd"]


@pytest.mark.parametrize(("tag", "vr", "size"), [(0x7FE00008, "OF", 4), (0x7FE00009, "OD", 8)])
def test_float_frames(tag, vr, size):
    pixels = np.arange(8, dtype=f"<f{size}").tobytes()
    file, table = located(image(2, bits=16) + explicit(tag, vr, pixels))
    assert contents(file, table) == [pixels[: 4 * size], pixels[4 * size :]]


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (5, 7), (1, 1), (4, 4), (2, 4)])
def test_frames_of_one_bit_begin_inside_a_byte(rows, columns):
    rng = np.random.default_rng(rows * columns)
    bits = rng.integers(0, 2, (5, rows * columns), dtype=np.uint8)
    pixels = np.packbits(bits.ravel(), bitorder="little").tobytes()
    file, table = located(image(5, rows, columns, bits=1) + explicit(0x7FE00010, "OB", pixels))
    for number in range(1, 6):
        frame = table.frame(number)
        assert frame.bit_offset == (number - 1) * rows * columns % 8
        read = np.frombuffer(frames.read(file, frame), np.uint8)
        assert list(np.unpackbits(read, bitorder="little", count=rows * columns)) == list(bits[number - 1])


def test_the_frame_that_is_not_there():
    file, table = located(image(3) + explicit(0x7FE00010, "OW", b"abcdefgh"))
    for number in (0, 4, -1):
        with pytest.raises(NotFound):
            table.frame(number)
    with pytest.raises(UnreadableObject, match="before frame 3"):
        table.frame(3)
    short = file[:-2]
    cut = frames.locate(short, read_header(short))
    assert frames.read(short, cut.frame(1)) == b"abcd"
    with pytest.raises(UnreadableObject, match="before frame 2"):
        cut.frame(2)


def jpeg(text):
    return b"\xff\xd8\xff" + text + b"\xff\xd9"


ONE, TWO, THREE = jpeg(b"one"), jpeg(b"second"), jpeg(b"3")


def starts(*values):
    """A basic offset table for frames of one fragment."""
    offsets, at = [], 0
    for value in values:
        offsets.append(at)
        at += 8 + len(value)
    return struct.pack(f"<{len(offsets)}I", *offsets)


@pytest.mark.parametrize("table", [b"", starts(ONE, TWO, THREE), b"\0" * 12, b"\0" * 4], ids=len)
def test_one_fragment_a_frame_whatever_the_offset_table_says(table):
    file, found = located(image(3) + fragments(ONE, TWO, THREE, table=table), JPEG_BASELINE)
    assert contents(file, found) == [ONE, TWO, THREE]


def test_all_fragments_are_the_one_frame():
    file, found = located(image() + fragments(b"ab", b"cd", b"ef"), JPEG_BASELINE)
    assert found.frame(1).segments[0][1] == 2
    assert contents(file, found) == [b"abcdef"]


def test_fragmented_frames_by_the_offset_table():
    pieces = [b"aa", b"bb", b"cc", b"dd", b"ee"]
    table = struct.pack("<2I", 0, 20)
    file, found = located(image(2) + fragments(*pieces, table=table), JPEG_BASELINE)
    assert contents(file, found) == [b"aabb", b"ccddee"]


@pytest.mark.parametrize(
    "first",
    [
        b"\xff\xd8\xff\xe0", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x0a",
        b"\x00\x00\x00\x0cJXL \r\n\x87\n",
    ],
)  # fmt: skip
def test_fragmented_frames_without_a_table_begin_at_markers(first):
    pieces = [first + b"aa", b"bb", first + b"cc", b"dd", b"ee"]
    file, found = located(image(2) + fragments(*pieces), JPEG_2000)
    assert contents(file, found) == [b"".join(pieces[:2]), b"".join(pieces[2:])]


def test_fragmented_frames_without_a_table_end_at_markers():
    pieces = [b"aa", b"b\xff\xd9\0", b"cc", b"dd\xff\xd9"]
    file, found = located(image(2) + fragments(*pieces), JPEG_BASELINE)
    assert contents(file, found) == [b"aab\xff\xd9\0", b"ccdd\xff\xd9"]


def test_fragments_that_cannot_be_told_apart():
    with pytest.raises(UnreadableObject, match="5 fragments cannot be told apart into 2 frames"):
        located(image(2) + fragments(b"aa", b"bb", b"cc", b"dd", b"ee"), JPEG_BASELINE)


def test_fewer_fragments_than_frames():
    file, found = located(image(3) + fragments(ONE, TWO), JPEG_BASELINE)
    assert frames.read(file, found.frame(2)) == TWO
    with pytest.raises(UnreadableObject, match="before frame 3"):
        found.frame(3)


def extended_table(offsets, lengths):
    packed = [struct.pack(f"<{len(numbers)}Q", *numbers) for numbers in (offsets, lengths)]
    return explicit(0x7FE00001, "OV", packed[0]) + explicit(0x7FE00002, "OV", packed[1])


def test_extended_offset_table():
    # Its lengths are those of the frames without padding.
    told = extended_table([0, 12, 24], [3, 4, 1])
    file, found = located(image(3) + told + fragments(b"odd\0", b"even", b"x\0"), JPEG_BASELINE)
    assert contents(file, found) == [b"odd", b"even", b"x"]


def test_an_extended_offset_table_too_large_for_the_header():
    values = [bytes([n]) * (2 + 2 * (n % 3)) for n in range(200)]
    data, offsets, lengths = encapsulate_extended(values)
    told = explicit(0x7FE00001, "OV", offsets) + explicit(0x7FE00002, "OV", lengths)
    file, found = located(image(200) + told + explicit(0x7FE00010, "OB", data, 0xFFFFFFFF), JPEG_BASELINE)
    assert contents(file, found) == values


def test_an_extended_offset_table_that_is_wrong_is_not_believed():
    told = explicit(0x7FE00001, "OV", struct.pack("<2Q", 0, 99)) + explicit(
        0x7FE00002, "OV", struct.pack("<2Q", 8, 9)
    )
    file, found = located(image(2) + told + fragments(ONE, TWO), JPEG_BASELINE)
    assert contents(file, found) == [ONE, TWO]


class Sparse:
    """Gigabytes of Pixel Data of which only item headers are there."""

    def __init__(self, table, lengths):
        self.pieces = {0: item(table)}
        at = 8 + len(table)
        for length in lengths:
            self.pieces[at] = item(b"", length)
            at += 8 + length
        self.end = at
        self.taken = 0

    def __call__(self, offset, length):
        self.taken += length
        for start, piece in self.pieces.items():
            if start <= offset < start + len(piece):
                return piece[offset - start :][:length]
        return b"\0" * length if offset < self.end else b""


def test_a_basic_offset_table_wraps_at_4_gib():
    lengths = [3 << 30, 3 << 30, 2 << 30, 1000]
    offsets = [0, 8 + lengths[0], 16 + sum(lengths[:2]), 24 + sum(lengths[:3])]
    sparse = Sparse(struct.pack("<4I", *[offset % (1 << 32) for offset in offsets]), lengths)
    found = encapsulated.frames(sparse, 0, 4, JPEG_BASELINE)
    assert found == [[(24 + offset + 8, n)] for offset, n in zip(offsets, lengths, strict=True)]
    assert sparse.taken < 200


def test_a_frame_may_be_larger_than_4_gib_together():
    lengths = [3 << 30, 3 << 30, 100]
    table = struct.pack("<2I", 0, (16 + 2 * (3 << 30)) % (1 << 32))
    found = encapsulated.frames(Sparse(table, lengths), 0, 2, JPEG_BASELINE)
    assert [len(segments) for segments in found] == [2, 1]


def test_pixel_data_that_breaks_off_keeps_its_whole_frames():
    whole = part10(image(3) + fragments(ONE, TWO, THREE, table=starts(ONE, TWO, THREE)), JPEG_BASELINE)
    for cut in (9, 20):
        file = whole[:-cut]
        table = frames.locate(file, read_header(file))
        assert frames.read(file, table.frame(1)) == ONE
        with pytest.raises(UnreadableObject):
            table.frame(3)


@pytest.mark.parametrize(
    ("data", "syntax", "why"),
    [
        (image(3) + fragments(b"ab", b"cd"), MPEG4, "Video"),
        (image(), EXPLICIT_LITTLE, "no Pixel Data"),
        (b"", DEFLATED, "deflated"),
    ],
)
def test_what_has_no_frames_says_why(data, syntax, why):
    if syntax == DEFLATED:
        import zlib

        packer = zlib.compressobj(wbits=-15)
        data = packer.compress(image() + explicit(0x7FE00010, "OW", b"abcd")) + packer.flush()
    with pytest.raises(frames.NoFrames, match=why) as refused:
        located(data, syntax)
    assert refused.value.status == 406


def test_rows_that_are_missing():
    with pytest.raises(UnreadableObject, match="Rows, Columns or Bits Allocated"):
        located(explicit(0x7FE00010, "OW", b"abcd"))


# Their Pixel Data is shorter than Rows, Columns and Number of Frames say, or these are missing.
BROKEN = {"MR_truncated.dcm", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"}
# Padding, and a Number of Frames that is no number: more pixels than frames.
LONGER = {"MR_small_padded.dcm", "badVR.dcm"}
ENDLESS = "emri_small_jpeg_2k_lossless_too_short.dcm"
NOT_COMPARED = {"no_meta.dcm", ENDLESS, *BROKEN}
IMAGES = [path for path in real_files() if path.suffix == ".dcm" and path.name not in NOT_COMPARED]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_frames_of_real_files_are_pydicoms(path):
    header = read_header(path.read_bytes())
    if header.pixel_data is None or header.deflated:
        with pytest.raises(frames.NoFrames):
            frames.locate(path.read_bytes(), header)
        return
    with path.open("rb") as file:
        table = frames.locate(file, header)
        ours = contents(file, table)
    data_set = pydicom.dcmread(path, force=True)
    pixels = data_set[header.pixel_data.tag].value
    if header.pixel_data.length is None:
        extended = (data_set.get("ExtendedOffsetTable"), data_set.get("ExtendedOffsetTableLengths"))
        tables = extended if extended[0] else None
        assert ours == list(generate_frames(pixels, number_of_frames=table.count, extended_offsets=tables))
    elif data_set.BitsAllocated == 1:
        bits = unpack_bits(pixels, as_array=True)[: table.count * table.bits].reshape(table.count, -1)
        for frame, expected in zip(ours, bits, strict=True):
            assert (unpack_bits(frame, as_array=True)[: table.bits] == expected).all()
    else:
        assert pixels.startswith(b"".join(ours))
        assert path.name in LONGER or len(pixels) - len(b"".join(ours)) <= 1


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_files_have_no_frames_that_are_not_there(name):
    data = next(path for path in real_files() if path.name == name).read_bytes()
    with pytest.raises(UnreadableObject):
        contents(data, frames.locate(data, read_header(data)))


def test_fragments_without_an_end_are_still_frames():
    data = next(path for path in real_files() if path.name == ENDLESS).read_bytes()
    found = contents(data, frames.locate(data, read_header(data)))
    assert len(found) == 10
    assert all(frame.startswith(b"\xff\x4f\xff\x51") for frame in found)


def test_a_packed_header_finds_the_same_frames():
    file, table = located(image(3) + fragments(ONE, TWO, THREE), JPEG_BASELINE)
    header = read_header(file)
    again = Header.unpack(header.raw, transfer_syntax=JPEG_BASELINE, data_set_offset=header.data_set_offset)
    assert frames.locate(io.BytesIO(file), again) == table


def test_pydicoms_own_encapsulation():
    values = [ONE * 3, TWO, THREE * 2]
    for per_frame, with_table in ((1, True), (1, False), (3, True)):
        padded = [value + b"\0" * (len(value) % 2) for value in values]
        data = encapsulate(padded, fragments_per_frame=per_frame, has_bot=with_table)
        file, table = located(image(3) + explicit(0x7FE00010, "OB", data, 0xFFFFFFFF), JPEG_BASELINE)
        assert contents(file, table) == padded
