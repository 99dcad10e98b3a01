"""What a treatment planning adds to the generated head CT: a segmentation, a structure set and a dose.

Whole objects of PS3.3 (Segmentation A.51 by highdicom, RT Structure Set A.19, RT Dose A.18) on the grid of
the CT, the dose on a coarser one of its own. It falls off smoothly around the target: nobody planned it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, RTPlanStorage, RTStructureSetStorage

NewUid = Callable[..., str]
Points = NDArray[np.float64]

TARGET = (30.0, -24.0)
"""Centre of the target in the axial plane, in mm."""
TARGET_RADII = (22.0, 18.0, 26.0)
"""Of the target, in mm along x, y and z."""
PRESCRIBED = 60.0
"""Highest dose in Gy."""
DOSE_STEP = 4.0
"""Spacing of the dose grid in the plane, in mm; along z it is that of the CT halved."""

_SEGMENTS = (
    ("Skull", Code("89546000", "SCT", "Skull"), (236, 222, 190)),
    ("Brain", Code("12738006", "SCT", "Brain"), (231, 138, 155)),
    ("Ventricles", Code("35764002", "SCT", "Brain ventricle"), (86, 180, 233)),
)
_STRUCTURES = (
    ("External", "EXTERNAL", (120, 220, 120)),
    ("Brain", "ORGAN", (255, 170, 190)),
    ("PTV", "PTV", (255, 80, 80)),
)


def planned(images: Sequence[Dataset], uid: NewUid) -> Iterator[Dataset]:
    """Segmentation, structure set and dose of a head CT of `phantoms.ct`.

    Args:
        images: the CT, from the neck upwards.
        uid: makes a UID of its own for each tuple of parts.
    """
    yield segmentation(images, uid)
    yield structure_set(images, uid)
    yield dose(images, uid)


def segmentation(images: Sequence[Dataset], uid: NewUid) -> Dataset:
    """Skull, brain and ventricles as a binary SEG, by their Hounsfield units."""
    import highdicom

    values = np.stack([image.pixel_array.astype(np.int16) - 1024 for image in images])
    inside = (values > -200) & (values < 500)
    masks = [values > 500, inside & (values > 12) & _within(images, 0.86), inside & (values < 13)]
    masks[2] &= _within(images, 0.6)
    made = highdicom.seg.Segmentation(
        source_images=list(images),
        pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[_segment(number, *told) for number, told in enumerate(_SEGMENTS, start=1)],
        series_instance_uid=uid("segmentation", "series"),
        series_number=900,
        sop_instance_uid=uid("segmentation", 1),
        instance_number=1,
        manufacturer="Isocenter",
        manufacturer_model_name="Phantom",
        software_versions="1",
        device_serial_number="0001",
        content_label="HEAD",
        series_description="Head segmentation",
    )
    for kind in ("Content", "Series", "InstanceCreation"):  # the same at every call
        setattr(made, f"{kind}Date", images[0].StudyDate)
        setattr(made, f"{kind}Time", images[0].StudyTime)
    for item in made.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = f"{images[0].StudyDate}{images[0].StudyTime}"
    made.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid("segmentation", "dimensions")
    for item in made.DimensionIndexSequence:
        item.DimensionOrganizationUID = uid("segmentation", "dimensions")
    return made


def structure_set(images: Sequence[Dataset], uid: NewUid) -> Dataset:
    """External, brain and target as an RTSTRUCT, a closed planar contour a slice."""
    made = _derived(images[0], RTStructureSetStorage, "RTSTRUCT", 901, uid, "structures")
    made.SeriesDescription = "Structures"
    made.StructureSetLabel = "HEAD"
    made.StructureSetDate, made.StructureSetTime = made.StudyDate, made.StudyTime
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = images[0].FrameOfReferenceUID, ""
    made.ReferencedFrameOfReferenceSequence = [_frame_of(images)]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, (name, kind, colour) in enumerate(_STRUCTURES, start=1):
        roi, contours, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "AUTOMATIC"
        roi.ReferencedFrameOfReferenceUID = images[0].FrameOfReferenceUID
        contours.ReferencedROINumber, contours.ROIDisplayColor = number, list(colour)
        contours.ContourSequence = [
            _contour(image, outline)
            for place, image in enumerate(images)
            if (outline := _outline(name, place, images)) is not None
        ]
        observed.ObservationNumber = observed.ReferencedROINumber = number
        observed.RTROIInterpretedType, observed.ROIInterpreter = kind, ""
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(contours)
        made.RTROIObservationsSequence.append(observed)
    return made


def dose(images: Sequence[Dataset], uid: NewUid) -> Dataset:
    """A physical dose in Gy around the target, on a grid that is not the CT's."""
    made = _derived(images[0], RTDoseStorage, "RTDOSE", 902, uid, "dose")
    made.SeriesDescription = "Dose"
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = images[0].FrameOfReferenceUID, ""
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    made.DoseGridScaling = "1E-3"
    plan = Dataset()  # a dose of a plan names it; it is not part of the demonstration
    plan.ReferencedSOPClassUID, plan.ReferencedSOPInstanceUID = RTPlanStorage, uid("plan", 1)
    made.ReferencedRTPlanSequence = [plan]
    step_z = float(images[0].SliceThickness) / 2
    x = np.arange(-100.0, 100.1, DOSE_STEP)
    y = np.arange(-112.0, 112.1, DOSE_STEP)
    z = np.arange(0.0, (len(images) - 1) * step_z * 2 + 0.01, step_z)
    grid = dose_at(x[None, None, :], y[None, :, None], z[:, None, None], images)
    made.NumberOfFrames, made.Rows, made.Columns = grid.shape
    made.FrameIncrementPointer = 0x3004000C
    made.GridFrameOffsetVector = [f"{value:g}" for value in z]
    made.ImagePositionPatient = [x[0], y[0], float(images[0].ImagePositionPatient[2])]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [DOSE_STEP, DOSE_STEP], step_z
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.add_new("PixelData", "OW", np.round(grid * 1e3).astype("<u2").tobytes())
    return made


