"""An instance as a seekable file over HTTP: what is read, and how little of it is fetched."""

from __future__ import annotations

import io
import random
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.client.resources import resource_of
from isocenter.errors import BadRequest, Conflict, NotFound

FRAMES, SIDE = 80, 256


def large() -> pydicom.Dataset:
    """An enhanced CT of 10 MB, every frame of another value."""
    image = pydicom.dcmread(get_testdata_file("eCT_Supplemental.dcm"))
    groups = list(image.PerFrameFunctionalGroupsSequence)
    image.PerFrameFunctionalGroupsSequence = [groups[n % len(groups)] for n in range(FRAMES)]
    image.NumberOfFrames, image.Rows, image.Columns = FRAMES, SIDE, SIDE
    values = np.repeat(np.arange(FRAMES, dtype="<u2"), SIDE * SIDE)
    image.PixelData = values.tobytes()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return image


@pytest.fixture(scope="module")
def uid(real: Any) -> str:
    image = large()
    real.store(image, progress=False).raise_for_failures()
    return str(image.SOPInstanceUID)


@pytest.fixture
def stored(real: Any, uid: str) -> Any:
    return resource_of(real, "instance", uid)


@pytest.mark.parametrize(
    "how", [{}, {"block": 100_001, "memory": 300_000}, {"block": 1 << 30}, {"block": 7000}]
)
def test_it_reads_like_any_binary_file(stored, web, how):
    told = web.get(stored.path, headers={"Accept": "application/dicom; transfer-syntax=*"}).content
    with stored.open(**how) as file, stored.open(**how) as again:
        assert file.read() == told
        assert (file.size, file.read(1), file.tell()) == (len(told), b"", len(told))
        dice = random.Random(4)
        for _ in range(100):
            start, size = dice.randrange(len(told)), dice.choice((1, 100, 70_000, 300_000))
            assert again.seek(start) == start
            assert again.read(size) == told[start : start + size]
        assert again.seek(-4, io.SEEK_END) == len(told) - 4
        buffer = bytearray(10)
        assert (again.readinto(buffer), bytes(buffer[:4])) == (4, told[-4:])
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_pydicom_reads_a_header_without_the_pixels(stored):
    with stored.open() as file:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        assert header.NumberOfFrames == FRAMES
        assert file.size > 10_000_000
        assert file.transferred < 1_000_000


def test_pydicom_reads_a_deferred_value_when_it_is_asked_for(stored):
    with stored.open() as file:
        image = pydicom.dcmread(file, defer_size=100_000)
        before = file.transferred
        assert before < 1_000_000
        assert len(image.PixelData) == FRAMES * SIDE * SIDE * 2
        assert file.transferred > 10_000_000


def test_highdicom_reads_one_frame_and_fetches_little_more(stored):
    with stored.open() as file:
        image = highdicom.imread(file, lazy_frame_retrieval=True)
        assert (image.get_stored_frame(60) == 59).all()
        assert file.transferred < 1_500_000


def test_highdicom_reads_a_segmentation_as_the_error_of_volume_says(real):
    path = get_testdata_file("liver_1frame.dcm")
    real.store(path, progress=False).raise_for_failures()
    one = resource_of(real, "instance", str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID))
    with pytest.raises(BadRequest, match=r"1 bit.*segread\(instance\.open\(\)\)"):
        one.volume(progress=False)
    with one.open() as file:
        assert highdicom.seg.segread(file).segment_numbers


def test_reading_to_the_end_takes_few_requests(stored):
    with stored.open() as file:
        while file.read(100_000):
            pass
        assert file.requests < 20
        assert file.transferred == file.size


def test_memory_is_bounded(stored):
    with stored.open(memory=1 << 20) as file:
        file.read()
        assert sum(map(len, file._blocks.values())) <= 1 << 20


def test_what_is_not_there_is_said_when_it_is_opened(real):
    with pytest.raises(NotFound):
        resource_of(real, "instance", "1.9.9").open()


def test_an_object_that_is_replaced_meanwhile_is_not_mixed_with_its_successor(stored):
    with stored.open() as file:
        file.etag = '"another"'
        file.seek(5_000_000)
        with pytest.raises(Conflict, match="replaced"):
            file.read(10)
