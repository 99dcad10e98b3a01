"""The Query/Retrieve information models that are served (PS3.4 C.6), and what we negotiate of them (C.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from isocenter.dicom.levels import Level
from isocenter.peers.rights import Right

VERIFICATION = "1.2.840.10008.1.1"


class Root(Enum):
    """Where a model begins."""

    PATIENT = Level.PATIENT
    STUDY = Level.STUDY

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that a request of this model may name, from the top."""
        everything = tuple(Level)
        return everything[everything.index(self.value) :]


@dataclass(frozen=True, slots=True)
class Model:
    """One SOP class of the Query/Retrieve service."""

    uid: str
    root: Root
    right: Right


PATIENT_FIND = Model("1.2.840.10008.5.1.4.1.2.1.1", Root.PATIENT, Right.FIND)
PATIENT_MOVE = Model("1.2.840.10008.5.1.4.1.2.1.2", Root.PATIENT, Right.MOVE)
PATIENT_GET = Model("1.2.840.10008.5.1.4.1.2.1.3", Root.PATIENT, Right.GET)
STUDY_FIND = Model("1.2.840.10008.5.1.4.1.2.2.1", Root.STUDY, Right.FIND)
STUDY_MOVE = Model("1.2.840.10008.5.1.4.1.2.2.2", Root.STUDY, Right.MOVE)
STUDY_GET = Model("1.2.840.10008.5.1.4.1.2.2.3", Root.STUDY, Right.GET)

MODELS = {
    model.uid: model for model in (PATIENT_FIND, PATIENT_MOVE, PATIENT_GET, STUDY_FIND, STUDY_MOVE, STUDY_GET)
}
SERVED = frozenset({VERIFICATION, *MODELS})
"""Every SOP class that is served, storage apart."""

# Bytes of the extended negotiation (PS3.4 C.5.1.1 and C.5.2.1): for FIND relational, combined date and time,
# fuzzy person names, time zone adjustment, multi-frame conversion, empty value, multiple values; for MOVE and
# GET relational, multi-frame conversion.
RELATIONAL, COMBINED_DATE_TIME, FUZZY, EMPTY_VALUE, MULTIPLE_VALUES = 1, 2, 3, 6, 7
_FIND_SUPPORT = bytes((1, 1, 1, 0, 0, 1, 1))
_RETRIEVE_SUPPORT = bytes((1, 0))

EXTENDED = tuple(
    (model.uid, _FIND_SUPPORT if model.right is Right.FIND else _RETRIEVE_SUPPORT)
    for model in MODELS.values()
)
"""What we support of the extended negotiation, by SOP class."""
