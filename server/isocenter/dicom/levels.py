"""The levels of the DICOM information model (PS3.4 C.6): patient, study, series, instance.

Standard library only: the client imports it.
"""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """A level of the Query/Retrieve information model; its value is the word used in our APIs."""

    PATIENT = "patient"
    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"

    @property
    def query_retrieve(self) -> str:
        """The value of Query/Retrieve Level (0008,0052) that names this level (PS3.4 C.6)."""
        return "IMAGE" if self is Level.INSTANCE else self.name

    @property
    def unique_key(self) -> str:
        """Keyword of the unique key of this level (PS3.4 C.6.1.1, C.6.2.1)."""
        return _UNIQUE_KEYS[self]

    @property
    def above(self) -> tuple[Level, ...]:
        """The levels above this one, from the top."""
        order = tuple(Level)
        return order[: order.index(self)]

    @property
    def and_above(self) -> tuple[Level, ...]:
        """This level and those above it, from the top."""
        return (*self.above, self)

    @classmethod
    def from_query_retrieve(cls, text: str) -> Level:
        """The level that Query/Retrieve Level names; ValueError for any other text."""
        for level in cls:
            if level.query_retrieve == text.strip():
                return level
        raise ValueError(f"no Query/Retrieve Level {text!r}: PATIENT, STUDY, SERIES or IMAGE")


_UNIQUE_KEYS = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.INSTANCE: "SOPInstanceUID",
}
