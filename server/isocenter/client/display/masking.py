"""Which columns identify a person, so that displays mask them (`isocenter.options.show_identifiers`).

A subset of PS3.15 Annex E that people read as identity: names, numbers, birth and contact. UIDs and dates of
studies stay, since nothing can be chosen without them. Not here: de-identification, which is another matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from isocenter.dicom.attributes import find, is_own_column

MASK = "•••"

IDENTIFIERS = frozenset(
    {
        "AccessionNumber",
        "AdditionalPatientHistory",
        "AdmissionID",
        "CountryOfResidence",
        "EthnicGroup",
        "FillerOrderNumberImagingServiceRequest",
        "ImageComments",
        "InstitutionAddress",
        "IssuerOfPatientID",
        "MedicalRecordLocator",
        "MilitaryRank",
        "Occupation",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientBirthDate",
        "PatientBirthTime",
        "PatientComments",
        "PatientID",
        "PatientInsurancePlanCodeSequence",
        "PatientReligiousPreference",
        "PatientTelecomInformation",
        "PatientTelephoneNumbers",
        "PlacerOrderNumberImagingServiceRequest",
        "RegionOfResidence",
        "RequestedProcedureID",
        "ResponsibleOrganization",
        "ScheduledProcedureStepID",
        "StudyID",
    }
)
_WHOLE_HEADERS = frozenset({"json", "private", "_unconverted"})
_HIDING = re.compile(
    r"\bcolumns\s*\(|\bunpivot\b|\bpivot\b|#\d|\bto_json\b|\brow\s*\(|\bstruct_pack\b"
    r"|\bAS\s+\w+\s*\(|\b(?:instances|series|studies|volumes)\s+(?!where\b|join\b|using\b|on\b)\w+\s*\(",
    re.IGNORECASE,
).search
"""Ways of SQL to give a column another name without naming it."""
_AGGREGATES = r"count|sum|avg|mean|median|stddev\w*|var\w*|approx_count_distinct|quantile\w*"
_ARGUMENT = r"(?:[^()]|\([^()]*\))*"
_UNNAMED = re.compile(rf"({_AGGREGATES})(?:_star)?\(({_ARGUMENT})\)", re.IGNORECASE).fullmatch
_SELECT = re.compile(r"\bselect\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_]\w*")


@lru_cache(maxsize=2048)
def is_identifier(name: str) -> bool:
    """Whether a column of this name holds what identifies a person.

    Every PN does; whole headers, private attributes and the items of a sequence may, codes aside.
    """
    last = name.rpartition(".")[2]
    if name in _WHOLE_HEADERS or last in IDENTIFIERS:
        return True
    if is_own_column(name):
        return False
    found = find(last)
    if found is None:
        return False
    return found.vr in ("PN", "UN") or (found.vr == "SQ" and not last.endswith("CodeSequence"))


def masked_in_sql(text: str, columns: Iterable[str]) -> frozenset[str]:
    """The columns of a SQL answer to mask: identifiers, and if the text names one, or may hide that it does,
    every renamed column that is not plainly a count or another number made of many rows."""
    hides_one = _names_one(text) or _HIDING(text) is not None
    return frozenset(
        c
        for c in columns
        if is_identifier(c)
        or c.lower() in _in_any_case()
        or (hides_one and not _is_keyword(c) and not _is_made(c, text))
    )


def _names_one(text: str) -> bool:
    """Whether SQL, to which case means nothing, names an identifier."""
    return any(word.lower() in _in_any_case() for word in _WORD.findall(text))


@lru_cache(maxsize=1)
def _in_any_case() -> frozenset[str]:
    from isocenter.dicom._dictionary_table import KEYWORDS

    return frozenset(name.lower() for name in (*KEYWORDS, *_WHOLE_HEADERS) if is_identifier(name))


def _is_made(column: str, text: str) -> bool:
    """Whether a column is a number made of many rows: `count(*) AS n`, `avg(SliceThickness)`.

    Only where one SELECT says what it is, and of identifiers only their count.
    """
    if len(_SELECT.findall(text)) > 1:
        return False
    made = re.compile(
        rf"\b({_AGGREGATES})\s*\(({_ARGUMENT})\)\s+(?:AS\s+)?\"?{re.escape(column)}\b", re.IGNORECASE
    )
    found = made.search(text) or _UNNAMED(column)
    if found is None:
        return False
    return found[1].lower() == "count" or not _names_one(found[2])


def _is_keyword(name: str) -> bool:
    if is_own_column(name):
        return name.startswith("_")
    found = find(name)
    return found is not None and bool(found.keyword)
