"""UIDs: validity, keys, and what a transfer syntax or SOP class is."""

import pytest

from isocenter.dicom import uids


@pytest.mark.parametrize("uid", ["1.2", "1.2.840.10008.1.2", "2.25.0", "1." + "2" * 62])
def test_a_uid_of_the_standard_form_is_valid(uid):
    assert uids.is_valid_uid(uid)


@pytest.mark.parametrize(
    "uid",
    ["", "1", "1.", ".1", "1..2", "1.02", "1.2a", "1.2 ", "1.2\0", "1." + "2" * 63, "../1", "1.2\n", "1.٣"],
)
def test_anything_else_is_not(uid):
    assert not uids.is_valid_uid(uid)


def test_keys_are_signed_64_bit_stable_and_differ():
    assert uids.key_of("1.2.3") == -4824347287686108216
    keys = {uids.key_of(f"1.2.{n}") for n in range(1000)}
    assert len(keys) == 1000
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_a_broken_uid_with_undecodable_bytes_still_has_a_key():
    assert uids.key_of("1.2.\udcff") != uids.key_of("1.2.\udcfe")


def test_names_and_keywords_of_registered_uids():
    assert uids.name_of("1.2.840.10008.5.1.4.1.1.2") == "CT Image Storage"
    assert uids.uid_of("CTImageStorage") == "1.2.840.10008.5.1.4.1.1.2"
    assert uids.keyword_of("1.2.840.10008.1.2.5") == "RLELossless"
    assert uids.name_of("1.2.3") == "1.2.3"


def test_storage_classes_hold_every_iod_and_no_service():
    classes = set(uids.storage_classes())
    assert {uids.uid_of(k) for k in ("CTImageStorage", "EncapsulatedPDFStorage", "RTPlanStorage")} <= classes
    assert "1.2.840.10008.1.20.1" not in classes  # Storage Commitment
    assert "1.2.840.10008.1.1" not in classes  # Verification
    assert uids.MEDIA_STORAGE_DIRECTORY not in classes
    assert uids.is_storage_class("1.2.840.10008.5.1.4.1.1.3")  # retired ultrasound multi-frame


@pytest.mark.parametrize(
    ("syntax", "encapsulated", "lossless", "video"),
    [
        ("1.2.840.10008.1.2", False, True, False),
        ("1.2.840.10008.1.2.1.99", False, True, False),
        ("1.2.840.10008.1.2.4.50", True, False, False),
        ("1.2.840.10008.1.2.4.70", True, True, False),
        ("1.2.840.10008.1.2.4.81", True, False, False),
        ("1.2.840.10008.1.2.4.90", True, True, False),
        ("1.2.840.10008.1.2.4.94", False, False, False),
        ("1.2.840.10008.1.2.4.102.1", True, False, True),
        ("1.2.840.10008.1.2.4.108", True, False, True),
        ("1.2.840.10008.1.2.4.201", True, True, False),
        ("1.2.840.10008.1.2.5", True, True, False),
    ],
)
def test_what_a_transfer_syntax_is(syntax, encapsulated, lossless, video):
    assert uids.is_encapsulated(syntax) == encapsulated
    assert uids.is_lossless(syntax) == lossless
    assert uids.is_video(syntax) == video
    assert uids.is_transfer_syntax(syntax)


def test_byte_order_vr_and_deflate():
    assert uids.is_implicit_vr(uids.IMPLICIT_LITTLE_ENDIAN)
    assert uids.is_big_endian(uids.EXPLICIT_BIG_ENDIAN)
    assert uids.is_deflated(uids.DEFLATED_LITTLE_ENDIAN)
    assert uids.is_deflated("1.2.840.10008.1.2.4.95")
    assert not uids.is_deflated(uids.EXPLICIT_LITTLE_ENDIAN)


def test_padding_goes():
    assert uids.clean(" 1.2.3\0") == "1.2.3"
