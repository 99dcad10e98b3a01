"""What the concept names of content items say about their values: who, which device, where, when born.

The standard's option (PS3.15 E.3.4) asks for what "corresponds to the attributes" of the table; these are
the codes of PS3.16 that do, with those of SNOMED CT and LOINC for what the patient is. Local codes are judged
by their meaning.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache


class Role(Enum):
    """What a value is."""

    OTHER = auto()
    SUBJECT = auto()
    """Name or ID of the patient."""
    ACCESSION = auto()
    IDENTITY = auto()
    """Of anybody or anything; never kept."""
    DEVICE = auto()
    INSTITUTION = auto()
    BIRTH = auto()
    AGE = auto()
    CHARACTERISTIC = auto()
    """Sex, height, weight ...: what Retain Patient Characteristics speaks of."""


_DCM: dict[Role, str] = {
    Role.SUBJECT: "121029 121030",
    Role.ACCESSION: "121022 121040",
    Role.IDENTITY: """121020 121021 121036 121041 121043 111700 111705 111706 111724 110190 113870 113871
        113872 128774 128775 113516 122128 110122 121008 121081 121082 121083 121090 121114 121152""",
    Role.DEVICE: """121000 121012 121013 121016 121122 121148 121193 121196 121198 122143 113877 113880 113832
        110119 110182""",
    Role.INSTITUTION: "127122 121009 113873 121017 121197 121121 121434 111718",
    Role.BIRTH: "121031",
    Role.AGE: "121033",
    Role.CHARACTERISTIC: "121032 121207",
}
# SNOMED CT and LOINC are not in the tables of PS3.16 for all of these; told beside each is its display name.
_OTHERS: dict[tuple[str, str], Role] = {
    ("397669002", "SCT"): Role.AGE,  # Age
    ("424144002", "SCT"): Role.AGE,  # Current chronological age
    ("30525-0", "LN"): Role.AGE,  # Age
    ("21612-7", "LN"): Role.AGE,  # Age - Reported
    ("21112-8", "LN"): Role.BIRTH,  # Birth date
    ("184099003", "SCT"): Role.BIRTH,  # Date of birth
    ("263495000", "SCT"): Role.CHARACTERISTIC,  # Gender
    ("46098-0", "LN"): Role.CHARACTERISTIC,  # Sex
    ("27113001", "SCT"): Role.CHARACTERISTIC,  # Body weight
    ("50373000", "SCT"): Role.CHARACTERISTIC,  # Body height
    ("8302-2", "LN"): Role.CHARACTERISTIC,  # Body height
    ("29463-7", "LN"): Role.CHARACTERISTIC,  # Body weight
    ("8277-6", "LN"): Role.CHARACTERISTIC,  # Body surface area
    ("364699009", "SCT"): Role.CHARACTERISTIC,  # Ethnic group
}
KNOWN = {(code, "DCM"): role for role, codes in _DCM.items() for code in codes.split()} | _OTHERS
_BIRTH = re.compile(r"\b(birth ?date|date of birth|dob)\b", re.IGNORECASE)
_WHO = re.compile(
    r"\b(names?|physicians?|doctor|radiologist|operators?|technologists?|technician|nurse|observer|addresse?s?|"
    r"(tele)?phone|fax|e-?mail|mrn|medical record|social security|insurance|account|admission|"
    r"(patient|subject|visit|order|study|case|hospital)('s)? (id|identifier|number|no)|"
    r"hospital|institution)\b",
    re.IGNORECASE,
)
_WHAT = re.compile(
    r"\b(notes?|narrative|comments?|findings?|decision|error|review|imaging|algorithm|protocol|product|drug|agent|"
    r"brand|manufacturer|model|sequence|projection|type|role)\b",
    re.IGNORECASE,
)
_STANDARD = frozenset({"DCM", "SCT", "SRT", "SNM3", "LN", "UCUM", "RADLEX", "FMA", "NCIt", "99SDM"})


@cache
def role_of(value: str, scheme: str, meaning: str) -> Role:
    """What the value of a content item of this concept is.

    Args:
        value: of the concept name's code.
        scheme: its coding scheme designator; a local one cannot be known, so its meaning is read.
        meaning: its code meaning.
    """
    role = KNOWN.get((value, scheme))
    if role is not None or scheme in _STANDARD:
        return role or Role.OTHER
    if _BIRTH.search(meaning):
        return Role.BIRTH
    return Role.IDENTITY if _WHO.search(meaning) and not _WHAT.search(meaning) else Role.OTHER
