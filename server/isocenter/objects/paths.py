"""The relative path of an object: `<Study>/<Series>/<SOP>.<first digits of its identity digest>.dcm`.

A UID becomes a part of a path only when it is one by PS3.5 9.1; anything else that senders put there goes
under its hash, so no sender chooses a name.
"""

from __future__ import annotations

import hashlib
import re

from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import InvalidValue

_PART = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,254}\Z")

_PATH = re.compile(r"([^/]+)/([^/]+)/([^/]+)\.([0-9a-f]{8,64})\.dcm")

DIGITS = (8, 16, 64)
"""How much of the digest a name holds: more only when another object already has the shorter name."""


def object_path(study: str, series: str, sop_instance: str, digest: str, *, digits: int = DIGITS[0]) -> str:
    """Where the object of these UIDs and this identity digest (hex) belongs."""
    return f"{_part(study)}/{_part(series)}/{_part(sop_instance)}.{digest[:digits]}.dcm"


def _part(uid: str) -> str:
    if is_valid_uid(uid):
        return uid
    return "h-" + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def split_path(relpath: str) -> tuple[str, str, str, str] | None:
    """Study, series, instance and digits as they stand in an object's path; None where it is none of ours."""
    found = _PATH.fullmatch(relpath)
    return None if found is None else (found[1], found[2], found[3], found[4])


def is_named_by(relpath: str, digest: str) -> bool:
    """Whether the digits in this name are those of this digest (hex): the object proves itself by them."""
    return digest.startswith(relpath.rsplit(".", 2)[-2])


def checked(relpath: str) -> str:
    """`relpath`, if every part is a plain name. Raises InvalidValue for what might leave the store."""
    if all(_PART.match(part) for part in relpath.split("/")):
        return relpath
    raise InvalidValue("Not the path of an object", detail={"path": relpath[:200]})
