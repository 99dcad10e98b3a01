"""Text without what may identify (Clean Descriptors, PS3.15 E.3.5): what looks like a name or number goes.

Cleaning errs on the side of removing. It cannot know every name, so what it leaves is listed in the report
for a person to read.
"""

from __future__ import annotations

import re

from isocenter.deid.known import Known

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez"
_RISKY = re.compile(
    rf"""
      [\w.+-]+@[\w-]+\.[\w.]+                                      # e-mail
    | https?://\S+
    | \b\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}\b                    # dates
    | \b\d{{1,2}}[ .-]?(?:{_MONTHS})[a-zä]*[ .,-]*(?:\d{{4}}|\d{{2}})?\b
    | \b(?:{_MONTHS})[a-zä]*[ .,-]+\d{{1,2}}(?:[ ,.-]+\d{{4}})?\b
    | \b(?:19|20)\d{{6}}\b
    | \+?\(?\d{{2,5}}\)?(?:[ /-]\d{{2,5}}){{2,}}                   # telephone
    | \b[A-Z]{{0,4}}[-#:]?\d{{5,}}\b                               # numbers of patients and visits
    | \b(?:mrn|pat(?:ient)?(?:[ ._-]?(?:id|nr|no|name))?|dob|born|geb|accession|acc)\b[.:#\s]*[\w-]*\d[\w-]*
    | \b(?:dr|prof|mr|mrs|ms|herr|frau|doctor|physician|nurse|mme|sr|sra)\b\.?\s+[\w'-]+(?:\s+[A-Z][\w'-]+)?
    | \b[A-Z][\w'-]+\^[\w'^ -]+                                    # a name as PN
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SPACES = re.compile(r"[ \t]{2,}")


def without(known: Known | None, text: str) -> str:
    """The text without identifiers of the patient."""
    if known is None or not known.search(text):
        return text
    return _tidy(known.sub(" ", text))


def cleaned(known: Known | None, text: str) -> str:
    """The text without identifiers of the patient and without what looks like one of anybody."""
    return _tidy(_RISKY.sub(" ", without(known, text)))


def is_risky(text: str) -> bool:
    """Whether something in it looks like an identifier."""
    return _RISKY.search(text) is not None


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip(" ,;:-_/()[]")
