"""DICOM JSON of headers (PS3.18 Annex F)."""

import base64
import json
import struct

import pydicom
import pytest
from encoded import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    explicit,
    fragments,
    item,
    known_sequence,
    part10,
    real_files,
    sequence,
)
from hypothesis import given
from hypothesis import strategies as st
from pydicom.errors import InvalidDicomError

from isocenter.dicom.header import Header, read_header
from isocenter.dicom.json_model import to_json, to_json_bytes


def json_of(*elements, syntax=EXPLICIT_LITTLE, **options):
    return to_json(read_header(b"".join(elements), transfer_syntax=syntax), **options)


def value_of(vr, value, tag=0x00091001):
    return json_of(explicit(tag, vr, value))[f"{tag:08X}"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1.5 ", [1.5]), (b" -0.25", [-0.25]), (b"512", [512]), (b"1e3", [1000.0]), (b"0.1", [0.1]),
        (b"1\\2.5\\", [1, 2.5, None]), (b"1234567890.12345", [1234567890.12345]), (b"+7", [7]), (b"007", [7]),
        (b"0.33333333333333", [0.33333333333333]), (b"9007199254740993", ["9007199254740993"]),
        (b"9007199254740992", [9007199254740992]), (b"nan", ["nan"]), (b"inf", ["inf"]), (b"1,5", ["1,5"]),
        (b"1_000", ["1_000"]), (b"1e400", ["1e400"]), (b"5 mm", ["5 mm"]),
    ],
)  # fmt: skip
def test_decimals_are_numbers_when_they_are_exactly_that(text, value):
    assert value_of("DS", text) == {"vr": "DS", "Value": value}


@given(st.decimals(allow_nan=False, allow_infinity=False).map(str).filter(lambda t: len(t) <= 16))
def test_a_number_says_exactly_what_the_decimal_said(text):
    from decimal import Decimal

    (number,) = value_of("DS", text.encode())["Value"]
    assert Decimal(number if isinstance(number, str) else repr(number)) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"12 ", [12]),
        (b"-3\\4", [-3, 4]),
        (b"1.0", ["1.0"]),
        (b"many", ["many"]),
        (b"1_0", ["1_0"]),
        (b"\\", None),
    ],
)
def test_integers(text, value):
    assert value_of("IS", text) == ({"vr": "IS", "Value": value} if value else {"vr": "IS"})


@pytest.mark.parametrize("vr", ["AE", "CS", "DA", "DS", "IS", "LO", "LT", "PN", "UI", "US", "FD", "AT"])
def test_empty_values_have_no_value(vr):
    assert value_of(vr, b"") == {"vr": vr}


def test_blank_text_is_empty_and_empty_values_among_others_are_null():
    assert value_of("LO", b"  ") == {"vr": "LO"}
    assert value_of("LO", b"A\\ \\B ") == {"vr": "LO", "Value": ["A", None, "B"]}
    assert value_of("PN", b"Doe^J\\\\") == {"vr": "PN", "Value": [{"Alphabetic": "Doe^J"}, None, None]}


def test_text_of_one_value_keeps_its_backslashes_and_leading_blanks():
    assert value_of("LT", b"  a\\b  ") == {"vr": "LT", "Value": ["  a\\b"]}


