"""A head of simple bodies with a face, skull and brain, and series of CT and MR of it, in any orientation."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

AIR, SOFT, BONE, BRAIN = 0, 1, 2, 3
HU = np.array([-1000, 40, 900, 35])
SIGNAL = np.array([6, 320, 30, 250])
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
NOSE = (0.0, 116.0, -58.0)
"""Tip: to the left, front and up from the middle of the head, mm."""
EYES = ((-32.0, 84.0, -28.0), (32.0, 84.0, -28.0))


def turn(pitch: float, yaw: float) -> NDArray[np.float64]:
    """Rotation of (left, front, up) by degrees: chin up, then to the left."""
    a, b = np.radians(pitch), np.radians(yaw)
    nod = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    shake = np.array([[np.cos(b), np.sin(b), 0], [-np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return shake @ nod


def kinds(points: NDArray[np.float64], scale: float = 1.0) -> NDArray[np.int8]:
    """What lies at points (left, front, up), mm from the middle of the head, as (..., 3)."""
    x, f, z = (np.moveaxis(points, -1, 0) / scale).astype(np.float32)

    def ball(
        centre: tuple[float, float, float], half: tuple[float, float, float], *, mirrored: bool = False
    ) -> NDArray[np.bool_]:
        side = np.abs(x) if mirrored else x
        told: NDArray[np.bool_] = ((side - centre[0]) / half[0]) ** 2 + ((f - centre[1]) / half[1]) ** 2 + (
            (z - centre[2]) / half[2]
        ) ** 2 < 1
        return told

    head = ball((0, 0, 0), (75, 95, 90)) | ball((0, 35, -78), (60, 58, 72))
    head |= (np.hypot(x, f + 15) < 55) & (z < -60)
    head &= ~ball((33, 97, -28), (15, 13, 11), mirrored=True)
    head |= ball((32, 74, -28), (12, 12, 12), mirrored=True)
    head |= ball((0, 90, -50), (16, 27, 24)) | ball((0, 84, -130), (20, 14, 14))
    head |= ball((0, 92, -93), (24, 9, 8)) & ~ball((0, 101, -93), (22, 8, 2))
    head |= ball((78, -5, -35), (7, 18, 28), mirrored=True)
    head &= ~(ball((0, 60, -62), (12, 38, 18)))  # the nasal cavity
    skull = ball((0, 0, 0), (70, 88, 84)) & ~ball((0, 0, 0), (64, 81, 78)) & (z > -55)
    floor = np.where((f > 20) & (np.abs(x) < 75), -14, np.where((f > -20) & (np.abs(x) > 20), -40, -45))
    floor = np.where((f > 20) & (f < 42) & (np.abs(x) > 18), -38, floor)  # the temporal lobes
    brain = ball((0, 0, 0), (63, 80, 77)) & (z > floor)
    made = np.where(head, SOFT, AIR).astype(np.int8)
    made[skull & head] = BONE
    made[brain] = BRAIN
    return made


def frames(
    orientation: tuple[tuple[float, ...], tuple[float, ...]] = AXIAL,
    *,
    spacing: float = 2.0,
    step: float = 3.0,
    low: float = -160.0,
    high: float = 105.0,
    pitch: float = 0.0,
    yaw: float = 0.0,
    scale: float = 1.0,
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]:
    """Planes of a head: kinds as (slices, rows, columns), origins (slices, 3) and orientation (6), patient's.

    `low` and `high` are where the volume ends below and above, mm from the middle of the head.
    """
    across, down = (np.array(axis) for axis in orientation)
    normal = np.cross(across, down)
    bounds = np.array([[-102.0, 102.0], [-135.0, 125.0], [low, high]])
    ranges = []
    for axis in (across, down, normal):
        number = int(np.argmax(np.abs(axis)))
        ends = np.sort(bounds[number] * axis[number])
        ranges.append(np.arange(ends[0], ends[1], step if axis is normal else spacing))
    points = (
        ranges[2][:, None, None, None] * normal
        + ranges[1][None, :, None, None] * down
        + ranges[0][None, None, :, None] * across
    )
    own = (points * np.array([1, -1, 1])) @ turn(pitch, yaw)
    origins = ranges[2][:, None] * normal + ranges[1][0] * down + ranges[0][0] * across
    return kinds(own, scale), origins, np.concatenate([across, down])


def pixels(planes: NDArray[np.int8], modality: str) -> NDArray[np.int16]:
    """Hounsfield units or signal, with noise."""
    noise = np.random.default_rng(7).integers(-5, 6, planes.shape)
    return ((HU if modality == "CT" else SIGNAL)[planes] + noise).astype(np.int16)


def write_series(folder: Path, modality: str = "CT", *, spacing: float = 2.0, **how: Any) -> list[Path]:
    """A series of single-frame CT or MR images of a head, of `frames`; the files in order."""
    planes, origins, orientation = frames(spacing=spacing, **how)
    stored = pixels(planes, modality)
    folder.mkdir(parents=True, exist_ok=True)
    series, study, place = (f"2.25.{uuid.uuid4().int}" for _ in range(3))
    made = []
    for number, (plane, origin) in enumerate(zip(stored, origins, strict=True), start=1):
        image = _object(CTImageStorage if modality == "CT" else MRImageStorage, modality, study, series)
        image.InstanceNumber, image.FrameOfReferenceUID = number, place
        image.ImagePositionPatient, image.ImageOrientationPatient = list(origin), list(orientation)
        image.PixelSpacing = [spacing, spacing]
        if modality == "CT":
            image.RescaleIntercept, image.RescaleSlope = "-1024", "1"
        _fill(image, plane + 1024 if modality == "CT" else plane)
        made.append(folder / f"{number:03}.dcm")
        image.save_as(made[-1], enforce_file_format=True)
    return made


def write_enhanced(path: Path, *, spacing: float = 2.0, **how: Any) -> Path:
    """The same as one enhanced MR object."""
    planes, origins, orientation = frames(spacing=spacing, **how)
    image = _object(EnhancedMRImageStorage, "MR", f"2.25.{uuid.uuid4().int}", f"2.25.{uuid.uuid4().int}")
    turned, measures, shared = Dataset(), Dataset(), Dataset()
    turned.ImageOrientationPatient = list(orientation)
    measures.PixelSpacing = [spacing, spacing]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([turned]), Sequence([measures])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    image.PerFrameFunctionalGroupsSequence = Sequence([_position(origin) for origin in origins])
    image.NumberOfFrames = len(planes)
    _fill(image, pixels(planes, "MR"))
    image.save_as(path, enforce_file_format=True)
    return path


def _position(origin: NDArray[np.float64]) -> Dataset:
    group, place = Dataset(), Dataset()
    place.ImagePositionPatient = list(origin)
    group.PlanePositionSequence = Sequence([place])
    return group


def _object(sop_class: str, modality: str, study: str, series: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = sop_class, f"2.25.{uuid.uuid4().int}"
    image.PatientName, image.PatientID, image.Modality = "Doe^Jane", "4711", modality
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.BodyPartExamined = "HEAD"
    return image


def _fill(image: Dataset, array: NDArray[Any]) -> None:
    image.Rows, image.Columns = array.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.add_new("PixelData", "OW", array.astype("<i2").tobytes())


def read_series(paths: list[Path]) -> NDArray[np.int16]:
    """Stored values of files in their order, as (slices, rows, columns)."""
    return np.array([pydicom.dcmread(path).pixel_array for path in paths])
