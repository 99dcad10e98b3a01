"""The ids by which Orthanc's routes name resources: SHA-1 of Patient ID and UIDs down to their level.

Clients may work them out themselves, so they are made exactly so. Not here: finding what an id names.
"""

from __future__ import annotations

import re
from hashlib import sha1

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


def public_id(*parts: str) -> str:
    """The id of a resource by its Patient ID and its UIDs down to its level (one to four)."""
    digits = digest_of(*parts).hex()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def digest_of(*parts: str) -> bytes:
    """The 20 bytes of an id."""
    return sha1("|".join(parts).encode(), usedforsecurity=False).digest()


def digest_in(text: str) -> bytes | None:
    """The 20 bytes that an id is written for; None where it is no id."""
    told = text.lower()
    return bytes.fromhex(told.replace("-", "")) if _ID.fullmatch(told) else None
