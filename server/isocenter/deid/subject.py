"""Whom one data set is about, and what is known of them while it is de-identified."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.deid.identifiers import Identifiers, Patient
from isocenter.deid.known import Known
from isocenter.deid.outcome import Finding
from isocenter.deid.policies import Policies


@dataclass
class Subject:
    """The patient of one data set.

    Attributes:
        patient: who it is.
        identifiers: of the project.
        policies: what the profile leaves open.
        known: finds identifiers of the patient in a text.
        findings: where findings are told.
    """

    patient: Patient
    identifiers: Identifiers
    policies: Policies
    known: Known | None
    findings: list[Finding]

    @property
    def days(self) -> int:
        """By how many days the dates move."""
        return self.identifiers.offset(self.patient)

    def tell(self, kind: str, path: tuple[int, ...], words: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, path, words))
