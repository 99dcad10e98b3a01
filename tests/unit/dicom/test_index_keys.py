"""The texts that the index gets from a header."""

import struct

import pydicom
import pytest
from encoded import EXPLICIT_BIG, EXPLICIT_LITTLE, explicit, item, real_files, sequence

from isocenter.dicom.attributes import INDEX
from isocenter.dicom.header import Header, read_header

NAMES = {name for names in INDEX.values() for name in names}


def keys(*elements, syntax=EXPLICIT_LITTLE):
    return read_header(b"".join(elements), transfer_syntax=syntax).index_keys()


def test_every_attribute_of_the_index_is_found():
    from isocenter.dicom.attributes import lookup

    for name in sorted(NAMES):
        *within, last = (lookup(word) for word in name.split("."))
        vr = last.vr if last.vr not in ("US", "UL") else "US"
        element = explicit(last.tag, vr, b"\7\0" if vr == "US" else b"7 ")
        for outer in reversed(within):
            element = sequence(outer.tag, item(element))
        assert keys(element) == {name: "7"}, name


def test_values_are_trimmed_and_stay_multiple():
    assert keys(
        explicit(0x00080008, "CS", b"ORIGINAL \\ PRIMARY\\\\AXIAL "),
        explicit(0x00080018, "UI", b"1.2.3\0"),
        explicit(0x00100020, "LO", b" 12 3 "),
        explicit(0x001021B0, "LT", b" first line\\not a second value  "),
    ) == {
        "ImageType": "ORIGINAL\\PRIMARY\\\\AXIAL",
        "SOPInstanceUID": "1.2.3",
        "PatientID": "12 3",
        "AdditionalPatientHistory": " first line\\not a second value",
    }


@pytest.mark.parametrize("uid", ["1.2.03.4", "ABC.1", "1." + "2" * 80, "1.2.3 4"])
def test_broken_uids_are_kept(uid):
    assert keys(explicit(0x00080018, "UI", uid.encode() + b"\0 "))["SOPInstanceUID"] == uid


def test_empty_is_not_missing():
    assert keys(explicit(0x00080050, "SH"), explicit(0x00100010, "PN", b"  ")) == {
        "AccessionNumber": "",
        "PatientName": "",
    }


def test_numbers_become_decimals():
    little = (
        explicit(0x00280010, "US", struct.pack("<H", 513)),
        explicit(0x00280011, "SL", struct.pack("<i", -2)),
    )
    assert keys(*little) == {"Rows": "513", "Columns": "-2"}
    big = explicit(0x00280010, "US", struct.pack(">H", 513), order=">")
    assert keys(big, syntax=EXPLICIT_BIG) == {"Rows": "513"}
    assert keys(explicit(0x00280010, "US", b"abc")) == {"Rows": "25185"}


def test_values_of_all_items_are_the_values_of_the_name():
    items = [item(explicit(0x00400009, "SH", name)) for name in (b"A ", b"B ")]
    assert keys(sequence(0x00400275, *items, item(b""))) == {
        "RequestAttributesSequence.ScheduledProcedureStepID": "A\\B"
    }
    assert keys(sequence(0x00400275)) == {}


def test_the_last_of_two_equal_elements_wins_as_in_pydicom():
    assert keys(explicit(0x00100020, "LO", b"A "), explicit(0x00100020, "LO", b"B ")) == {"PatientID": "B"}


def test_bytes_in_a_wanted_element_are_no_text():
    assert keys(explicit(0x00100020, "OB", b"\1\2\3\4")) == {}
    assert keys(explicit(0x00280010, "FD", struct.pack("<d", 1.5))) == {"Rows": "1.5"}


def test_a_value_over_1_kib_is_no_key():
    assert keys(explicit(0x00104000, "LT", b"x" * 2000), explicit(0x00100020, "LO", b"A ")) == {
        "PatientID": "A"
    }


def test_text_of_any_attribute():
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + explicit(0x00104000, "LT", "Größe".encode("latin-1"))
    header = read_header(data + explicit(0x00280030, "DS", b"0.5\\0.5 "), transfer_syntax=EXPLICIT_LITTLE)
    assert header.text("PixelSpacing") == "0.5\\0.5"
    assert header.text("PatientComments") == "Größe"
    assert header.text("SliceThickness") is None
    assert header.text("NoSuchKeyword") is None


SIMPLE = [name for name in NAMES if "." not in name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [p for p in real_files() if p.suffix == ".dcm"][:120], ids=lambda p: p.name)
def test_keys_of_real_files_are_what_pydicom_says(path):
    try:
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
    except pydicom.errors.InvalidDicomError:
        pytest.skip("pydicom wants force")
    header = read_header(path.read_bytes())
    found = header.index_keys()
    assert Header.unpack(header.raw, transfer_syntax=header.transfer_syntax).index_keys() == found
    for name in SIMPLE:
        element = data_set.get(name)
        if element is None and name not in data_set:
            assert name not in found
            continue
        if data_set[name].VM > 1:
            theirs = "\\".join(str(v).strip() for v in data_set[name].value)
        else:
            theirs = str(element if element is not None else "").strip()
        assert found[name].rstrip("=") == theirs, name
