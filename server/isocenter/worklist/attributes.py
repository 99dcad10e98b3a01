"""The attributes of a Unified Procedure Step and what is required of them: Table CC.2.5-3 of PS3.4 as data.

Of the top level, and of the two sequences whose content decides about a final state. `All other attributes`
of the modules are type 3 everywhere and are not named. A type is the SCP's: what must hold of what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dicom.attributes import lookup

NOT_ALLOWED = "-"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row.

    Attributes:
        keyword: of the attribute.
        create: type in N-CREATE: 1 with a value, 2 present, 3 optional, `-` not allowed, `0` always empty.
        set: type in N-SET: 1 may not lose its value, 2 may, 3 optional, `-` not allowed.
        final: code of the final state: R, P (COMPLETED), X (CANCELED), O.
        returned: type as a return key of a search: 1 and 2 always, 3 when asked for.
    """

    keyword: str
    create: str
    set: str
    final: str
    returned: str

    @property
    def tag(self) -> str:
        """As DICOM JSON writes it."""
        return lookup(self.keyword).tag_text

    @property
    def vr(self) -> str:
        """By the dictionary."""
        return lookup(self.keyword).vr


_ROWS = """
TransactionUID                                0 - O -
SpecificCharacterSet                          3 3 O 3
SOPClassUID                                   3 - R 1
SOPInstanceUID                                3 - R 1
ScheduledProcedureStepPriority                1 1 R 1
ScheduledProcedureStepModificationDateTime    3 3 R 3
ProcedureStepLabel                            1 1 R 1
WorklistLabel                                 2 1 R 1
ScheduledProcessingParametersSequence         2 2 O 3
ScheduledStationNameCodeSequence              2 2 O 2
ScheduledStationClassCodeSequence             2 2 O 2
ScheduledStationGeographicLocationCodeSequence 2 2 O 2
ScheduledHumanPerformersSequence              3 2 O 2
ScheduledProcedureStepStartDateTime           1 1 R 1
ExpectedCompletionDateTime                    3 1 O 3
ScheduledProcedureStepExpirationDateTime      3 3 O 3
ScheduledWorkitemCodeSequence                 2 2 O 2
CommentsOnTheScheduledProcedureStep           2 2 O 3
InputReadinessState                           1 1 R 1
InputInformationSequence                      2 2 O 2
StudyInstanceUID                              3 2 O 2
OutputDestinationSequence                     3 3 O 3
PatientName                                   2 - O 2
PatientID                                     2 - O 2
IssuerOfPatientID                             2 - O 2
IssuerOfPatientIDQualifiersSequence           2 - O 2
OtherPatientIDsSequence                       2 3 O 2
PatientBirthDate                              2 - O 2
PatientSex                                    2 - O 2
ReferencedPatientPhotoSequence                3 3 O 3
AdmissionID                                   2 - O 2
IssuerOfAdmissionIDSequence                   2 - O 2
AdmittingDiagnosesDescription                 2 - O 2
AdmittingDiagnosesCodeSequence                2 - O 2
ReferencedRequestSequence                     2 - O 2
ReplacedProcedureStepSequence                 3 - O 3
MedicalAlerts                                 3 2 O 3
PregnancyStatus                               3 2 O 3
SpecialNeeds                                  3 2 O 3
ProcedureStepState                            1 - R 1
ProcedureStepProgressInformationSequence      0 2 X 2
UnifiedProcedureStepPerformedProcedureSequence 0 2 P 3
"""
REQUIREMENTS: dict[str, Requirement] = {
    requirement.tag: requirement
    for requirement in (Requirement(*line.split()) for line in _ROWS.strip().splitlines())
}
"""Every named row, by its tag as DICOM JSON writes it."""

ENUMERATED: dict[str, tuple[str, ...]] = {
    "ScheduledProcedureStepPriority": ("HIGH", "MEDIUM", "LOW"),
    "InputReadinessState": ("READY", "UNAVAILABLE", "INCOMPLETE"),
}
"""Values that PS3.3 C.30 enumerates."""

PROGRESS = "ProcedureStepProgressInformationSequence"
PERFORMED = "UnifiedProcedureStepPerformedProcedureSequence"

FINAL_CANCELED: tuple[str, ...] = (
    "ProcedureStepCancellationDateTime",
    "ProcedureStepDiscontinuationReasonCodeSequence",
)
"""What an item of the progress information has when the step is CANCELED (code X)."""

FINAL_COMPLETED: tuple[str, ...] = (
    "PerformedStationNameCodeSequence",
    "PerformedProcedureStepStartDateTime",
    "PerformedWorkitemCodeSequence",
    "PerformedProcedureStepEndDateTime",
)
"""What an item of the performed procedure has when the step is COMPLETED (code P)."""

FINAL_PRESENT = "OutputInformationSequence"
"""Code P as well, but it may have no items when there was no output."""
