"""A large index made of generated rows, to measure the index alone."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator

from isocenter.index import Index, Put

HEADER = os.urandom(1200)
SERIES_LENGTH, SERIES_PER_STUDY, STUDIES_PER_PATIENT = 100, 3, 2
FAMILIES = ("Doe", "Müller", "Yamada", "O'Neil", "García", "Smith", "Nguyen", "Rossi")


def generated(start: int = 0) -> Iterator[Put]:
    """CT and MR instances of about 3 KB of header each, in series of 100, with UIDs of usual length."""
    for number in itertools.count(start):
        series, place = divmod(number, SERIES_LENGTH)
        study, series_number = divmod(series, SERIES_PER_STUDY)
        yield _instance(number, study, series, series_number, place)


def _instance(number: int, study: int, series: int, series_number: int, place: int) -> Put:
    root = "1.3.6.1.4.1.14519.5.2.1.6279"
    study_uid, series_uid, sop_uid = (
        f"{root}.600{level}.{10**28 + at}" for level, at in ((1, study), (2, series), (3, number))
    )
    sha = hashlib.sha256(sop_uid.encode()).hexdigest()
    patient = study // STUDIES_PER_PATIENT
    keys = {
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": series_uid,
        "SOPInstanceUID": sop_uid,
        "SOPClassUID": f"1.2.840.10008.5.1.4.1.1.{2 if series_number else 4}",
        "Modality": "CT" if series_number else "MR",
        "PatientID": f"PAT{patient:07d}",
        "PatientName": f"{FAMILIES[patient % 8]}{patient}^John",
        "PatientBirthDate": f"19{patient % 90 + 10}0101",
        "PatientSex": "FM"[patient % 2],
        "StudyDate": f"20{study % 24:02d}{study % 12 + 1:02d}{study % 28 + 1:02d}",
        "StudyTime": "101500.123",
        "StudyDescription": f"CHEST {study % 50}",
        "AccessionNumber": f"A{study:08d}",
        "StudyID": str(study),
        "ReferringPhysicianName": "Ref^Phys",
        "SeriesNumber": str(series_number + 1),
        "SeriesDescription": "AXIAL 1.5 mm",
        "SeriesDate": "20200101",
        "SeriesTime": "101600",
        "BodyPartExamined": "CHEST",
        "ProtocolName": "Chest routine",
        "PatientPosition": "HFS",
        "Manufacturer": "ACME",
        "ManufacturerModelName": "Scan 3000",
        "DeviceSerialNumber": "1234",
        "SoftwareVersions": "v1\\v2",
        "StationName": "CT1",
        "InstitutionName": "Hospital",
        "FrameOfReferenceUID": f"{series_uid}.1",
        "InstanceNumber": str(place + 1),
        "AcquisitionNumber": "1",
        "AcquisitionDate": "20200101",
        "AcquisitionTime": f"1016{place % 60:02d}.{place:06d}",
        "ContentDate": "20200101",
        "ContentTime": f"1017{place % 60:02d}.{place:06d}",
        "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
        "Rows": "512",
        "Columns": "512",
        "BitsAllocated": "16",
    }
    return Put(
        keys=keys,
        header=HEADER,
        transfer_syntax="1.2.840.10008.1.2.1",
        data_set_offset=1280,
        object=f"{study_uid}/{series_uid}/{sop_uid}.{sha[:8]}.dcm",
        size=526_000,
        sha256=sha,
        file_sha256=sha,
        source_aet="CT1",
        called_aet="ISOCENTER",
        received=1_700_000_000_000_000 + number,
    )


def fill(index: Index, count: int, start: int = 0, group: int = 2000) -> None:
    """Store `count` generated instances in large groups, trimming the tail as the keeper would."""
    source = generated(start)
    for first in range(0, count, group):
        outcomes = index.writer.commit(list(itertools.islice(source, min(group, count - first))))
        index.writer.flush_done(outcomes[-1].seq, {"instances": outcomes[-1].seq})
