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
    """The columns of a SQL answer to mask: identifiers, and every renamed column if the text names one."""
    names_one = any(is_identifier(word) for word in _WORD.findall(text)) or "*" in text
    return frozenset(c for c in columns if is_identifier(c) or (names_one and not _is_keyword(c)))


def _is_keyword(name: str) -> bool:
    if is_own_column(name):
        return name.startswith("_")
    found = find(name)
    return found is not None and bool(found.keyword)
