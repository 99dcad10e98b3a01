"""What the profile leaves to its user, with the choice that cannot leak as default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BirthDate(StrEnum):
    """What becomes of the birth date, which the options for dates do not speak of (Table E.1-1: Z)."""

    EMPTY = "empty"
    YEAR = "year"
    """1 July of its year, but not for ages over 89 at the study."""
    SHIFT = "shift"
    """Moved like the other dates of the patient."""


class Documents(StrEnum):
    """What becomes of an encapsulated document (PDF, CDA, STL ...), which nothing here can clean."""

    REFUSE = "refuse"
    """The object is quarantined."""
    DROP = "drop"
    """The document is replaced by an empty one of its kind."""
    KEEP = "keep"
    """It is kept: somebody has looked at it."""


@dataclass(frozen=True)
class Policies:
    """Choices beside the profile.

    Attributes:
        birth_date: what becomes of it.
        documents: what becomes of encapsulated documents.
        trial: keyword to value of Clinical Trial attributes to write.
        method: a line for De-identification Method, besides ours.
    """

    birth_date: BirthDate = BirthDate.EMPTY
    documents: Documents = Documents.REFUSE
    trial: tuple[tuple[str, str], ...] = ()
    method: str = ""
