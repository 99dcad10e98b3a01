"""A DICOMDIR: the directory of a file-set for media (PS3.10 8, PS3.3 Annex F).

Records of patients, studies, series and instances are made from the headers of the files; values go as they
are encoded, with their character set. Keys that a record must have and a header has not are invented as other
writers do: numbers by counting, the date 19000101. Records outside of patients (hanging protocols, palettes)
and the icons of a profile are not written. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from struct import Struct

from isocenter.dicom import uids
from isocenter.dicom._dictionary_table import KEYWORDS
from isocenter.dicom.file_meta import file_head, meta_elements
from isocenter.dicom.header import Element, Header
from isocenter.dicom.reencode import Writer

FILE_NAME = "DICOMDIR"

_LONG = Struct("<I")
_CHARSET = 0x00080005
_LEVELS = ("PATIENT", "STUDY", "SERIES")
_UNIQUE = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
_DATE, _TIME = "19000101", "000000"

# PS3.3 F.5: what each record tells of its files, and by which words of the SOP class it is chosen.
_CONTENT = ("InstanceNumber", "ContentDate", "ContentTime")
_KEYS: dict[str, tuple[str, ...]] = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": ("StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID", "StudyID", "AccessionNumber"),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "IMAGE": ("InstanceNumber",),
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": ("InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime"),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "PRESENTATION": (
        "InstanceNumber", "PresentationCreationDate", "PresentationCreationTime", "ContentLabel",
        "ContentDescription", "ContentCreatorName", "ReferencedSeriesSequence",
    ),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (
        *_CONTENT, "CompletionFlag", "VerificationFlag", "VerificationDateTime", "ConceptNameCodeSequence",
    ),
    "KEY OBJECT DOC": (*_CONTENT, "ConceptNameCodeSequence"),
    "SPECTROSCOPY": (
        *_CONTENT, "ImageType", "NumberOfFrames", "Rows", "Columns", "DataPointRows", "DataPointColumns",
    ),
    "RAW DATA": _CONTENT,
    "REGISTRATION": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "FIDUCIAL": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "ENCAP DOC": (
        *_CONTENT, "DocumentTitle", "ConceptNameCodeSequence", "MIMETypeOfEncapsulatedDocument",
    ),
    "VALUE MAP": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "MEASUREMENT": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "SURFACE": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
    "TRACT": (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName"),
}  # fmt: skip
_BY_WORD = (
    ("RTDose", "RT DOSE"), ("RTStructureSet", "RT STRUCTURE SET"), ("TreatmentRecord", "RT TREAT RECORD"),
    ("RTPlan", "RT PLAN"), ("RTIonPlan", "RT PLAN"), ("PresentationState", "PRESENTATION"),
    ("KeyObjectSelection", "KEY OBJECT DOC"), ("Encapsulated", "ENCAP DOC"), ("Waveform", "WAVEFORM"),
    ("ECG", "WAVEFORM"), ("RealWorldValueMapping", "VALUE MAP"), ("Registration", "REGISTRATION"),
    ("Fiducials", "FIDUCIAL"), ("SpectroscopyStorage", "SPECTROSCOPY"), ("RawData", "RAW DATA"),
    ("SurfaceSegmentation", "SURFACE"), ("Tractography", "TRACT"), ("SR", "SR DOCUMENT"),
    ("ReportStorage", "SR DOCUMENT"),
    ("ProcedureLog", "SR DOCUMENT"), ("Measurements", "MEASUREMENT"),
)  # fmt: skip
_MADE_UP = {
    **dict.fromkeys(("StudyDate", "ContentDate", "PresentationCreationDate"), _DATE),
    **dict.fromkeys(("StudyTime", "ContentTime", "PresentationCreationTime"), _TIME),
    "Modality": "OT",
    "ContentLabel": "UNNAMED",
    "DoseSummationType": "PLAN",
    "StructureSetLabel": "UNNAMED",
    "RTPlanLabel": "UNNAMED",
    "CompletionFlag": "PARTIAL",
    "VerificationFlag": "UNVERIFIED",
}
_COUNTED = frozenset({"StudyID", "SeriesNumber", "InstanceNumber", "PatientID"})
# May be empty where they are missing (type 2); the others that are missing are left out.
_EMPTY = frozenset(
    {
        "PatientName", "StudyDescription", "AccessionNumber", "StructureSetDate", "StructureSetTime",
        "RTPlanDate", "RTPlanTime", "TreatmentDate", "TreatmentTime", "ContentDescription", "DocumentTitle",
        "ContentCreatorName",
    }
)  # fmt: skip


def record_type(sop_class: str) -> str:
    """The directory record type of a SOP class (PS3.3 F.4); what is none of the others is an IMAGE."""
    keyword = uids.keyword_of(sop_class)
    return next((kind for word, kind in _BY_WORD if word in keyword), "IMAGE")


@dataclass
class _Record:
    kind: str
    elements: list[Element]
    below: list[_Record] = field(default_factory=list)
    at: int = 0


class Directory:
    """Collects the files of a file-set, then gives the DICOMDIR."""

    def __init__(self) -> None:
        self._patients: list[_Record] = []
        self._found: dict[tuple[str, ...], _Record] = {}

    def add(
        self,
        header: Header,
        file_id: Sequence[str],
        *,
        sop_class: str,
        sop_instance: str,
        transfer_syntax: str,
    ) -> None:
        """Add a file.

        Args:
            header: of the instance.
            file_id: its path, as components of at most 8 capital letters, digits and underscores.
            sop_class: UID.
            sop_instance: UID.
            transfer_syntax: of the file.
        """
        siblings = self._patients
        key: tuple[str, ...] = ()
        for kind, unique in zip(_LEVELS, _UNIQUE, strict=True):
            key = (*key, (header.text(unique) or "").strip())
            record = self._found.get(key)
            if record is None:
                record = _Record(kind, _keys_of(header, kind, len(siblings) + 1))
                self._found[key] = record
                siblings.append(record)
            siblings = record.below
        kind = record_type(sop_class)
        reference = [
            _text(0x00041500, "CS", "\\".join(file_id)),
            _text(0x00041510, "UI", sop_class),
            _text(0x00041511, "UI", sop_instance),
            _text(0x00041512, "UI", transfer_syntax),
        ]
        siblings.append(_Record(kind, reference + _keys_of(header, kind, len(siblings) + 1)))

    def to_bytes(self, name: str = "") -> bytes:
        """The DICOMDIR, a Part 10 file in Explicit VR Little Endian.

        Args:
            name: File-set ID, 16 characters at most.
        """
        instance = f"2.25.{uuid.uuid4().int}"
        group = meta_elements(uids.MEDIA_STORAGE_DIRECTORY, instance, uids.EXPLICIT_LITTLE_ENDIAN)
        head = file_head(group) + _encoded([_text(0x00041130, "CS", name[:16])])
        # Two offsets and the consistency flag, then the head of the sequence of records.
        start = len(head) + 12 + 12 + 10 + 12
        order = _in_order(self._patients)
        at = start
        bodies = {}
        for record in order:
            record.at = at
            bodies[id(record)] = _encoded(record.elements)
            at += 8 + _FIXED + len(_kind(record)) + len(bodies[id(record)])
        first = self._patients[0].at if self._patients else 0
        last = self._patients[-1].at if self._patients else 0
        parts = [head, _offset(0x1200, first), _offset(0x1202, last), _short(0x1212, 0)]
        parts.append(b"\x04\x00\x20\x12SQ\0\0" + _LONG.pack(at - start))
        following = _following(self._patients)
        for record in order:
            lower = record.below[0].at if record.below else 0
            fixed = (
                _offset(0x1400, following.get(id(record), 0))
                + _short(0x1410, 0xFFFF)
                + _offset(0x1420, lower)
            )
            body = fixed + _kind(record) + bodies[id(record)]
            parts.append(b"\xfe\xff\x00\xe0" + _LONG.pack(len(body)) + body)
        return b"".join(parts)


_FIXED = 12 + 10 + 12


def _in_order(records: list[_Record]) -> list[_Record]:
    found = []
    for record in records:
        found.append(record)
        found += _in_order(record.below)
    return found


def _following(records: list[_Record]) -> dict[int, int]:
    """Where the next record of the same level and parent is, by record."""
    found = {}
    for one, other in pairwise(records):
        found[id(one)] = other.at
    for record in records:
        found |= _following(record.below)
    return found


def _keys_of(header: Header, kind: str, number: int) -> list[Element]:
    """The keys of a record, sorted by tag; `number` counts records of the same parent."""
    words = _KEYS[kind]
    tags = {KEYWORDS[word]: word for word in words}
    told = {element.tag: element for element in header.pick([*tags, _CHARSET])}
    keys = []
    for tag, word in sorted(tags.items()):
        element = told.get(tag)
        if element is not None and (element.items or (element.value or b"").strip(b" \0")):
            keys.append(element)
        elif word in _COUNTED:
            keys.append(
                _text(tag, "SH" if word == "StudyID" else "LO" if word == "PatientID" else "IS", str(number))
            )
        elif word in _MADE_UP:
            keys.append(_text(tag, _vr(word), _MADE_UP[word]))
        elif word in _EMPTY:
            keys.append(_text(tag, _vr(word), ""))
    if _CHARSET in told and told[_CHARSET].value:
        keys.insert(0, told[_CHARSET])
    return sorted(keys, key=lambda element: element.tag)


def _vr(keyword: str) -> str:
    from isocenter.dicom.attributes import lookup

    return lookup(keyword).vr[:2]


def _text(tag: int, vr: str, value: str) -> Element:
    raw = value.encode("ascii", "replace")
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return Element(tag, vr, raw, 0, len(raw))


def _encoded(elements: list[Element]) -> bytes:
    out = BytesIO()
    Writer(BytesIO(), out, explicit=True).elements(elements)
    return out.getvalue()


def _kind(record: _Record) -> bytes:
    return _encoded([_text(0x00041430, "CS", record.kind)])


def _offset(element: int, value: int) -> bytes:
    return b"\x04\x00" + element.to_bytes(2, "little") + b"UL\x04\0" + _LONG.pack(value)


def _short(element: int, value: int) -> bytes:
    return b"\x04\x00" + element.to_bytes(2, "little") + b"US\x02\0" + value.to_bytes(2, "little")
