"""Which attributes there are, what they are called, and at which level they belong.

`INDEX` and `COMPUTED` are the attributes that answer C-FIND (PS3.4 C.6) and QIDO-RS (PS3.18 10.6) from SQL.
A name here is a *path* in text: a keyword (`Modality`), or keywords joined by dots where the attribute lives
in the items of a sequence (`RequestAttributesSequence.ScheduledProcedureStepID`); the values of all items
are then the values of that one name.

Not here: values (see `values`), nor the whole dictionary, which loads on first use.
Standard library only: the client imports it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from isocenter.dicom.levels import Level
from isocenter.errors import UnknownAttribute

_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")

INDEX: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "PatientID",
        "IssuerOfPatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientBirthTime",
        "PatientSex",
        "OtherPatientIDs",
        "OtherPatientIDsSequence.PatientID",
        "OtherPatientNames",
        "EthnicGroup",
        "PatientComments",
        "PatientIdentityRemoved",
        "PatientSpeciesDescription",
    ),
    Level.STUDY: (
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "StudyDescription",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID",
        "ReferringPhysicianName",
        "NameOfPhysiciansReadingStudy",
        "AdmittingDiagnosesDescription",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "Occupation",
        "AdditionalPatientHistory",
        "TimezoneOffsetFromUTC",
        *(f"ProcedureCodeSequence.{part}" for part in _CODE),
    ),
    Level.SERIES: (
        "SeriesInstanceUID",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "SeriesDate",
        "SeriesTime",
        "BodyPartExamined",
        "Laterality",
        "ProtocolName",
        "PatientPosition",
        "PerformedProcedureStepID",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformedProcedureStepDescription",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
        "Manufacturer",
        "ManufacturerModelName",
        "DeviceSerialNumber",
        "SoftwareVersions",
        "StationName",
        "InstitutionName",
        "InstitutionalDepartmentName",
        "OperatorsName",
        "PerformingPhysicianName",
        "FrameOfReferenceUID",
    ),
    Level.INSTANCE: (
        "SOPInstanceUID",
        "SOPClassUID",
        "InstanceNumber",
        "AcquisitionNumber",
        "AcquisitionDate",
        "AcquisitionTime",
        "AcquisitionDateTime",
        "ContentDate",
        "ContentTime",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "ImageType",
        "Rows",
        "Columns",
        "BitsAllocated",
        "NumberOfFrames",
        "RelatedGeneralSOPClassUID",
        "AlternateRepresentationSequence.ReferencedSOPInstanceUID",
        "ContainerIdentifier",
        *(f"ConceptNameCodeSequence.{part}" for part in _CODE),
        "ContentTemplateSequence.TemplateIdentifier",
        "CompletionFlag",
        "VerificationFlag",
        "ContentLabel",
        "ContentDescription",
        "PresentationCreationDate",
        "PresentationCreationTime",
    ),
}

COMPUTED: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
    ),
    Level.STUDY: (
        "ModalitiesInStudy",
        "SOPClassesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: ("NumberOfSeriesRelatedInstances",),
    Level.INSTANCE: (),
}

_ARROW = {
    "DA": "date32",
    "TM": "int64",
    "DT": "timestamp[us]",
    **dict.fromkeys(("IS", "US", "SS", "SL", "US or SS", "US or SS or OW"), "int32"),
    **dict.fromkeys(("UL", "SV", "UV"), "int64"),
    **dict.fromkeys(("DS", "FL", "FD"), "double"),
    **dict.fromkeys(("AE", "AS", "AT", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"), "string"),
}
_ONE_VALUE_BY_DEFINITION = frozenset({"LT", "ST", "UR", "UT"})

_TAG = re.compile(r"\(?\s*([0-9A-Fa-f]{4})\s*,?\s*([0-9A-Fa-f]{4})\s*\)?").fullmatch
_PRIVATE = re.compile(r"\(?([0-9A-Fa-f]{4}),([^,]+),(?:[xX]{2})?([0-9A-Fa-f]{2})\)?").fullmatch
_SEPARATORS = re.compile(r"[\s_'-]+")


@dataclass(frozen=True)
class Attribute:
    """One attribute of PS3.6, or a private one named by its creator.

    `tag` is the 32-bit tag; for a private attribute the block number inside it is 00 and `creator` names
    the owner, since the block differs from file to file (PS3.5 7.8.1).  `vr` is the dictionary's, so it may
    be `US or SS`; it is `UN` for private attributes.  `vm` is the dictionary's text, e.g. `1`, `3`, `1-n`.
    """

    tag: int
    keyword: str
    vr: str
    vm: str
    creator: str = ""

    @property
    def name(self) -> str:
        """The keyword; `gggg,CREATOR,ee` of a private attribute; `GGGGEEEE` where there is no keyword."""
        if self.creator:
            return f"{self.tag >> 16:04x},{self.creator},{self.tag & 0xFF:02x}"
        return self.keyword or self.tag_text

    @property
    def tag_text(self) -> str:
        """The tag as DICOM JSON and QIDO write it: `00080060` (PS3.18 F.2.2)."""
        return f"{self.tag:08X}"

    @property
    def multiple(self) -> bool:
        """Whether the dictionary allows more than one value."""
        return self.vm != "1" and self.vr not in _ONE_VALUE_BY_DEFINITION


def lookup(name: str) -> Attribute:
    """The attribute called `name`.

    Args:
        name: a keyword (`PatientID`), a tag (`00100020`, `(0010,0020)`), or a private attribute as
            `gggg,CREATOR,ee` (`0019,SIEMENS MR HEADER,0c`).

    Raises:
        UnknownAttribute: naming the nearest keyword.
    """
    try:
        return _lookup(name)
    except KeyError:
        raise UnknownAttribute(f"There is no DICOM attribute {name!r}", hint=suggestion(name)) from None


def find(name: str) -> Attribute | None:
    """The attribute called `name`, None when there is none: `lookup` without the price of a suggestion."""
    try:
        return _lookup(name)
    except KeyError:
        return None


@lru_cache(maxsize=4096)
def _lookup(name: str) -> Attribute:
    from isocenter.dicom._dictionary_table import KEYWORDS, TAGS

    tag = KEYWORDS.get(name)
    if tag is None:
        found = _TAG(name.strip())
        if found is None:
            return _private(name)
        tag = int(found[1] + found[2], 16)
    vr, vm, keyword = TAGS.get(tag) or _repeating(tag)
    return Attribute(tag, keyword, vr, vm)


def _private(name: str) -> Attribute:
    found = _PRIVATE(name.strip())
    if found is None or int(found[1], 16) % 2 == 0:
        raise KeyError(name)
    return Attribute(int(found[1], 16) << 16 | int(found[3], 16), "", "UN", "1-n", found[2].strip())


def _repeating(tag: int) -> tuple[str, str, str]:
    """The entry of a repeating group (60xx0010); odd and unknown tags are UN without keyword."""
    from isocenter.dicom._dictionary_table import REPEATERS

    text = f"{tag:08X}"
    for mask, entry in REPEATERS.items():
        if all(a in ("x", b) for a, b in zip(mask, text, strict=True)):
            return entry[0], entry[1], ""
    return "UN", "1-n", ""


def path_of(name: str) -> tuple[str, ...]:
    """The path that a dotted name says; the dots of a private creator's name stay.

    >>> path_of("RequestAttributesSequence.ScheduledProcedureStepID")
    ('RequestAttributesSequence', 'ScheduledProcedureStepID')
    """
    return (name,) if "," in name else tuple(name.split("."))


def name_of_path(path: tuple[str, ...]) -> str:
    """The dotted text of a path, as `INDEX` spells it."""
    return ".".join(path)


def level_of(name: str) -> Level | None:
    """The level at which the index holds this name (stored or computed), None when it does not."""
    return _levels().get(name)


@lru_cache(maxsize=1)
def _levels() -> dict[str, Level]:
    return {name: level for level in Level for name in (*INDEX[level], *COMPUTED[level])}


def is_indexed(name: str) -> bool:
    """Whether the SQL index answers for this name, computed attributes included."""
    return name in _levels()


def is_own_column(name: str) -> bool:
    """Whether the name is a column of ours (`_seq`, `slice_spacing`) and not a DICOM element's.

    Everything of ours is snake_case; keywords begin with a capital letter.
    """
    return name[:1] == "_" or (name[:1].islower() and name.isidentifier())


def arrow_type(attribute: Attribute) -> str | None:
    """The Arrow type of the catalog column of this attribute, by name; None: in `json` only.

    DA `date32`; TM `int64` microseconds since midnight; DT `timestamp[us]` of the wall clock as sent;
    a dictionary VM other than 1 makes a `list<...>`. Sequences, bytes, private attributes and repeating
    groups have no column of their own.
    """
    if attribute.creator or not attribute.keyword:
        return None
    value = _ARROW.get(attribute.vr)
    if value is None:
        return None
    return f"list<{value}>" if attribute.multiple else value


def suggestion(name: str, among: tuple[str, ...] | None = None) -> str:
    """A hint naming what was probably meant by an unknown name; empty when nothing is near."""
    near = nearest(name, among)
    return f"did you mean {' or '.join(near)}?" if near else ""


def nearest(name: str, among: tuple[str, ...] | None = None) -> list[str]:
    """Up to three known names near `name`, best first; case, spaces and underscores do not count.

    Args:
        name: what was written.
        among: the names to choose from; all keywords of PS3.6 by default.
    """
    from difflib import get_close_matches

    if among is None:
        from isocenter.dicom._dictionary_table import KEYWORDS

        among = tuple(KEYWORDS)
    plain: dict[str, str] = {}
    for known in among:
        plain.setdefault(_SEPARATORS.sub("", known).lower(), known)
    wanted = _SEPARATORS.sub("", name).lower()
    if wanted in plain:
        return [plain[wanted]]
    return [plain[word] for word in get_close_matches(wanted, plain, n=3, cutoff=0.75)]
