"""What one patient, study, series or instance looks like: a line of text, or a small table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.client.display.html import cell_text, facts_html
from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.dicom.levels import Level

_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyDescription", "ModalitiesInStudy")
_SERIES = ("Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined", "ManufacturerModelName")
_SHOWN = {
    Level.PATIENT: _PATIENT,
    Level.STUDY: (*_PATIENT, *_STUDY, "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    Level.SERIES: (*_PATIENT[:2], *_STUDY[:2], *_SERIES, "NumberOfSeriesRelatedInstances"),
    Level.INSTANCE: (
        *_PATIENT[:2],
        "StudyDate",
        *_SERIES[:3],
        "InstanceNumber",
        "SOPClassUID",
        "Rows",
        "Columns",
        "NumberOfFrames",
    ),
}
_SAID = {
    Level.PATIENT: (),
    Level.STUDY: ("StudyDate", "StudyDescription", "ModalitiesInStudy"),
    Level.SERIES: ("Modality", "SeriesNumber", "SeriesDescription"),
    Level.INSTANCE: ("Modality", "SeriesDescription", "InstanceNumber"),
}


def resource_text(level: Level, uid: str, known: Mapping[str, Any]) -> str:
    """One line: what it is, its UID and what is known that tells most; a PatientID is masked."""
    told = [cell_text(name, known[name]) for name in _SAID[level] if known.get(name) not in (None, "", [])]
    shown = MASK if level is Level.PATIENT and uid and not options.show_identifiers else uid
    return f"<{level} {shown or 'without PatientID'}{': ' if told else ''}{', '.join(told)}>"


def resource_html(level: Level, uid: str, known: Mapping[str, Any], error: str = "") -> str:
    """A small table of what tells most, identifiers masked."""
    facts: dict[str, object] = {}
    for name in _SHOWN[level]:
        value = known.get(name)
        if value not in (None, "", []):
            hidden = is_identifier(name) and not options.show_identifiers
            facts[name] = MASK if hidden else cell_text(name, value)
    if error:
        facts["error"] = error
    return facts_html(level.capitalize() if level is Level.PATIENT else f"{level.capitalize()} {uid}", facts)
