"""Names of results: by new UIDs alone, fit for media (PS3.10 8.2: 8 capital letters or digits a component).

A name says nothing that is not in the file. Study, series and instance are folders and file.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LEVELS = ("StudyInstanceUID", "SeriesInstanceUID")


def placed(folder: Path) -> Callable[[Dataset], Path]:
    """Gives a result its place below a folder; the same result always the same."""

    def place(result: Dataset) -> Path:
        parent = folder.joinpath(*(name_of(str(result.get(level, ""))) for level in _LEVELS))
        uid = str(result.SOPInstanceUID)
        for attempt in count():
            path = parent / name_of(f"{uid}/{attempt}" if attempt else uid)
            if not path.exists() or _uid_of(path) == uid:
                return path
        raise AssertionError("a count ends")

    return place


def name_of(uid: str) -> str:
    """The eight letters and digits that a UID gets; another UID may get them too, seldom."""
    number = int.from_bytes(sha256(uid.encode()).digest()[:5], "big")
    return "".join(_LETTERS[number >> 5 * place & 31] for place in range(8))


def _uid_of(path: Path) -> str:
    return str(read_file_meta_info(path).get("MediaStorageSOPInstanceUID", ""))
