"""What a frame shows of each level: the columns that tell most, and its name in the plural."""

from __future__ import annotations

from isocenter.dicom.levels import Level

SHOWN = {
    Level.PATIENT: (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedInstances",
    ),
    Level.STUDY: (
        "PatientID",
        "PatientName",
        "StudyDate",
        "ModalitiesInStudy",
        "StudyDescription",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "PatientID",
        "StudyDate",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "BodyPartExamined",
        "NumberOfSeriesRelatedInstances",
        "_size",
    ),
    Level.INSTANCE: (
        "PatientID",
        "StudyDate",
        "Modality",
        "SeriesNumber",
        "InstanceNumber",
        "SOPClassUID",
        "Rows",
        "Columns",
        "_size",
    ),
}
PLURAL = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
    Level.INSTANCE: "instances",
}
