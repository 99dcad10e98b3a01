"""An object with a value of its own in each row of Table E.1-1, at the top, one and two sequences deep."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.deid._profile_table import ROWS
from isocenter.deid.plan import vr_of

CT = "1.2.840.10008.5.1.4.1.1.2"
OUTER, INNER = 0x00082218, 0x00082220  # Anatomic Region Sequence, its Modifier Sequence: in no row
NOT_HERE = {0x00080016, 0x00020003, 0x00041511}


def rows() -> Iterator[int]:
    """The tags of the table that a data set may hold."""
    for pattern, *_ in ROWS:
        if pattern == "PRIVATE":
            continue
        tag = int(pattern.replace("x", "0"), 16) if pattern != "50xxxxxx" else 0x50003000
        if tag not in NOT_HERE and vr_of(tag) and tag >> 16 > 7:
            yield tag


def unique(tag: int, depth: int) -> object:
    """A value for a tag that occurs nowhere else."""
    vr, number = vr_of(tag).split(" ")[0], tag % 100_000 * 3 + depth
    if vr == "SQ":
        return Sequence([_with(0x00104000, depth, f"CANARY{tag:08X}D{depth}")])
    date = f"19{number % 80 + 10:02}{number % 12 + 1:02}{number % 28 + 1:02}"
    return {
        "DA": date,
        "DT": f"{date}{number % 24:02}{number % 60:02}",
        "TM": f"{number % 24:02}{number % 60:02}{number % 59 + 1:02}.{number % 1_000_000:06}",
        "AS": f"{number % 80 + 10:03}Y",
        "IS": str(1_000_000 + number),
        "DS": str(1_000_000 + number),
        "UI": f"1.2.826.0.1.{number}.{depth + 1}",
        "AE": f"AE{number}",
        "CS": f"C{tag:08X}D{depth}",
        "SH": f"S{tag:08X}D{depth}",
        "PN": f"Person{tag:08X}^D{depth}",
        "UR": f"http://host{tag:08X}/{depth}",
        "OB": f"B{tag:08X}D{depth}.".encode(),
        "OW": f"W{tag:08X}D{depth}.".encode(),
        "UN": f"U{tag:08X}D{depth}.".encode(),
        "AT": tag,
        "US": number % 65_000,
        "SS": number % 32_000,
        "UL": number,
        "SL": number,
        "FL": float(number),
        "FD": float(number),
        "OF": b"\1\2\3\4",
    }.get(vr, f"Text {tag:08X} depth {depth} Zyx")


def _with(tag: int, depth: int, value: object | None = None) -> Dataset:
    item = Dataset()
    vr = vr_of(tag).split(" ")[0]
    item.add(DataElement(tag, vr, unique(tag, depth) if value is None else value))
    return item


def filled(depth: int) -> Dataset:
    """A data set with a value in every row."""
    made = Dataset()
    for tag in rows():
        made.add(DataElement(tag, vr_of(tag).split(" ")[0], unique(tag, depth)))
    return made


def canary() -> Dataset:
    """The object."""
    whole = filled(0)
    whole.SOPClassUID = CT
    deep, deeper = filled(1), filled(2)
    deep.add(DataElement(INNER, "SQ", Sequence([deeper])))
    whole.add(DataElement(OUTER, "SQ", Sequence([deep])))
    whole.file_meta = FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.file_meta.MediaStorageSOPClassUID = CT
    whole.file_meta.MediaStorageSOPInstanceUID = whole.SOPInstanceUID
    return whole
