"""No value of Table E.1-1 survives, at any depth; what comes out is a valid data set."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.unit.deid.canary import CT, canary, rows

from isocenter.deid.engine import Engine
from isocenter.deid.identifiers import Identifiers
from isocenter.deid.key import Key
from isocenter.deid.plan import vr_of
from isocenter.deid.policies import Documents, Policies
from isocenter.deid.profile import Profile

KEY = Key(bytes(range(32)))


def _engine() -> Engine:
    return Engine(Profile(), Identifiers(KEY), Policies(documents=Documents.DROP))


def values(dataset: Dataset, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], str, object]]:
    for element in dataset:
        here = (*path, int(element.tag))
        if element.VR == "SQ":
            for item in element.value:
                yield from values(item, here)
        else:
            yield here, element.VR, element.value


def reread(dataset: Dataset) -> Dataset:
    """As a reader of the file would see it: undecoded."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(stream.getvalue()))


@pytest.fixture(scope="module")
def source() -> Dataset:
    return reread(canary())


@pytest.fixture(scope="module")
def result(source: Dataset) -> Dataset:
    outcome = _engine().apply(source)
    assert outcome.quarantined == ""
    assert outcome.dataset is not None
    outcome.dataset.file_meta = source.file_meta
    return reread(outcome.dataset)


def test_the_canary_has_every_row_three_times(source: Dataset) -> None:
    there = {path for path, _, _ in values(source)}
    tags = [tag for tag in rows() if vr_of(tag) != "SQ"]
    assert len(tags) > 500
    for depth in range(3):
        assert len([path for path in there if len(path) == depth + 1 and path[-1] in tags]) >= len(tags)


def test_no_value_of_the_table_is_left_at_any_depth(source: Dataset, result: Dataset) -> None:
    numeric = {"US", "SS", "UL", "SL", "FL", "FD", "AT", "OF"}
    before = {
        str(value)
        for path, vr, value in values(source)
        if vr not in numeric and path[-1] not in (0x00080016,) and str(value) not in ("", CT)
    }
    left = [(path, value) for path, vr, value in values(result) if vr not in numeric and str(value) in before]
    assert left == []


def test_the_source_stays_as_it_is(source: Dataset) -> None:
    assert source == reread(canary())


def test_the_same_key_gives_the_same_bytes(source: Dataset) -> None:
    once, again = (_engine().apply(source).dataset for _ in range(2))
    assert once is not None
    assert once == again