def dose_at(x: Points, y: Points, z: Points, images: Sequence[Dataset]) -> Points:
    """Dose in Gy at points of the patient (mm): flat in the target, a fall around it, two beams."""
    centre_z = float(images[len(images) // 2].ImagePositionPatient[2])
    radii = TARGET_RADII
    distance = np.sqrt(
        ((x - TARGET[0]) / radii[0]) ** 2
        + ((y - TARGET[1]) / radii[1]) ** 2
        + ((z - centre_z) / radii[2]) ** 2
    )
    around = np.where(distance < 1, 1 - 0.05 * distance**2, 0.95 * np.exp(-(distance - 1) / 0.9))
    slab = np.exp(-(((z - centre_z) / (radii[2] * 1.2)) ** 4))
    from_left = np.exp(-(((y - TARGET[1]) / 15) ** 4)) / (1 + np.exp((TARGET[0] - x) / 4))
    from_front = np.exp(-(((x - TARGET[0]) / 15) ** 4)) / (1 + np.exp((y - TARGET[1]) / 4))
    beams = from_left + from_front
    height = (z - float(images[0].ImagePositionPatient[2])) / float(images[0].SliceThickness)
    scale = np.sqrt(np.maximum(1 - (height / len(images)) ** 2, 0.05))
    half = float(images[0].PixelSpacing[0]) * (images[0].Rows - 1) / 2
    away = np.hypot(x / (0.72 * scale * half), y / (0.9 * scale * half))
    body = 1 / (1 + np.exp((away - 0.99) / 0.015))
    made: Points = PRESCRIBED * body * np.maximum(around, 0.35 * slab * np.minimum(beams, 1.0))
    return made


def _within(images: Sequence[Dataset], share: float) -> NDArray[np.bool_]:
    size = images[0].Rows
    line = np.linspace(-1.0, 1.0, size)
    y, x = np.meshgrid(line, line, indexing="ij")
    scales = [_scale(number, len(images)) for number in range(len(images))]
    return np.stack([np.hypot(x / (0.72 * scale), y / (0.9 * scale)) < share for scale in scales])


def _scale(number: int, slices: int) -> float:
    """How much of its width the head has on a slice (as `phantoms` draws it)."""
    return float(np.sqrt(max(1 - (number / max(slices, 1)) ** 2, 0.05)))


def _outline(name: str, place: int, images: Sequence[Dataset]) -> Points | None:
    """The ellipse of a structure on an image, [point, x y z] in mm; None where there is none."""
    image = images[place]
    half = float(image.PixelSpacing[0]) * (image.Rows - 1) / 2
    z = float(image.ImagePositionPatient[2])
    if name == "PTV":
        away = (z - float(images[len(images) // 2].ImagePositionPatient[2])) / TARGET_RADII[2]
        if abs(away) >= 1:
            return None
        share = float(np.sqrt(1 - away**2))
        return _ellipse(*TARGET, TARGET_RADII[0] * share, TARGET_RADII[1] * share, z)
    scale = _scale(place, len(images)) * {"External": 1.0, "Brain": 0.86}[name]
    return _ellipse(0.0, 0.0, 0.72 * scale * half, 0.9 * scale * half, z)


def _ellipse(x: float, y: float, radius_x: float, radius_y: float, z: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle), np.full(90, z)], axis=1)


def _contour(image: Dataset, outline: Points) -> Dataset:
    made = Dataset()
    made.ContourImageSequence = [_reference(image)]
    made.ContourGeometricType, made.NumberOfContourPoints = "CLOSED_PLANAR", len(outline)
    made.ContourData = [f"{value:.3f}" for value in outline.ravel()]
    return made


def _frame_of(images: Sequence[Dataset]) -> Dataset:
    frame, study, series = Dataset(), Dataset(), Dataset()
    frame.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = images[0].StudyInstanceUID
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ContourImageSequence = [_reference(image) for image in images]
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    return frame


def _reference(image: Dataset) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return made


_OF_STUDY = (
    *("SpecificCharacterSet", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate"),
    *("StudyTime", "StudyInstanceUID", "StudyID", "StudyDescription", "AccessionNumber"),
    *("ReferringPhysicianName", "Manufacturer"),
)


def _derived(
    image: Dataset, sop_class: str, modality: str, number: int, uid: NewUid, name: str
) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in _OF_STUDY:
        setattr(made, keyword, image.get(keyword, ""))
    made.SOPClassUID, made.SOPInstanceUID = sop_class, uid(name, 1)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    made.Modality, made.SeriesNumber, made.InstanceNumber = modality, number, 1
    made.SeriesInstanceUID, made.ManufacturerModelName = uid(name, "series"), "Phantom"
    made.SeriesDate = made.InstanceCreationDate = image.StudyDate
    made.SeriesTime = made.InstanceCreationTime = image.StudyTime
    made.OperatorsName = ""
    return made


def _segment(number: int, label: str, kind: Code, colour: tuple[int, int, int]) -> Any:
    import highdicom

    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=Code("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="Threshold", family=Code("123109", "DCM", "Manual Processing"), version="1"
        ),
        display_color=highdicom.color.CIELabColor.from_rgb(*colour),
    )
