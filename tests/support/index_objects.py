"""Objects as the index gets them: keys, a header, digests, and nothing on a disk."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from isocenter.index import Put, open_index

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"


def study_uid(study: int) -> str:
    return f"1.2.3.{study}"


def series_uid(study: int, series: int) -> str:
    return f"1.2.3.{study}.{series}"


def sop_uid(study: int, series: int, number: int) -> str:
    return f"1.2.3.{study}.{series}.{number}"


def put(study: int = 1, series: int = 1, number: int = 1, content: str = "", **keys: str) -> Put:
    """An object; another `content` makes other bytes. Keys replace or add attributes; None leaves one out."""
    uid = keys.get("SOPInstanceUID", sop_uid(study, series, number))
    sha = hashlib.sha256(f"{uid}/{content}".encode()).hexdigest()
    told = {
        "StudyInstanceUID": study_uid(study),
        "SeriesInstanceUID": series_uid(study, series),
        "SOPInstanceUID": uid,
        "SOPClassUID": CT,
        "PatientID": f"P{study}",
        "PatientName": f"Patient{study}^Some",
        "StudyDate": "20240131",
        "StudyTime": "1015",
        "Modality": "CT",
        "SeriesNumber": str(series),
        "InstanceNumber": str(number),
    } | {name.replace("__", "."): text for name, text in keys.items()}
    told = {name: text for name, text in told.items() if text is not None}
    folder = f"{told.get('StudyInstanceUID')}/{told.get('SeriesInstanceUID')}".replace("\0", "")
    return Put(
        keys=told,
        header=zlib.compress(f"header of {uid} {content}".encode(), 1),
        transfer_syntax="1.2.840.10008.1.2.1",
        data_set_offset=1280,
        object=f"{folder}/{uid.strip(chr(0))}.{sha[:8]}.dcm",
        size=1000 + number,
        sha256=sha,
        file_sha256=hashlib.sha256(sha.encode()).hexdigest(),
        source_aet="MODALITY",
        called_aet="ISOCENTER",
        received=1_700_000_000_000_000 + number,
    )


def store_some(place: str | Path, study: int, count: int) -> None:
    """What a process of its own does: commits into a series of its own study and into a shared study."""
    with open_index(place, lock_timeout=60) as index:
        for number in range(count):
            index.writer.commit([put(study, 1, number), put(99, study, number)])
