"""An open file in, an open file out: the same bytes as by path; nothing of what is kept back."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.deid import Deidentifier, Key
from isocenter.deid.files import End
from isocenter.deid.policies import Policies, Uncleared

KEY = Key(bytes(range(32)))
NAMES = ["CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "image_dfl.dcm", "rtplan.dcm"]


def known(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_are_those_of_a_file(name: str, tmp_path: Path) -> None:
    deid = Deidentifier(KEY, policies=Policies(uncleared=Uncleared.KEEP))
    whole = deid.file(known(name), tmp_path / "out.dcm")
    with known(name).open("rb") as source, SpooledTemporaryFile() as sink:
        done = deid.stream(source, sink)  # type: ignore[arg-type]
        assert sink.tell() == (tmp_path / "out.dcm").stat().st_size
        sink.seek(0)
        assert sink.read() == (tmp_path / "out.dcm").read_bytes()
    assert (done.end, done.sop_instance, done.examined) == (End.OUT, whole.sop_instance, whole.examined)


@pytest.mark.parametrize("make", [io.BytesIO, TemporaryFile, partial(SpooledTemporaryFile, 16)])
def test_any_file_that_can_be_sought_in_will_do(make: object) -> None:
    source = io.BytesIO(known("CT_small.dcm").read_bytes())
    with make() as sink:  # type: ignore[operator]
        assert Deidentifier(KEY).stream(source, sink).end is End.OUT
        sink.seek(0)
        assert pydicom.dcmread(sink).PatientIdentityRemoved == "YES"
    assert not source.closed


@pytest.mark.parametrize(("told", "end"), [(b"", End.SKIPPED), (b"no DICOM at all", End.SKIPPED)])
def test_what_is_no_dicom_leaves_nothing(told: bytes, end: End) -> None:
    sink = io.BytesIO()
    assert Deidentifier(KEY).stream(io.BytesIO(told), sink).end is end
    assert sink.getvalue() == b""


def test_what_is_kept_back_leaves_nothing() -> None:
    dataset = pydicom.dcmread(known("CT_small.dcm"))
    dataset.BurnedInAnnotation = "YES"
    source, sink = io.BytesIO(), io.BytesIO()
    dataset.save_as(source)
    done = Deidentifier(KEY).stream(source, sink)
    assert done.end is End.QUARANTINED
    assert "pixels are not cleared" in done.reason
    assert sink.getvalue() == b""
