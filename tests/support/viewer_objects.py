"""Studies for viewers: a CT with a segmentation and a structure set on it, a moving ultrasound, a PDF."""

from __future__ import annotations

import datetime

import highdicom
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.datasets.phantoms import Subject, ct

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 20 40 Td (Isocenter) Tj ET     \nendstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def studies(slices: int = 20) -> dict[str, list[Dataset]]:
    """The studies, by what they show; the first object of each is an image or document to open."""
    images = list(ct(Subject(PatientID="VIEW-1", seed="viewer"), slices=slices, size=128))
    return {
        "ct": [*images, segmentation(images), structure_set(images)],
        "us": [dcmread(get_testdata_file("examples_ybr_color.dcm"))],
        "pdf": [document(images[0])],
    }


def segmentation(images: list[Dataset]) -> Dataset:
    """A box in the middle of the images, as a SEG."""
    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    mask[len(images) // 3 : -len(images) // 3, 40:80, 40:80] = 1
    description = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Box",
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type="MANUAL",
    )
    return highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=[description],
        series_instance_uid=images[0].SeriesInstanceUID + ".900",
        series_number=900,
        sop_instance_uid=images[0].SeriesInstanceUID + ".900.1",
        instance_number=1,
        manufacturer="Isocenter",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
        content_label="BOX",
    )


def structure_set(images: list[Dataset]) -> Dataset:
    """A square contour on each image, as an RTSTRUCT."""
    made = _derived(images[0], "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", 901)
    made.StructureSetLabel = "SQUARE"
    made.StructureSetDate, made.StructureSetTime = "20260101", "120000"
    frame = Dataset()
    frame.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    study, series = Dataset(), Dataset()
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = (
        "1.2.840.10008.3.1.2.3.1",
        images[0].StudyInstanceUID,
    )
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ContourImageSequence = [_reference(image) for image in images]
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    made.ReferencedFrameOfReferenceSequence = [frame]
    roi, contours, observed = Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = 1, "Square", "MANUAL"
    roi.ReferencedFrameOfReferenceUID = images[0].FrameOfReferenceUID
    contours.ReferencedROINumber, contours.ROIDisplayColor = 1, [255, 0, 0]
    contours.ContourSequence = [_square(image) for image in images]
    observed.ObservationNumber, observed.ReferencedROINumber = 1, 1
    observed.RTROIInterpretedType, observed.ROIInterpreter = "ORGAN", ""
    made.StructureSetROISequence = [roi]
    made.ROIContourSequence = [contours]
    made.RTROIObservationsSequence = [observed]
    return made


def document(image: Dataset) -> Dataset:
    """A PDF of one page, encapsulated, in a study of its own."""
    made = _derived(image, "1.2.840.10008.5.1.4.1.1.104.1", "DOC", 1)
    made.StudyInstanceUID += ".9"
    made.ConversionType, made.BurnedInAnnotation, made.DocumentTitle = "WSD", "NO", "Report"
    made.ConceptNameCodeSequence = []
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = PDF + b"\n" * (len(PDF) % 2)
    return made


def _derived(image: Dataset, sop_class: str, modality: str, number: int) -> Dataset:
    made = Dataset()
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"):
        setattr(made, name, image.get(name, ""))
    for name in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
        setattr(made, name, image.get(name, ""))
    made.SOPClassUID, made.Modality, made.Manufacturer = sop_class, modality, "Isocenter"
    made.SeriesInstanceUID = f"{image.SeriesInstanceUID}.{number}"
    made.SOPInstanceUID = f"{made.SeriesInstanceUID}.1"
    made.SeriesNumber, made.InstanceNumber = number, 1
    now = datetime.datetime(2026, 1, 1, 12)
    made.ContentDate, made.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _reference(image: Dataset) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return made


def _square(image: Dataset) -> Dataset:
    made = Dataset()
    made.ContourImageSequence = [_reference(image)]
    made.ContourGeometricType = "CLOSED_PLANAR"
    x, y, z = (float(value) for value in image.ImagePositionPatient)
    step = float(image.PixelSpacing[0])
    corners = [(30, 30), (90, 30), (90, 90), (30, 90)]
    points = [(x + column * step, y + row * step, z) for column, row in corners]
    made.NumberOfContourPoints = len(points)
    made.ContourData = [f"{value:.4f}" for point in points for value in point]
    return made
