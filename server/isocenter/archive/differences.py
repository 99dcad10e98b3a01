"""Where index and catalog disagree about an instance, found part by part: a large dataset fits no memory.

A part is a range of study keys, which are hashes, so that parts are of one size; the catalog is sorted by
them. The dataset may be in use: what changes while a part is looked at is no disagreement.

Not here: making the catalog anew (`recatalog`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Range
from isocenter.index.records import Kept

if TYPE_CHECKING:
    from isocenter.archive.dataset import Dataset

_PART = 100_000
"""Instances of a part, as many as studies of usual size allow."""

_LOWEST, _KEYS = -(2**63), 2**64


def parts(instances: int, largest: int) -> Iterator[tuple[int, int]]:
    """Ranges of study keys, lowest and highest, that part so many instances evenly and cover all."""
    count = instances // largest + 1
    bounds = [_LOWEST + _KEYS * number // count for number in range(count + 1)]
    for low, high in pairwise(bounds):
        yield low, high - 1


def differences(dataset: Dataset) -> set[str]:
    """SOP Instance UIDs whose row in catalog or tail is not that of the visible instance, or missing."""
    found: set[str] = set()
    for low, high in parts(dataset.count(Level.INSTANCE), _PART):
        if wrong := _differing(dataset, low, high):
            found |= wrong & _differing(dataset, low, high)  # what was there for a moment only is not wrong
    return found


def _differing(dataset: Dataset, low: int, high: int) -> set[str]:
    """Those of one part. The index is read before and after: only what it says both times is compared."""
    before = dataset.index.reader.kept(low, high)
    there = _cataloged(dataset, low, high)
    after = dataset.index.reader.kept(low, high)
    wrong = ((before & after) - there) | (there - (before | after))
    return {one.SOPInstanceUID for one in wrong}


def _cataloged(dataset: Dataset, low: int, high: int) -> set[Kept]:
    columns = ["SOPInstanceUID", "_seq", "_sha256"]
    with dataset.table(Level.INSTANCE, Range(("_study_key",), low, high), columns) as reader:
        return {
            Kept(*row)
            for batch in reader
            for row in zip(*(batch.column(number).to_pylist() for number in range(3)), strict=True)
        }
