"""Data sets as senders write them, by the standard and against it, byte by byte."""

import struct
import zlib

import pytest
from encoded import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    explicit,
    implicit,
    item,
    known_sequence,
    open_item,
    part10,
    sequence,
)

from isocenter.dicom.header import Limits, UnreadableHeader, read_header

UID = explicit(0x00080018, "UI", b"1.2.3\0")
NAME = explicit(0x00100010, "PN", b"Doe^Jane")
STUDY, REQUEST = 0x00081110, 0x00400275


def said(data, syntax=EXPLICIT_LITTLE):
    """(tag, VR, value or items) of all elements."""
    return plain(read_header(data, transfer_syntax=syntax).elements())


def plain(elements):
    return [(e.tag, e.vr, e.value if e.items is None else [plain(i) for i in e.items]) for e in elements]


UID_SAID = (0x00080018, "UI", b"1.2.3\0")
NAME_SAID = (0x00100010, "PN", b"Doe^Jane")


def test_items_and_sequences_of_known_and_unknown_length_say_the_same():
    forms = [
        make(STUDY, wrap(UID), wrap(b"")) for make in (sequence, known_sequence) for wrap in (item, open_item)
    ]
    for form in forms:
        assert said(form + NAME) == [(STUDY, "SQ", [[UID_SAID], []]), NAME_SAID]


def test_empty_sequences():
    assert said(known_sequence(STUDY) + sequence(REQUEST)) == [(STUDY, "SQ", []), (REQUEST, "SQ", [])]


def test_unknown_vr_of_undefined_length_is_a_sequence_in_implicit_vr():
    inner = implicit(0x00080018, b"1.2.3\0")
    for tag in (STUDY, 0x00091001):
        unknown = explicit(tag, "UN", item(inner) + implicit(SEQUENCE_END), UNDEFINED)
        assert said(unknown + NAME) == [(tag, "SQ", [[UID_SAID]]), NAME_SAID]


def test_unknown_vr_of_a_known_attribute_is_read_by_the_dictionary_in_little_endian():
    rows = explicit(0x00280010, "UN", struct.pack("<H", 512), order=">")
    header = read_header(
        explicit(0x00080018, "UI", b"1.2.3\0", order=">") + rows, transfer_syntax=EXPLICIT_BIG
    )
    assert header.index_keys() == {"SOPInstanceUID": "1.2.3", "Rows": "512"}
    study = explicit(STUDY, "UN", item(implicit(0x00080018, b"1.2.3\0")))
    assert said(study) == [(STUDY, "SQ", [[UID_SAID]])]


def test_big_endian():
    data = explicit(0x00280010, "US", struct.pack(">H", 512), order=">")
    inner = struct.pack(">HHI", 0xFFFE, 0xE000, len(data)) + data
    data += explicit(REQUEST, "SQ", inner, order=">")
    header = read_header(data, transfer_syntax=EXPLICIT_BIG)
    rows, request = header.elements()
    assert (rows.vr, rows.value, rows.big_endian) == ("US", b"\x02\x00", True)
    assert request.items[0][0].value == b"\x02\x00"
    assert header.text("Rows") == "512"


def test_a_sequence_may_fall_into_implicit_vr():
    inner = implicit(0x00080018, b"1.2.3\0") + implicit(0x00100010, b"Doe^Jane")
    header = read_header(sequence(STUDY, item(inner)) + NAME, transfer_syntax=EXPLICIT_LITTLE)
    assert plain(header.elements()) == [(STUDY, "SQ", [[UID_SAID, NAME_SAID]]), NAME_SAID]
    assert "no valid VR" in header.problems[0]


@pytest.mark.parametrize("letters", ["??", "ZZ", "  "])
def test_wrong_letters_of_a_short_value(letters):
    wrong = struct.pack("<HH2sH", 0x10, 0x10, letters.encode(), 8) + b"Doe^Jane"
    header = read_header(UID + wrong + UID, transfer_syntax=EXPLICIT_LITTLE)
    assert plain(header.elements()) == [UID_SAID, NAME_SAID, UID_SAID]
    assert header.problems == ("(0010,0010) has no valid VR (offset 14)",)


def test_a_vr_of_the_future_has_a_long_length():
    future = struct.pack("<HH2sxxI", 0x0011, 0x1001, b"XY", 4) + b"1234"
    assert said(UID + future + NAME) == [UID_SAID, (0x00111001, "UN", b"1234"), NAME_SAID]


