"""What became of a data set: the result, each change, and what a person should look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from isocenter.deid.plan import Step


class Change(NamedTuple):
    """One element that is not as it was.

    Attributes:
        path: tags of the sequences around it, and the element's own.
        step: what was done, and why.
        before: the element as it was; identifying. None where only what was done is told.
        after: as it is now; None when it is gone.
    """

    path: tuple[int, ...]
    step: Step
    before: DataElement | RawDataElement | None
    after: DataElement | RawDataElement | None


class Finding(NamedTuple):
    """Something that a person should look at. Its words carry no value of the data set.

    Attributes:
        kind: `known-identifier`, `undecodable`, `unreadable-date`, `invalid-value`, `risky-pixels`, ...
        path: where.
        words: what it is.
    """

    kind: str
    path: tuple[int, ...]
    words: str


@dataclass
class Outcome:
    """What de-identifying one data set gave.

    Attributes:
        dataset: the result; None when it is quarantined.
        changes: in the order of the elements.
        findings: what a person should look at.
        quarantined: why nothing may leave; '' when it may.
    """

    dataset: Dataset | None
    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    quarantined: str = ""
