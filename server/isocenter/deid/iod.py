"""Types of attributes by IOD (PS3.3 A): which must be there, which may be empty, which may be left out.

Only of attributes of Table E.1-1, the only ones whose action depends on it.
"""

from __future__ import annotations

from functools import cache

from isocenter.deid._type_table import IODS, MODULES, SEQUENCES, SOP_CLASSES

STRICTNESS = ("3", "2C", "2", "1C", "1")

_RETIRED = {
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.5": "1.2.840.10008.5.1.4.1.1.20",
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.12.3": "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.77.1": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "1.2.840.10008.5.1.4.1.1.77.2": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "1.2.840.10008.5.1.4.1.1.88.1": "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.88.3": "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.4": "1.2.840.10008.5.1.4.1.1.88.33",
}
"""Retired SOP classes and those that took their place."""


def is_known(sop_class: str) -> bool:
    """Whether the IOD of this SOP class is known."""
    return _RETIRED.get(sop_class, sop_class) in SOP_CLASSES


@cache
def type_of(sop_class: str, parent: int | None, tag: int) -> str:
    """The strictest Type that an attribute has, `3` where the standard does not place it.

    Args:
        sop_class: of the data set.
        parent: the sequence whose item holds it; None at the top level.
        tag: the attribute.
    """
    if parent is not None:
        return SEQUENCES.get(parent, {}).get(tag, "3")
    iod = SOP_CLASSES.get(_RETIRED.get(sop_class, sop_class))
    types = [MODULES[module].get(tag, "3") for module in IODS.get(iod or "", ())]
    return max(types, key=STRICTNESS.index, default="3")
