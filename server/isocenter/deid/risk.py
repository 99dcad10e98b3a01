"""Whether pixels may leave: the protocol between who judges (`pixels`) and who writes (`files`).

A judge clears or gives a reason. What nobody cleared is quarantined, or leaves by policy without Patient
Identity Removed being YES (PS3.15 E.1).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pydicom.dataset import Dataset

from isocenter.deid.regions import Mask


class Verdict(NamedTuple):
    """What a judge says of an object's pixels.

    Attributes:
        cleared: they may leave, once `mask` is blacked out.
        reason: why not; carries nothing of the object's values.
        mask: what is blacked out; None for nothing.
    """

    cleared: bool
    reason: str = ""
    mask: Mask | None = None


class Judge(Protocol):
    """Judges pixels by the data set as it was, Pixel Data left out."""

    def judge(self, dataset: Dataset) -> Verdict:
        """Whether they may leave."""
        ...
