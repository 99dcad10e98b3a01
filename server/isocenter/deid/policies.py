"""What the profile leaves to its user, with the choice that cannot leak as default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest, UnknownAttribute


class BirthDate(StrEnum):
    """What becomes of the birth date, which the options for dates do not speak of (Table E.1-1: Z)."""

    EMPTY = "empty"
    YEAR = "year"
    """1 July of its year, but not for ages over 89 at the study."""
    SHIFT = "shift"
    """Moved like the other dates of the patient."""


class Times(StrEnum):
    """What becomes of times of day where an option keeps or moves dates."""

    KEEP = "keep"
    """They stay: whole days change none."""
    DROP = "drop"
    """Midnight, everywhere: a time of day can be found in the logs of a department."""


class Documents(StrEnum):
    """What becomes of an encapsulated document (PDF, CDA, STL ...), which nothing here can clean."""

    REFUSE = "refuse"
    """The object is quarantined."""
    DROP = "drop"
    """The document is replaced by an empty one of its kind."""
    KEEP = "keep"
    """It is kept: somebody has looked at it."""


class Uncleared(StrEnum):
    """What becomes of an object whose pixels nobody cleared."""

    QUARANTINE = "quarantine"
    """It does not leave."""
    KEEP = "keep"
    """It leaves, and says of itself that Patient Identity Removed is NO: somebody has looked at it."""


class Residual(StrEnum):
    """What becomes of a result in which the second reader found a value of its original."""

    QUARANTINE = "quarantine"
    """It does not leave."""
    KEEP = "keep"
    """It leaves, with a finding: somebody looks at it before it goes on."""


@dataclass(frozen=True)
class Policies:
    """Choices beside the profile.

    Attributes:
        birth_date: what becomes of it.
        times: what becomes of times of day where dates stay or move.
        documents: what becomes of encapsulated documents.
        uncleared: what becomes of objects whose pixels are not cleared.
        residual: what becomes of results in which a value of the original was found.
        trial: keyword to value of Clinical Trial attributes to write (PS3.3 C.7.1.3, C.7.2.3, C.7.3.2);
            `{patient}` in a value stands for the new patient ID.
        method: a line for De-identification Method, besides ours.

    Raises:
        BadRequest: an attribute is none of a clinical trial, or the subject module lacks what it must have.
    """

    birth_date: BirthDate = BirthDate.EMPTY
    times: Times = Times.KEEP
    documents: Documents = Documents.REFUSE
    uncleared: Uncleared = Uncleared.QUARANTINE
    residual: Residual = Residual.QUARANTINE
    trial: tuple[tuple[str, str], ...] = ()
    method: str = ""

    def __post_init__(self) -> None:
        told = dict(self.trial)
        for keyword in told:
            _check_trial(keyword)
        if not told:
            return
        missing = [keyword for keyword in TRIAL_NEEDS if not told.get(keyword)]
        if not any(told.get(keyword) for keyword in TRIAL_SUBJECT):
            missing.append(TRIAL_SUBJECT[0])
        if missing:
            hint = "give " + ", ".join(missing)
            raise BadRequest("The clinical trial is not told completely (PS3.3 C.7.1.3)", hint=hint)


TRIAL_NEEDS = ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")
"""Of Type 1."""
TRIAL_SUBJECT = ("ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID")
"""Of which one must be there."""
TRIAL_EMPTY = ("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName")
"""Of Type 2."""


def _check_trial(keyword: str) -> None:
    try:
        attribute = lookup(keyword)
    except UnknownAttribute as error:
        raise BadRequest(f"In the clinical trial: {error.message}", hint=error.hint) from None
    if not attribute.keyword.startswith("ClinicalTrial") or attribute.vr == "SQ":
        raise BadRequest(f"{keyword} is no text of a clinical trial", hint="such as ClinicalTrialProtocolID")