def test_implicit_vr_by_the_dictionary():
    data = b"".join(
        [
            implicit(0x00080000, struct.pack("<I", 4)),
            implicit(0x00090010, b"ACME"),
            implicit(0x00091001, b"\1\2"),
            implicit(0x00280103, struct.pack("<H", 1)),
            implicit(0x00280106, struct.pack("<h", -5)),
            implicit(0x60000010, struct.pack("<H", 7)),
            implicit(0x60023000, b"\1\2"),
            implicit(0x00289999, b"ab"),
        ]
    )
    assert [(f"{tag:08X}", vr) for tag, vr, _ in said(data, IMPLICIT_LITTLE)] == [
        ("00080000", "UL"), ("00090010", "LO"), ("00091001", "UN"), ("00280103", "US"), ("00280106", "SS"),
        ("60000010", "US"), ("60023000", "OW"), ("00289999", "UN"),
    ]  # fmt: skip


def test_signed_or_not_is_told_by_the_data_set_around_the_item():
    def lut(first):
        return implicit(0x00283000, item(implicit(0x00283002, struct.pack("<3h", 0, first, 16))))

    signed, unsigned = (implicit(0x00280103, struct.pack("<H", sign)) for sign in (1, 0))
    for data, vr in ((signed + lut(-5), "SS"), (unsigned + lut(5), "US"), (lut(5), "US")):
        sequence_said = said(implicit(0x00080018, b"1.2.3\0") + data, IMPLICIT_LITTLE)[-1]
        assert sequence_said[2][0][0][:2] == (0x00283002, vr)


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_without_preamble_and_meta_the_syntax_is_seen(syntax):
    order = ">" if syntax == EXPLICIT_BIG else "<"
    data = explicit(0x00080018, "UI", b"1.2.3\0", order=order)
    if syntax == IMPLICIT_LITTLE:
        data = implicit(0x00080018, b"1.2.3\0")
    header = read_header(data)
    assert (header.transfer_syntax, header.data_set_offset, header.meta) == (syntax, 0, {})
    assert header.text("SOPInstanceUID") == "1.2.3"


def test_meta_without_preamble():
    file = part10(UID)
    for start in (128, 132):
        header = read_header(file[start:])
        assert header.meta == {"TransferSyntaxUID": EXPLICIT_LITTLE}
        assert header.text("SOPInstanceUID") == "1.2.3"
        assert header.data_set_offset == len(file) - len(UID) - start


def test_meta_that_names_the_wrong_syntax():
    header = read_header(part10(UID + NAME, IMPLICIT_LITTLE))
    assert header.transfer_syntax == EXPLICIT_LITTLE
    assert header.text("PatientName") == "Doe^Jane"
    assert "not written in its transfer syntax" in header.problems[0]


def test_private_information_of_the_meta_group_is_kept_byte_for_byte():
    information = explicit(0x00020102, "OB", b'{"a": 1}\0\xff')
    syntax = explicit(0x00020010, "UI", EXPLICIT_LITTLE.encode() + b"\0")
    meta = read_header(bytes(128) + b"DICM" + syntax + information + UID).meta
    assert meta["PrivateInformation"].encode("latin-1") == b'{"a": 1}\0\xff'


def test_odd_lengths_and_padding_after_the_data_set():
    odd = explicit(0x00100020, "LO", b"ABC")
    header = read_header(UID + odd + NAME + b"\0\0\0", transfer_syntax=EXPLICIT_LITTLE)
    assert plain(header.elements()) == [UID_SAID, (0x00100020, "LO", b"ABC"), NAME_SAID]
    assert header.problems == ("3 bytes are left over (offset 41)",)
    padded = read_header(UID + bytes(4096), transfer_syntax=EXPLICIT_LITTLE)
    assert plain(padded.elements()) == [UID_SAID]
    assert len(padded.problems) == 2


@pytest.mark.parametrize("cut", range(1, 15))
def test_an_element_that_is_cut_off_is_left_out(cut):
    header = read_header((UID + NAME)[:-cut], transfer_syntax=EXPLICIT_LITTLE)
    assert plain(header.elements()) == [UID_SAID]
    assert header.problems


