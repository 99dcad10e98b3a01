"""Large values stay in the file; what is kept of a header is enough to find them again."""

import io
import struct
import tempfile

import pytest
from encoded import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_BASELINE,
    UNDEFINED,
    explicit,
    fragments,
    implicit,
    item,
    known_sequence,
    open_item,
    part10,
    sequence,
)

from isocenter.dicom.header import Header, UnreadableHeader, read_header

UID = explicit(0x00080018, "UI", b"1.2.3\0")
NAME = explicit(0x00100010, "PN", b"Doe^Jane")
REPORT, ICON = 0x0040A730, 0x00880200
MEGABYTE = 1 << 20


def text(size):
    return explicit(0x0040A160, "UT", b"x" * size)


def flat(elements):
    for element in elements:
        yield element
        for within in element.items or ():
            yield from flat(within)


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
@pytest.mark.parametrize("size", [1024, 1026])
def test_more_than_1_kib_is_large(syntax, size):
    value = b"x" * size
    element = explicit(0x0040A160, "UT", value) if syntax == EXPLICIT_LITTLE else implicit(0x0040A160, value)
    found = read_header(element, transfer_syntax=syntax).tree()[0]
    assert found.value == (value if size == 1024 else None)
    assert (found.offset, found.length) == (len(element) - size, size)


def everywhere(size):
    """A large value at each depth, and an encapsulated icon, in sequences of known and unknown length."""
    inner = text(size) + NAME
    icon = known_sequence(ICON, item(fragments(b"a" * 2000, b"b" * 7, table=b"")))
    return (
        UID
        + explicit(0x00091001, "OB", bytes(size))
        + sequence(REPORT, open_item(inner + sequence(REPORT, item(inner))), item(inner))
        + known_sequence(REPORT, item(inner), open_item(known_sequence(REPORT, item(inner)) + NAME))
        + icon
        + NAME
        + explicit(0x7FE00010, "OW", bytes(10))
    )


@pytest.mark.parametrize("size", [10, 1500, 70_000])
def test_offsets_are_those_of_the_file_at_any_depth(size):
    file = part10(everywhere(size))
    header = read_header(file)
    assert header.problems == ()
    texts = [e for e in flat(header.elements()) if e.tag == 0x0040A160]
    assert len(texts) == 5
    for element in texts:
        assert file[element.offset :][: element.length] == b"x" * size
    names = [e for e in flat(header.elements()) if e.tag == 0x00100010]
    assert [file[e.offset :][: e.length] for e in names] == [b"Doe^Jane"] * 7
    assert file[header.pixel_data.offset :] == bytes(10)


def test_a_nested_encapsulated_icon_is_one_value_by_reference():
    data = everywhere(10)
    icon = next(e for e in flat(read_header(data).elements()) if e.tag == 0x7FE00010)
    assert icon.value is None
    assert data[icon.offset :][: icon.length] == item(b"") + item(b"a" * 2000) + item(b"b" * 7)


@pytest.mark.parametrize("size", [10, 1500, 70_000])
def test_what_is_kept_is_small_and_gives_the_header_back(size):
    file = part10(everywhere(size))
    header = read_header(file)
    assert len(header.raw) < 1200
    again = Header.unpack(header.raw, transfer_syntax=EXPLICIT_LITTLE, data_set_offset=header.data_set_offset)
    assert again == header
    assert again.tree() == header.tree()
    assert again.pixel_data == header.pixel_data
    assert again.problems == header.problems


def test_the_same_header_in_a_file_with_another_meta_group():
    received = read_header(everywhere(5000), transfer_syntax=EXPLICIT_LITTLE)
    stored = part10(everywhere(5000))
    header = Header.unpack(
        received.raw, transfer_syntax=EXPLICIT_LITTLE, data_set_offset=len(stored) - len(everywhere(5000))
    )
    assert header == read_header(stored)
    assert header.tree() == read_header(stored).tree()


@pytest.mark.parametrize("kind", ["native", "encapsulated", "none"])
def test_pixel_data_is_remembered(kind):
    pixels = {"native": explicit(0x7FE00010, "OW", bytes(64)), "encapsulated": fragments(b"ab"), "none": b""}[
        kind
    ]
    syntax = JPEG_BASELINE if kind == "encapsulated" else EXPLICIT_LITTLE
    header = read_header(UID + pixels, transfer_syntax=syntax)
    again = Header.unpack(header.raw, transfer_syntax=syntax)
    assert again.pixel_data == header.pixel_data
    assert [e.tag for e in header.elements()] == [0x00080018]
    if kind == "none":
        assert header.pixel_data is None
    else:
        assert header.pixel_data.offset == len(UID) + 12
        assert header.pixel_data.length == (None if kind == "encapsulated" else 64)


class Remote:
    """A seekable file without a descriptor, like one in an object store."""

    def __init__(self, file):
        self.file, self.taken = file, 0

    def read(self, size=-1, /):
        data = self.file.read(size)
        self.taken += len(data)
        return data

    def seek(self, offset, whence=0, /):
        return self.file.seek(offset, whence)

    def tell(self):
        return self.file.tell()


def test_large_values_are_not_read():
    with tempfile.TemporaryFile() as file:
        file.write(part10(UID + explicit(0x00091001, "OB", b"", 300 * MEGABYTE)))
        file.seek(300 * MEGABYTE, io.SEEK_CUR)
        report = text(0)[:-4] + struct.pack("<I", 200 * MEGABYTE)
        file.write(explicit(REPORT, "SQ", b"", UNDEFINED) + implicit(0xFFFEE000, b"", UNDEFINED) + report)
        file.seek(200 * MEGABYTE, io.SEEK_CUR)
        file.write(implicit(0xFFFEE00D) + implicit(0xFFFEE0DD) + NAME)
        file.write(explicit(0x7FE00010, "OW", b"", 1000 * MEGABYTE))
        remote = Remote(file)
        header = read_header(remote)
    assert remote.taken < MEGABYTE // 4
    assert header.text("PatientName") == "Doe^Jane"
    assert [e.length for e in flat(header.elements()) if e.value is None and not e.items] == [
        300 * MEGABYTE,
        200 * MEGABYTE,
    ]


def test_reading_does_not_depend_on_where_windows_end():
    for padding in range(16_000, 16_400, 3):
        filler = explicit(0x00084000, "LT", b"p" * 1000) * (padding // 1008)
        filler += explicit(0x00084000, "LT", b"p" * (padding % 1008))
        data = UID + filler + sequence(REPORT, open_item(NAME + text(1100)), item(NAME)) + NAME
        assert read_header(Remote(io.BytesIO(data))) == read_header(data)


def test_bytes_that_are_no_packed_header():
    for raw in (b"", b"\0" * 50, b"\2" + read_header(UID).raw[1:]):
        with pytest.raises(UnreadableHeader):
            Header.unpack(raw, transfer_syntax=EXPLICIT_LITTLE)


def test_headers_are_values():
    header = read_header(part10(UID))
    assert header == read_header(part10(UID))
    assert header != read_header(part10(UID + NAME))
    assert len({header, read_header(part10(UID))}) == 1
    assert EXPLICIT_LITTLE in repr(header)
