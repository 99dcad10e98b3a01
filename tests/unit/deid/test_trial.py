"""Objects for a trial say which one: sponsor, protocol and the subject under the new ID."""

from __future__ import annotations

import pytest
from tests.unit.deid.test_structured import IDENTIFIERS, report

from isocenter.deid.engine import Engine
from isocenter.deid.policies import Policies
from isocenter.deid.profile import Profile
from isocenter.errors import BadRequest

SPONSOR, PROTOCOL = ("ClinicalTrialSponsorName", "ACME"), ("ClinicalTrialProtocolID", "P-1")


def test_the_trial_is_written_with_the_new_patient_id() -> None:
    policies = Policies(trial=(SPONSOR, PROTOCOL, ("ClinicalTrialSubjectID", "S-{patient}")))
    result = Engine(Profile(), IDENTIFIERS, policies).apply(report()).dataset
    assert result is not None
    assert result.ClinicalTrialSubjectID == f"S-{result.PatientID}"
    assert (result.ClinicalTrialProtocolID, result.ClinicalTrialSiteID) == ("P-1", "")


def test_a_trial_without_a_subject_is_refused_before_anything_runs() -> None:
    with pytest.raises(BadRequest, match="not told completely"):
        Policies(trial=(SPONSOR, PROTOCOL))


def test_an_attribute_that_is_none_of_a_trial_is_refused() -> None:
    with pytest.raises(BadRequest, match="no text of a clinical trial"):
        Policies(trial=(SPONSOR, PROTOCOL, ("PatientName", "x")))
