"""The head of a stored object and the names of objects."""

from __future__ import annotations

import io

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.objects.conftest import CT, SYNTAX

from isocenter.errors import Damaged
from isocenter.objects.part10 import HEAD_SIZE, Provenance, build_head, file_digest, measure, parse_head
from isocenter.objects.paths import checked, is_named_by, object_path

DIGEST = "ab" * 32


def test_pydicom_reads_what_we_write(provenance: Provenance) -> None:
    data_set = b"\x08\x00\x18\x00UI\x06\x001.2.3\x00"
    read = pydicom.dcmread(io.BytesIO(build_head(CT, "1.2.3", SYNTAX, provenance) + data_set))
    assert read.preamble == bytes(128)
    assert read.SOPInstanceUID == "1.2.3"
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.MediaStorageSOPClassUID == CT
    assert read.file_meta.TransferSyntaxUID == SYNTAX
    assert read.file_meta.FileMetaInformationGroupLength == HEAD_SIZE - 144


def test_where_an_object_came_from_is_read_back(provenance: Provenance) -> None:
    head = parse_head(build_head(CT, "1.2.3", SYNTAX, provenance))
    assert (head.sop_class, head.sop_instance, head.transfer_syntax) == (CT, "1.2.3", SYNTAX)
    assert head.provenance == provenance


_texts = st.text(max_size=200)


@given(
    st.builds(Provenance, _texts, _texts, _texts, st.integers(0, 2**63)),
    _texts,
)
def test_a_head_always_fits_whatever_senders_call_themselves(provenance: Provenance, uid: str) -> None:
    raw = build_head(uid, uid, uid, provenance)
    assert len(raw) == HEAD_SIZE
    assert parse_head(raw).provenance.received == provenance.received


@given(st.binary(max_size=HEAD_SIZE + 10))
def test_any_other_start_is_damaged(raw: bytes) -> None:
    with pytest.raises(Damaged):
        parse_head(raw)


@given(st.integers(0, HEAD_SIZE - 1), st.integers(1, 255))
def test_a_broken_head_is_damaged_or_read_never_a_crash(at: int, flip: int) -> None:
    raw = bytearray(build_head(CT, "1.2.3", SYNTAX, Provenance("A", "B")))
    raw[at] ^= flip
    try:
        parse_head(bytes(raw))
    except Damaged:
        return
    assert raw[:128] == bytes(128)


def test_the_file_digest_notices_a_change_of_any_byte(provenance: Provenance) -> None:
    whole = build_head(CT, "1.2.3", SYNTAX, provenance) + b"the data set"
    _, identity, digest = measure(io.BytesIO(whole))
    assert digest == file_digest(whole[:HEAD_SIZE], bytes.fromhex(identity))
    for at in (140, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        assert measure(io.BytesIO(bytes(changed)))[2] != digest


def test_a_path_is_made_of_the_uids_and_the_digest() -> None:
    assert object_path("1.2", "1.3", "1.4", DIGEST) == "1.2/1.3/1.4.abababab.dcm"
    assert object_path("1.2", "1.3", "1.4", DIGEST, digits=16) == f"1.2/1.3/1.4.{'ab' * 8}.dcm"
    assert is_named_by("1.2/1.3/1.4.abababab.dcm", DIGEST)
    assert not is_named_by("1.2/1.3/1.4.abababac.dcm", DIGEST)


@given(_texts, _texts, _texts)
def test_no_sender_chooses_a_path(study: str, series: str, sop: str) -> None:
    path = object_path(study, series, sop, DIGEST)
    assert checked(path) == path
    assert len(path.split("/")) == 3


@pytest.mark.parametrize(
    "uid", ["..", "../../etc", "1.2/3", "", "1.02", "1." + "2" * 64, "ABC", "1.2\0", " 1.2"]
)
def test_what_is_no_uid_goes_under_its_hash(uid: str) -> None:
    study = object_path(uid, "1.3", "1.4", DIGEST).split("/")[0]
    assert study.startswith("h-")
    assert study == object_path(uid, "1.9", "1.4", DIGEST).split("/")[0]
    assert study != object_path(uid + "x", "1.3", "1.4", DIGEST).split("/")[0]


def test_the_longest_names_fit() -> None:
    worst = Provenance("\1" * 99, "\1" * 99, "\1" * 99, 2**63)
    uid = "1." + "2" * 100
    raw = build_head(uid, uid, uid, worst)
    assert len(raw) == HEAD_SIZE
    assert parse_head(raw).provenance.source_aet == "\1" * 32
