"""The codes that say whom or what a content item tells of are those of the standard, and mean that."""

from __future__ import annotations

import re

import pytest
from pydicom.sr._concepts_dict import concepts as published

from isocenter.deid.concepts import KNOWN, Role, role_of

MEANING = {
    Role.SUBJECT: r"Subject (Name|ID)",
    Role.ACCESSION: r"Accession Number",
    Role.IDENTITY: r"Number|Identifier|ID|Name|Login|Physician|urse|Technologist|Mother|Person|Transferred",
    Role.DEVICE: r"Device|Equipment|Identification of the X-Ray Source|Station|Node ID|Unit Serial",
    Role.INSTITUTION: r"Organization|Location|Room|room",
    Role.BIRTH: r"Birth",
    Role.AGE: r"Age",
    Role.CHARACTERISTIC: r"Sex|Height",
}


def meanings(scheme: str) -> dict[str, str]:
    return {code: told[0] for entries in published[scheme].values() for code, told in entries.items()}


@pytest.mark.parametrize("code", sorted(code for code, scheme in KNOWN if scheme == "DCM"))
def test_a_code_of_the_standard_exists_and_means_its_role(code: str) -> None:
    meaning = meanings("DCM").get(code)
    assert meaning is not None, f"{code} is in no table of PS3.16"
    assert re.search(MEANING[KNOWN[code, "DCM"]], meaning), f"{code} is {meaning}"


def test_who_observed_nursed_or_gave_a_drug_is_somebody() -> None:
    for code in ("121008", "121082", "121152"):
        assert role_of(code, "DCM", "") is Role.IDENTITY


def test_a_decision_of_the_operator_is_nobody() -> None:
    assert role_of("130450", "DCM", "Operator decision to terminate treatment") is Role.OTHER