def test_an_item_that_lies_about_its_length_does_not_spoil_what_follows():
    long_inside = known_sequence(STUDY, item(explicit(0x00081030, "LO", b"abcd", 200)))
    header = read_header(UID + long_inside + NAME, transfer_syntax=EXPLICIT_LITTLE)
    assert plain(header.elements()) == [UID_SAID, (STUDY, "SQ", [[]]), NAME_SAID]
    long_item = known_sequence(STUDY, item(UID, 4000))
    assert said(long_item + NAME) == [(STUDY, "SQ", [[UID_SAID]]), NAME_SAID]


def test_missing_and_surplus_delimiters():
    unended = implicit(0xFFFEE000, UID, UNDEFINED)
    assert said(sequence(STUDY, unended) + NAME) == [(STUDY, "SQ", [[UID_SAID]]), NAME_SAID]
    two = said(sequence(STUDY, unended, item(NAME)) + NAME)
    assert two == [(STUDY, "SQ", [[UID_SAID], [NAME_SAID]]), NAME_SAID]
    surplus = sequence(STUDY, item(UID) + implicit(ITEM_END)) + implicit(ITEM_END) + implicit(SEQUENCE_END)
    assert said(surplus + NAME) == [(STUDY, "SQ", [[UID_SAID]]), NAME_SAID]


def test_nesting_has_a_limit():
    data = UID
    for _ in range(64):
        data = sequence(STUDY, open_item(data))
    assert len(said(data)) == 1
    with pytest.raises(UnreadableHeader, match="deeper than 64"):
        read_header(sequence(STUDY, open_item(data)), transfer_syntax=EXPLICIT_LITTLE)


def test_small_sequences_cannot_hide_deep_nesting():
    data = b""
    for _ in range(63):
        data = implicit(STUDY, item(data))
    assert len(data) <= 1024
    with pytest.raises(UnreadableHeader, match="deeper than 10"):
        read_header(data, transfer_syntax=IMPLICIT_LITTLE, limits=Limits(depth=10))


def test_the_number_of_elements_has_a_limit():
    with pytest.raises(UnreadableHeader, match="more than 1000 elements"):
        read_header(UID * 1001, transfer_syntax=EXPLICIT_LITTLE, limits=Limits(elements=1000))
    with pytest.raises(UnreadableHeader, match="more than 1000 elements"):
        read_header(
            sequence(STUDY, *[item(UID)] * 600), transfer_syntax=EXPLICIT_LITTLE, limits=Limits(elements=1000)
        )


def test_the_size_of_what_is_kept_has_a_limit():
    with pytest.raises(UnreadableHeader, match="larger than"):
        read_header(UID * 10_000, transfer_syntax=EXPLICIT_LITTLE, limits=Limits(header=50_000))


def deflate(data, wbits=-15):
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("wbits", [-15, 15], ids=["raw", "with the header of zlib"])
def test_deflated(wbits):
    big = explicit(0x00091001, "OB", bytes(300_000))
    header = read_header(part10(deflate(UID + big + NAME, wbits), DEFLATED))
    uid, private, name = header.elements()
    assert uid.offset == 8
    assert (private.value, private.offset, private.length) == (None, len(UID) + 12, 300_000)
    assert (name.value, name.offset) == (b"Doe^Jane", len(UID + big) + 8)
    assert header.index_keys() == {"SOPInstanceUID": "1.2.3", "PatientName": "Doe^Jane"}


def test_a_deflated_stream_that_breaks_off():
    packed = deflate(UID + NAME * 5000)
    header = read_header(part10(packed[: len(packed) // 2], DEFLATED))
    assert header.text("PatientName") == "Doe^Jane"


def test_a_deflated_bomb_is_refused():
    bomb = deflate(UID + explicit(0x00091001, "OB", bytes(200_000_000)))
    with pytest.raises(UnreadableHeader, match="inflates beyond its limit"):
        read_header(part10(bomb, DEFLATED))


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7 and more of it", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\3\4" * 9]
)
def test_what_is_no_dicom(data):
    with pytest.raises(UnreadableHeader):
        read_header(data)


def test_no_problem_ever_tells_a_value():
    secret = b"SECRET"
    broken = [
        UID + explicit(0x00100010, "PN", secret, 40000),
        UID + struct.pack("<HH2sH", 0x10, 0x10, b"??", 6) + secret,
        sequence(STUDY, secret),
        UID + secret,
    ]
    for data in broken:
        header = read_header(data, transfer_syntax=EXPLICIT_LITTLE)
        header.index_keys()
        assert header.problems
        assert not any("SECRET" in problem for problem in header.problems)
