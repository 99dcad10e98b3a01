"""What the second reader looks for: its own list of attributes that identify, and patterns of identifiers.

Made from the eighteen identifiers of 45 CFR 164.514(b)(2)(i), not from Table E.1-1, so that a gap in one list
is no gap in the other. Not here: looking for them (`verify`).
"""

from __future__ import annotations

import re

from isocenter.deid.profile import Option

NUMBERS = frozenset(
    int(tag, 16)
    for tag in """00100020 00101000 00101090 00080050 00380010 00321070 00402016 00402017 00380060 00101050
    00100050 00120040 00120042 0040A353 0040A354 00102154 00102155 00101040 00081088 00400512 00400551
    00200010 00100021 00380014 00380064 00400260 00080094 00080092""".split()  # noqa: SIM905 (shorter than a list)
)
"""Numbers, addresses and contacts of patients, orders and visits."""
PLACES = frozenset(
    {
        0x00080080,
        0x00080081,
        0x00081040,
        0x00321021,
        0x00380300,
        0x00380400,
        0x00120030,
        0x00120031,
        0x0040A027,
        0x00189919,
    }
)
"""Institutions, departments and wards."""
DEVICES = frozenset(
    {
        0x00181000,
        0x00081010,
        0x00181008,
        0x00181004,
        0x00181007,
        0x0018700A,
        0x00181002,
        0x00400241,
        0x00400242,
        0x00203401,
    }
)
"""Serial numbers and names of single devices."""
BIRTH_DATE = 0x00100030
OPTION_OF = {PLACES: Option.RETAIN_INSTITUTION_IDENTITY, DEVICES: Option.RETAIN_DEVICE_IDENTITY}
LEFTOVERS = {
    0xFFFCFFFC: "trailing padding",
    0xFFFAFFFA: "digital signatures",
    0x04000561: "original attributes",
}
"""What has no place in a result."""

TEXT_VR = frozenset({"LO", "LT", "SH", "ST", "UC", "UR", "UT", "CS", "AE", "PN"})
UIDS = re.compile(rb"\d+(?:\.\d+){3,}")
_PHONE = r"(?<![\w.])\+?\(?\d{2,4}\)?(?:[ /-]\d{2,5}){2,}(?![\w.])"
_NUMBER = r"(?i)\b(?:mrn|pat(?:ient)?[ _-]?(?:id|nr|no)|acc(?:ession)?)\b\W{0,3}\w*\d"
_SOCIAL = r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"
_DATE = (
    r"(?<!\d)(?:(?:19|20)\d\d([-./]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|1[0-2])\2(?:19|20)?\d\d)(?![\d.])"
)
_TITLE = r"\b(?:Dr|Prof|Mr|Mrs|Ms|Herr|Frau|Mme)\b\.? [A-Z]\w+"
PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("e-mail", "looks like an e-mail address", re.compile(r"[\w.+-]+@[\w-]+\.\w{2,}")),
    ("phone", "looks like a telephone number", re.compile(_PHONE)),
    ("number", "looks like the number of a patient", re.compile(_NUMBER)),
    ("number", "looks like a social security number", re.compile(_SOCIAL)),
    ("date", "looks like a date", re.compile(_DATE)),
    ("name", "looks like the name of a person", re.compile(r"[A-Za-z'-]{2,}\^[A-Za-z]")),
    ("name", "looks like the name of a person", re.compile(_TITLE)),
    ("address", "looks like a web address", re.compile(r"https?://[^/\s]")),
)
"""Kind, words and pattern of what looks like an identifier in a text."""
