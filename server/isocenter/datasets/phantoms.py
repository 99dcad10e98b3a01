"""Generated studies of a person who never lived: a head CT with its dose report and what a treatment planning
adds to it (`planning`), a dental CBCT, a panoramic.

Whole, valid objects of PS3.3 (CT Image A.3, Digital X-Ray Image A.26, X-Ray Radiation Dose SR A.35.8) with
plausible geometry and pixel values, for demonstrations, teaching and tests. The same seed gives the same
bytes. It does not imitate an acquisition: no noise power spectrum, no scatter.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    XRayRadiationDoseSRStorage,
)

from isocenter.datasets import dose_reports, planning

Pixels = NDArray[np.int16]


@dataclass(frozen=True)
class Subject:
    """Whom a generated study is of, and when it was made."""

    PatientID: str = "PHANTOM-1"
    PatientName: str = "Röntgen^Anna Bertha"
    PatientBirthDate: str = "19501222"
    PatientSex: str = "F"
    StudyDate: str = "20240216"
    seed: str = "isocenter"

    def uid(self, *parts: object) -> str:
        """A UID of its own for each tuple of parts, the same at every call (`2.25.`, PS3.5 B.2)."""
        name = "/".join(str(part) for part in (self.seed, self.PatientID, self.StudyDate, *parts))
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"


def demonstration(subject: Subject | None = None, *, slices: int = 40, size: int = 512) -> Iterator[Dataset]:
    """All objects of the demonstration set: CT, dose report, SEG, RTSTRUCT and RTDOSE, CBCT, panoramic."""
    subject = subject or Subject()
    images = list(ct(subject, slices=slices, size=size))
    yield from images
    yield dose_report(subject)
    yield from planning.planned(images, lambda *parts: subject.uid("ct", "planning", *parts))
    yield from cbct(subject, slices=max(slices // 2, 1), size=size // 2)
    yield panoramic(subject, rows=size, columns=size * 2)


def ct(subject: Subject, *, slices: int = 40, size: int = 512) -> Iterator[Dataset]:
    """A head CT: `slices` axial images of `size` x `size`, 5 mm apart, in Hounsfield units."""
    spacing = 240.0 / size
    for number, plane in enumerate(_head(slices, size), start=1):
        image = _image(subject, "ct", CTImageStorage, "CT", number, "Head")
        image.SeriesDescription = "Head 5.0 mm"
        image.ManufacturerModelName = "Phantom CT"
        image.KVP, image.XRayTubeCurrent, image.ExposureTime, image.Exposure = "120", 200, 1000, 200
        image.ConvolutionKernel, image.CTDIvol = "H30", 42.5
        image.CTDIPhantomTypeCodeSequence = [_code(Code("113690", "DCM", "IEC Head Dosimetry Phantom"))]
        _axial(subject, image, plane, spacing, 5.0, number)
        yield image


def cbct(subject: Subject, *, slices: int = 20, size: int = 256) -> Iterator[Dataset]:
    """A dental cone beam CT: cubic voxels of 0.4 mm, stored as CT images."""
    for number, plane in enumerate(_jaw(slices, size), start=1):
        image = _image(subject, "cbct", CTImageStorage, "CT", number, "Jaw region")
        image.SeriesDescription = "CBCT mandible 0.4 mm"
        image.ManufacturerModelName = "Phantom CBCT"
        image.KVP, image.XRayTubeCurrent, image.ExposureTime = "90", 8, 12000
        image.ScanOptions = "CONE_BEAM"
        _axial(subject, image, plane, 0.4, 0.4, number)
        yield image


def panoramic(subject: Subject, *, rows: int = 512, columns: int = 1024) -> Dataset:
    """A dental panoramic radiograph of `rows` x `columns`, 12 bits."""
    image = _image(subject, "panoramic", DigitalXRayImageStorageForPresentation, "PX", 1, "Jaw region")
    image.SeriesDescription = "Panoramic"
    image.ImageType = ["DERIVED", "PRIMARY", ""]
    image.PresentationIntentType = "FOR PRESENTATION"
    image.ImageLaterality = "U"
    image.PatientOrientation = ["L", "F"]
    image.KVP, image.ExposureTime, image.XRayTubeCurrent = "73", 14000, 10
    image.ImageAndFluoroscopyAreaDoseProduct = 0.9  # dGy.cm2
    image.DetectorType, image.PositionerType = "DIRECT", "NONE"
    image.PixelSpacing = image.ImagerPixelSpacing = [0.1, 0.1]
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.BurnedInAnnotation, image.LossyImageCompression = "NO", "00"
    image.PresentationLUTShape = "IDENTITY"
    image.AnatomicRegionSequence = [_code(Code("661005", "SCT", "Jaw region"))]
    image.ViewCodeSequence = [_code(Code("261159000", "SCT", "Panoramic projection"))]
    image.AcquisitionContextSequence = []
    _pixels(image, _arch(rows, columns), bits=12, signed=False)
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "0", "1", "US"
    image.WindowCenter, image.WindowWidth = "2048", "4096"
    return image


def dose_report(subject: Subject) -> Dataset:
    """The X-Ray Radiation Dose SR (PS3.16 TID 10011) of the head CT of `ct`."""
    report = _object(subject, "dose", XRayRadiationDoseSRStorage, "SR", 1, "ct")
    report.SeriesDescription = "Dose report"
    report.ManufacturerModelName = "Phantom CT"
    report.DeviceSerialNumber, report.SoftwareVersions = "0001", "1"
    dose_reports.fill_ct(
        report,
        device_uid=subject.uid("device"),
        event_uid=subject.uid("ct", "event"),
        ctdi_vol=42.5,
        dlp=850.0,
    )
    return report


def _object(
    subject: Subject, series: str, sop_class: str, modality: str, number: int, study: str | None = None
) -> Dataset:
    study = study or series
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = sop_class, subject.uid(series, number)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate"):
        setattr(made, keyword, getattr(subject, keyword))
    made.StudyInstanceUID, made.SeriesInstanceUID = subject.uid(study), subject.uid(study, series, "series")
    made.StudyTime = made.SeriesTime = made.ContentTime = "101500"
    made.SeriesDate = made.ContentDate = subject.StudyDate
    made.AccessionNumber, made.StudyID = f"ACC-{study}", "1"
    made.ReferringPhysicianName, made.Manufacturer = "Hounsfield^Godfrey", "Isocenter"
    made.StudyDescription = {"ct": "CT head", "cbct": "CBCT jaw", "panoramic": "Panoramic"}[study]
    made.Modality, made.SeriesNumber, made.InstanceNumber = modality, _SERIES_NUMBERS[series], number
    return made


_SERIES_NUMBERS = {"ct": 2, "dose": 999, "cbct": 1, "panoramic": 1}


def _image(
    subject: Subject, series: str, sop_class: str, modality: str, number: int, body_part: str
) -> Dataset:
    image = _object(subject, series, sop_class, modality, number)
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.AcquisitionDate, image.AcquisitionTime, image.AcquisitionNumber = subject.StudyDate, "101500", 1
    image.BodyPartExamined = {"Head": "HEAD", "Jaw region": "JAW"}[body_part]
    image.PatientPosition = "HFS"
    return image


def _axial(
    subject: Subject, image: Dataset, plane: Pixels, spacing: float, thickness: float, number: int
) -> None:
    size = plane.shape[0]
    corner = -spacing * (size - 1) / 2
    image.FrameOfReferenceUID = subject.uid(image.SeriesInstanceUID, "frame of reference")
    image.PositionReferenceIndicator = ""
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [round(corner, 4), round(corner, 4), round(thickness * (number - 1), 4)]
    image.SliceLocation = round(thickness * (number - 1), 4)
    image.PixelSpacing, image.SliceThickness = [round(spacing, 6)] * 2, thickness
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "-1024", "1", "HU"
    image.WindowCenter, image.WindowWidth = "40", "400"
    _pixels(image, plane + 1024, bits=16, signed=False)


def _pixels(image: Dataset, plane: NDArray[Any], *, bits: int, signed: bool) -> None:
    image.Rows, image.Columns = plane.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits, bits - 1
    image.PixelRepresentation = int(signed)
    image.add_new("PixelData", "OW", plane.astype("<i2" if signed else "<u2").tobytes())


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = np.linspace(-1.0, 1.0, size)
    return np.meshgrid(line, line, indexing="ij")


def _speckle(shape: tuple[int, int], number: int, strength: int) -> Pixels:
    return np.random.default_rng(number).integers(-strength, strength, shape, dtype=np.int16)


def _head(slices: int, size: int) -> Iterator[Pixels]:
    """Skull, brain, ventricles and air in Hounsfield units, narrowing to the top."""
    y, x = _grid(size)
    for number in range(slices):
        scale = float(np.sqrt(max(1 - (number / max(slices, 1)) ** 2, 0.05)))
        radius = np.hypot(x / (0.72 * scale), y / (0.9 * scale))
        plane = np.full((size, size), -1000, dtype=np.int16)
        plane[radius < 1.0] = 40  # scalp
        plane[radius < 0.95] = 900  # bone
        plane[radius < 0.86] = 35  # brain
        plane[np.hypot((np.abs(x) - 0.12) / 0.07, y / 0.25) < scale] = 5  # ventricles
        yield np.where(plane > -1000, plane + _speckle(plane.shape, number, 6), plane).astype(np.int16)


def _jaw(slices: int, size: int) -> Iterator[Pixels]:
    """A horseshoe of bone with teeth in soft tissue."""
    y, x = _grid(size)
    bow = np.abs(np.hypot(x / 0.6, (y + 0.35) / 0.85) - 1.0)
    teeth = (np.sin(np.arctan2(y + 0.35, x) * 32) > 0) & (bow < 0.12)
    for number in range(slices):
        plane = np.full((size, size), -1000, dtype=np.int16)
        plane[np.hypot(x, y) < 0.95] = 60
        plane[(bow < 0.2) & (y > -0.35)] = 1100
        if number > slices // 2:
            plane[teeth & (y > -0.35)] = 2200
        yield (plane + _speckle(plane.shape, number, 25)).clip(-1024, 3071).astype(np.int16)


def _arch(rows: int, columns: int) -> Pixels:
    """Two rows of teeth over a mandible, as a panoramic shows them."""
    y = np.linspace(-1, 1, rows)[:, None]
    x = np.linspace(-1, 1, columns)[None, :]
    smile = y + 0.35 * (x**2) - 0.1
    plane = 900 + 700 * np.exp(-((smile / 0.5) ** 2))
    crowns = (np.abs(smile) < 0.28) & (np.abs(smile) > 0.03) & (np.cos(x * 50) > -0.55) & (np.abs(x) < 0.75)
    plane = plane + np.where(crowns, 1500.0, 0.0) + np.where(np.abs(smile - 0.75) < 0.12, 500.0, 0.0)
    return (plane + _speckle((rows, columns), 1, 20)).clip(0, 4095).astype(np.int16)


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item
