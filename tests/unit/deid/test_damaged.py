"""Whatever is done to a file, it ends in one of three ways, and what comes out never holds a planted name."""

from __future__ import annotations

import io
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.unit.deid.canary import CT, rows

from isocenter.datasets.phantoms import Subject, ct
from isocenter.deid import Deidentifier, Key
from isocenter.deid.files import End
from isocenter.deid.plan import vr_of

NAME = b"CANARY"
DEID = Deidentifier(Key(bytes(range(32))))
TEXTS = {"LO", "SH", "PN", "ST", "LT", "UT", "UC", "OB", "UN"}


def planted() -> bytes:
    """A CT with a name in every text of Table E.1-1, in a sequence too, and in places outside of it."""
    dataset = next(ct(Subject(), slices=1, size=16))
    texts: list[DataElement] = []
    for tag in rows():
        vr = vr_of(tag).split(" ")[0]
        if vr in TEXTS and tag >> 16 < 0x7FE0 and tag != 0x00420011:
            texts.append(DataElement(tag, vr, NAME if vr in ("OB", "UN") else NAME.decode()))
    inner = Dataset()
    for element in texts:
        dataset.add(element)
        inner.add(element)
    dataset.add(DataElement(0x00082218, "SQ", Sequence([inner])))
    dataset.private_block(0x0029, "CANARY MAKER", create=True).add_new(1, "LO", "CANARY")
    dataset.file_meta.SourceApplicationEntityTitle = NAME.decode()
    dataset.preamble = NAME.ljust(128, b".")
    dataset.SOPClassUID = CT
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


WHOLE = planted()


def put_through(data: bytes) -> tuple[End, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(data)
        done = DEID.file(source, target)
        return done.end, target.read_bytes() if target.exists() else b""


def test_the_whole_file_comes_out_without_the_name() -> None:
    assert WHOLE.count(NAME) > 400
    end, out = put_through(WHOLE)
    assert end is End.OUT
    assert NAME not in out


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cut=st.integers(0, len(WHOLE)))
def test_a_file_cut_anywhere(cut: int) -> None:
    end, out = put_through(WHOLE[:cut])
    assert bool(out) is (end is End.OUT)
    assert NAME not in out


@settings(max_examples=80, deadline=None, derandomize=True)
@given(at=st.integers(132, len(WHOLE) - 600), changed=st.binary(min_size=1, max_size=4))
def test_bytes_changed_anywhere(at: int, changed: bytes) -> None:
    end, out = put_through(WHOLE[:at] + changed + WHOLE[at + len(changed) :])
    assert bool(out) is (end is End.OUT)
    assert NAME not in out


@pytest.mark.parametrize("seed", range(3))
def test_noise(seed: int) -> None:
    noise = random.Random(seed).randbytes(2000)
    assert put_through(noise)[0] is not End.OUT
    assert put_through(bytes(128) + b"DICM" + noise)[0] is not End.OUT
