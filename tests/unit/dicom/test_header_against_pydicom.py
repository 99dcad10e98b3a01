"""Every real file that is installed reads as pydicom reads it: the same elements, VRs and values."""

import mmap
import warnings

import pydicom
import pytest
from encoded import EXPLICIT_BIG, real_files
from pydicom.dataelem import RawDataElement

from isocenter.dicom.header import Header, UnreadableHeader, read_header

# What pydicom reads only when forced, and then nothing that is in it.
NO_DICOM = {
    "no_meta.dcm": "begins in the middle of an element",
    "README.txt": "text", "FileInfo.txt": "text", "crayons.icc": "a colour profile",
    "rtplan.dump": "text", "rtstruct.dump": "text", "zipMR.gz": "compressed by gzip",
    "test1.json": "text", "test_PN.json": "text",
}  # fmt: skip

# Where pydicom and the standard (or common sense) differ.
DIFFERENCES = {
    # The last value is cut off: pydicom gives the part that is there, we leave it out.
    "rtplan_truncated.dcm": {(0x300A00B0, 0, 0x300A0111, 0, 0x300A012C)},
    # The encapsulated Pixel Data has no end: pydicom leaves it out, we tell where it begins.
    "emri_small_jpeg_2k_lossless_too_short.dcm": {(0x7FE00010,)},
}

FILES = [path for path in real_files() if path.suffix not in (".md", ".py", ".pyc") and path.name != "README"]
OBJECTS = [path for path in FILES if path.name not in NO_DICOM]


def by_pydicom(data_set, big, path=()):
    """Path to (VR, value as encoded); sequences have no value."""
    found = {}
    for tag, raw in dict(data_set._dict).items():
        here = (*path, int(tag))
        vr = vr_by_pydicom(data_set, tag, raw)
        if vr == "SQ":
            found[here] = ("SQ", None)
            for number, within in enumerate(data_set[tag].value):
                found |= by_pydicom(within, big, (*here, number))
        else:
            found[here] = (vr, value_by_pydicom(raw, big))
    return found


def value_by_pydicom(raw, big):
    """The value as encoded; pydicom has decoded a few that it needed itself."""
    if isinstance(raw, RawDataElement):
        return raw.value or b""
    if isinstance(raw.value, int):
        return raw.value.to_bytes(2, "big" if big else "little")
    text = "\\".join([raw.value] if isinstance(raw.value, str) else raw.value or [])
    return (text + " " * (len(text) % 2)).encode()


def vr_by_pydicom(data_set, tag, raw):
    if isinstance(raw, RawDataElement) and raw.VR in (None, "UN") and tag.is_private:
        # We keep UN where pydicom looks into its dictionary of private attributes, and take private creators
        # for LO (PS3.5 7.8.1) where it keeps a UN that is written.
        return "UL" if tag.element == 0 else "LO" if 0x10 <= tag.element <= 0xFF else "UN"
    # pydicom finds these, and the choice between US and SS, only when the value is asked for.
    return data_set[tag].VR if raw.VR in (None, "UN") else raw.VR


def by_isocenter(elements, data, path=()):
    found = {}
    for element in elements:
        here = (*path, element.tag)
        if element.items is not None:
            found[here] = ("SQ", None)
            for number, within in enumerate(element.items):
                found |= by_isocenter(within, data, (*here, number))
        else:
            end = element.offset + element.length
            found[here] = (
                element.vr,
                element.value if element.value is not None else data[element.offset : end],
            )
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_same_elements_as_pydicom(path):
    data = path.read_bytes()
    if path.name in NO_DICOM:
        with pytest.raises(UnreadableHeader):
            read_header(data)
        return
    header = read_header(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # pydicom reads all of them; what it cannot read some day has to be named here.
        data_set = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        theirs = by_pydicom(data_set, header.transfer_syntax == EXPLICIT_BIG)
    inflated = (
        pydicom.filereader.zlib.decompress(data[header.data_set_offset :], -15) if header.deflated else data
    )
    ours = by_isocenter(header.elements(), inflated)
    assert {p: v for p, v in theirs.items() if not excused(path, p)} == ours


def excused(path, place):
    return any(place[: len(d)] == d for d in DIFFERENCES.get(path.name, ()))


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_every_way_to_read_a_file_gives_the_same_header(path):
    header = read_header(path.read_bytes())
    with path.open("rb") as file:
        by_file = read_header(file)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert read_header(mapped) == header
    assert by_file == header
    assert read_header(memoryview(path.read_bytes())) == header
    again = Header.unpack(
        header.raw, transfer_syntax=header.transfer_syntax, data_set_offset=header.data_set_offset
    )
    assert again == header
    assert list(again.elements()) == list(header.elements())
    assert again.index_keys() == header.index_keys()


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_pixel_data_is_where_pydicom_finds_it(path):
    header = read_header(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = pydicom.dcmread(path, defer_size=0, force=True)._dict
    found = [raw[tag] for tag in (0x7FE00008, 0x7FE00009, 0x7FE00010) if tag in raw]
    if header.pixel_data is None or excused(path, (header.pixel_data.tag,)):
        assert not found
        return
    assert found[0].value_tell == header.pixel_data.offset
    assert found[0].length == (0xFFFFFFFF if header.pixel_data.length is None else header.pixel_data.length)


def test_big_endian_is_among_the_files():
    syntaxes = {read_header(p.read_bytes()).transfer_syntax for p in OBJECTS}
    assert EXPLICIT_BIG in syntaxes
    assert len(syntaxes) >= 12