def test_names_by_their_component_groups():
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    found = json_of(explicit(0x00080005, "CS", b"ISO_IR 192"), explicit(0x00100010, "PN", name.encode()))
    assert found["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    ]
    assert value_of("PN", b"=A==") == {"vr": "PN", "Value": [{"Ideographic": "A", "Phonetic": "="}]}


def test_binary_numbers_in_both_byte_orders():
    for order, syntax in (("<", EXPLICIT_LITTLE), (">", EXPLICIT_BIG)):
        found = json_of(
            explicit(0x00080018, "UI", b"1.2\0", order=order),
            explicit(0x00280010, "US", struct.pack(order + "H", 512), order=order),
            explicit(0x00281101, "SS", struct.pack(order + "3h", -1, 0, 16), order=order),
            explicit(0x00280009, "AT", struct.pack(order + "4H", 0x18, 0x1063, 0xFFFE, 0xE000), order=order),
            explicit(0x00409225, "FD", struct.pack(order + "d", 0.1), order=order),
            explicit(0x7FE00001, "OV", struct.pack(order + "Q", 258), order=order),
            syntax=syntax,
        )
        assert found["00280010"] == {"vr": "US", "Value": [512]}
        assert found["00281101"] == {"vr": "SS", "Value": [-1, 0, 16]}
        assert found["00280009"] == {"vr": "AT", "Value": ["00181063", "FFFEE000"]}
        assert found["00409225"] == {"vr": "FD", "Value": [0.1]}
        assert base64.b64decode(found["7FE00001"]["InlineBinary"]) == struct.pack("<Q", 258)


def test_numbers_that_json_cannot_hold_are_strings():
    special = struct.pack("<3d", float("nan"), float("inf"), float("-inf"))
    assert value_of("FD", special)["Value"] == ["NaN", "Infinity", "-Infinity"]
    assert value_of("UV", struct.pack("<2Q", 7, 2**60))["Value"] == [7, str(2**60)]
    assert json.loads(to_json_bytes(read_header(explicit(0x00409225, "FD", special[:8])))) == {
        "00409225": {"vr": "FD", "Value": ["NaN"]}
    }


def test_numbers_that_are_cut_are_told_as_bytes():
    header = read_header(explicit(0x00280010, "US", b"\1\2\3"), transfer_syntax=EXPLICIT_LITTLE)
    assert to_json(header)["00280010"] == {"vr": "UN", "InlineBinary": "AQID"}
    assert header.problems == ("(0028,0010) does not fit its VR",)


def test_bytes_inline_up_to_1_kib_and_by_reference_beyond():
    small, large = explicit(0x00091001, "OB", b"\0\1" * 512), explicit(0x00091002, "OB", b"\0\1" * 513)
    found = json_of(small, large)
    assert base64.b64decode(found["00091001"]["InlineBinary"]) == b"\0\1" * 512
    assert found["00091002"] == {"vr": "OB", "BulkDataURI": f"?offset={len(small) + 12}&length=1026"}
    assert value_of("UN", b"ab") == {"vr": "UN", "InlineBinary": "YWI="}


@pytest.mark.parametrize("vr", ["UT", "LT", "DS", "UC", "US"])
def test_any_large_value_is_by_reference(vr):
    head = 12 if vr in ("UT", "UC") else 8
    assert value_of(vr, b"1\\" * 600) == {"vr": vr, "BulkDataURI": f"?offset={head}&length=1200"}


def test_the_uri_is_the_callers():
    found = json_of(
        explicit(0x00091002, "OB", bytes(2000)), bulk_uri=lambda e: f"../bulk/{e.tag:08x}/{e.offset}"
    )
    assert found["00091002"]["BulkDataURI"] == "../bulk/00091002/12"


def test_pixel_data_is_by_reference():
    native = json_of(explicit(0x7FE00010, "OW", bytes(8)))
    assert native == {"7FE00010": {"vr": "OW", "BulkDataURI": "?offset=12&length=8"}}
    assert json_of(fragments(b"ab")) == {"7FE00010": {"vr": "OB", "BulkDataURI": "?offset=12"}}
    assert json_of(explicit(0x7FE00010, "OW")) == {"7FE00010": {"vr": "OW"}}


def test_offsets_are_those_of_the_stored_file():
    file = part10(explicit(0x00091002, "OB", bytes(2000)))
    header = read_header(file)
    stored = Header.unpack(
        header.raw, transfer_syntax=EXPLICIT_LITTLE, data_set_offset=header.data_set_offset + 100
    )
    assert to_json(stored)["00091002"]["BulkDataURI"] == f"?offset={len(file) - 2000 + 100}&length=2000"


def test_sequences_and_group_lengths():
    inner = explicit(0x00081150, "UI", b"1.2\0")
    found = json_of(
        explicit(0x00080000, "UL", bytes(4)),
        sequence(0x00081110, item(explicit(0x00080000, "UL", bytes(4)) + inner), item(b"")),
        known_sequence(0x00081115),
    )
    assert found == {
        "00081110": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "00081115": {"vr": "SQ"},
    }


def test_text_is_unicode_and_says_so():
    latin = explicit(0x00080005, "CS", b"ISO_IR 100"), explicit(0x00100010, "PN", "Jérôme".encode("latin-1"))
    unicode = {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert json_of(*latin) == {
        "00080005": unicode,
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Jérôme"}]},
    }
    assert list(json_of(latin[1])) == ["00080005", "00100010"]
    assert "00080005" not in json_of(explicit(0x00100010, "PN", b"Doe "))
    assert json_of(latin[1], assume_charset="ISO_IR 101")["00080005"] == unicode
    inside = sequence(0x00081110, item(b"".join(latin)))
    assert json_of(inside)["00081110"]["Value"][0]["00080005"] == unicode


def test_text_with_the_characters_of_json_itself():
    header = read_header(explicit(0x00100020, "LO", b'a"b\x01/\x7f '), transfer_syntax=EXPLICIT_LITTLE)
    assert json.loads(to_json_bytes(header)) == {"00100020": {"vr": "LO", "Value": ['a"b\x01/\x7f']}}


# The last value is cut off: pydicom gives the part that is there, we leave it out.
EXCUSED = {"rtplan_truncated.dcm": ["/300A00B0/300A0111/300A012C"]}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [p for p in real_files() if p.suffix == ".dcm"], ids=lambda p: p.name)
def test_real_files_say_what_pydicom_says(path):
    try:
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
        theirs = data_set.to_json_dict(1024, lambda element: "elsewhere")
    except (InvalidDicomError, ValueError) as error:
        pytest.skip(f"pydicom cannot write its JSON: {type(error).__name__}")
    header = read_header(path.read_bytes())
    ours = json.loads(to_json_bytes(header))
    big = header.transfer_syntax == EXPLICIT_BIG
    assert differences(ours, theirs, big) == EXCUSED.get(path.name, [])


def matters(tag):
    """pydicom has no Pixel Data here, keeps group lengths, and tells of character sets that are gone."""
    return tag[:4] != "7FE0" and tag[4:] != "0000" and tag != "00080005"


def differences(ours, theirs, big, path=""):
    """Where two documents differ beyond what the standard leaves open."""
    wrong = [f"{path}/{tag}" for tag in ours.keys() ^ theirs.keys() if matters(tag)]
    for tag in filter(matters, ours.keys() & theirs.keys()):
        one, other = ours[tag], theirs[tag]
        if one["vr"] == "SQ":
            for a, b in zip(one.get("Value", []), other.get("Value", []), strict=True):
                wrong += differences(a, b, big, f"{path}/{tag}")
        elif not same(one, other, tag, big):
            wrong.append(f"{path}/{tag}: {one} {other}")
    return wrong


def same(one, other, tag, big):
    if int(tag[:4], 16) & 1 and one["vr"] in ("UN", "LO"):
        return True  # pydicom's dictionary of private attributes; see test_header_against_pydicom
    if "BulkDataURI" in one or "BulkDataURI" in other:
        # pydicom measures the value as Python holds it, we measure the bytes in the file.
        return True
    if "InlineBinary" in one:
        theirs = base64.b64decode(other["InlineBinary"])
        if big and one["vr"] == "OW":
            # Bulk data is little endian (PS3.18 F.2.7); pydicom leaves the bytes as they are.
            theirs = b"".join(theirs[i : i + 2][::-1] for i in range(0, len(theirs), 2))
        return base64.b64decode(one["InlineBinary"]) == theirs
    return one["vr"] == other["vr"] and plain(one.get("Value")) == plain(other.get("Value"))


def plain(values):
    """Numbers by their value, names without empty groups, empty as nothing."""
    found = []
    for value in values or []:
        if isinstance(value, dict):
            found.append({k: v for k, v in value.items() if v} or None)
        elif isinstance(value, str):
            found.append(value.strip() or None)
        else:
            found.append(value)
    return found if any(v is not None for v in found) else []
