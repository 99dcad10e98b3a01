"""Code strings that say how a data set is to be read, with their Defined Terms (PS3.3).

A patient whose name is one of these words must not make the object unreadable: such a term in such an
attribute says nothing of anybody. Any other value of these attributes is searched like all text.
"""

from __future__ import annotations

import re

_TERMS: dict[int, str] = {
    0x00080005: r"(?:ISO_IR|ISO 2022 IR) \d{1,3}|GB18030|GBK",  # Specific Character Set
    0x00080008: "ORIGINAL|DERIVED|PRIMARY|SECONDARY|AXIAL|LOCALIZER|MIXED|VOLUME|OTHER",  # Image Type
    0x00080060: "[A-Z]{2}|SEG|REG|FID|DOC|KO|PR|RTIMAGE|RTDOSE|RTSTRUCT|RTPLAN|RTRECORD|IVUS|IVOCT|ECG|EPS",
    0x00280004: "MONOCHROME[12]|PALETTE COLOR|RGB|YBR_[A-Z0-9_]+|XYB",  # Photometric Interpretation
    0x0040A010: "CONTAINS|HAS (?:OBS CONTEXT|CONCEPT MOD|ACQ CONTEXT|PROPERTIES)|(?:INFERRED|SELECTED) FROM",
    0x0040A040: "TEXT|NUM|CODE|DATETIME|DATE|TIME|UIDREF|PNAME|COMPOSITE|IMAGE|WAVEFORM|[ST]COORD(?:3D)?|"
    "CONTAINER|TABLE",  # Value Type
    0x0040A050: "SEPARATE|CONTINUOUS",  # Continuity of Content
    0x0040A491: "PARTIAL|COMPLETE",  # Completion Flag
    0x0040A493: "UNVERIFIED|VERIFIED",  # Verification Flag
    0x00620001: "BINARY|FRACTIONAL|LABELMAP",  # Segmentation Type
}
_COMPILED = {tag: re.compile(terms) for tag, terms in _TERMS.items()}


def is_term(tag: int, text: str) -> bool:
    """Whether the value is a Defined Term of this attribute."""
    terms = _COMPILED.get(tag)
    return terms is not None and terms.fullmatch(text.strip(" \0")) is not None
