"""Series whose geometry is known, for volumes: oblique CT slices, echoes, an enhanced CT, a dose grid."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTDoseStorage

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_TURN = np.deg2rad(20)
OBLIQUE = (1.0, 0.0, 0.0, 0.0, float(np.cos(_TURN)), float(np.sin(_TURN)))
ORIGIN, SPACING, STEP, ROWS, COLUMNS = (-100.5, -80.25, 40.0), (0.75, 0.5), 2.5, 12, 16


def normal(orientation: Iterable[float] = AXIAL) -> np.ndarray[Any, Any]:
    """Rows x columns."""
    told = np.asarray(list(orientation))
    return np.cross(told[:3], told[3:])


def plane(index: int, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray[Any, Any]:
    """Stored values that tell slice, row and column."""
    row, column = np.mgrid[0:rows, 0:columns]
    return (index * 1000 + row * 20 + column).astype(np.int16)


def ct(
    series: str,
    index: int,
    *,
    at: float | None = None,
    orientation: Any = AXIAL,
    shift: Any = (0, 0, 0),
    **more: Any,
) -> Dataset:
    """Slice `index` of a CT; `at` is where it lies in slice steps, `shift` mm beyond that."""
    made = image(series, f"{series}.{more.pop('name', index + 1)}", CTImageStorage, "CT")
    along = normal(orientation) * STEP * (index if at is None else at)
    made.ImagePositionPatient = [round(float(v), 6) for v in np.asarray(ORIGIN) + along + np.asarray(shift)]
    made.ImageOrientationPatient = [round(v, 9) for v in orientation]
    made.PixelSpacing, made.SliceThickness = list(SPACING), STEP
    made.InstanceNumber = index + 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    pixels(made, plane(index))
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def image(series: str, uid: str, sop_class: str, modality: str) -> Dataset:
    """An image without pixels and place."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = sop_class, uid
    made.StudyInstanceUID, made.SeriesInstanceUID = series.rpartition(".")[0], series
    made.FrameOfReferenceUID = f"{series}.99"
    made.PatientID, made.PatientName, made.Modality = "P1", "Doe^Jane", modality
    made.StudyDate, made.StudyTime = datetime.date(2024, 1, 5).strftime("%Y%m%d"), "101500"
    made.StudyID, made.AccessionNumber, made.SeriesNumber = "1", "", 1
    made.PatientBirthDate, made.PatientSex, made.ReferringPhysicianName = "", "", ""
    return made


def pixels(made: Dataset, values: np.ndarray[Any, Any], bits: int | None = None) -> None:
    """Give it these values, of shape (rows, columns) or (frames, rows, columns)."""
    made.Rows, made.Columns = values.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = values.dtype.itemsize * 8
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    made.PixelData = values.tobytes()


def series(uid: str, count: int = 6, **how: Any) -> list[Dataset]:
    """An even stack of CT slices, out of order."""
    return [ct(uid, index, **how) for index in reversed(range(count))]


def enhanced(uid: str, count: int = 6) -> Dataset:
    """The same stack as one enhanced CT, its rescale different in each frame."""
    made = image(uid, f"{uid}.1", "1.2.840.10008.5.1.4.1.1.2.1", "CT")
    made.InstanceNumber, made.NumberOfFrames = 1, count
    shared, order = Dataset(), Dataset()
    order.ImageOrientationPatient = list(AXIAL)
    shared.PlaneOrientationSequence = Sequence([order])
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), STEP
    shared.PixelMeasuresSequence = Sequence([measures])
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence([_groups(index) for index in reversed(range(count))])
    pixels(made, np.stack([plane(index) for index in reversed(range(count))]))
    return made


def _groups(index: int) -> Dataset:
    made, place, value, content = Dataset(), Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [float(v) for v in np.asarray(ORIGIN) + normal() * STEP * index]
    made.PlanePositionSequence = Sequence([place])
    value.RescaleSlope, value.RescaleIntercept, value.RescaleType = index + 1, -1000, "HU"
    made.PixelValueTransformationSequence = Sequence([value])
    content.TemporalPositionIndex, content.StackID, content.InStackPositionNumber = 1, "1", index + 1
    made.FrameContentSequence = Sequence([content])
    return made


def dose(uid: str, frames: int = 5) -> Dataset:
    """A dose grid whose planes are 3 mm apart, in steps of 0.25 mGy."""
    made = image(uid, f"{uid}.1", RTDoseStorage, "RTDOSE")
    made.InstanceNumber, made.NumberOfFrames = 1, frames
    made.ImagePositionPatient, made.ImageOrientationPatient = list(ORIGIN), list(AXIAL)
    made.PixelSpacing = list(SPACING)
    made.GridFrameOffsetVector = [3.0 * index for index in range(frames)]
    made.FrameIncrementPointer = 0x3004000C
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    made.DoseGridScaling = 0.00025
    pixels(made, np.stack([plane(index).astype(np.uint32) for index in range(frames)]))
    return made
