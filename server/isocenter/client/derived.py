"""A derived series from an array: an image a slice, of the class, place and patient of those it lies on.

PS3.3 C.7.6.1.1 (image type, derivation), C.12.1 (source images). New are the Series and SOP Instance UIDs,
pixels and their rescale, and what says that and how they were derived. What a device said of the original
pixels (padding, look-up tables, overlays, dose, private elements) is left out. Not here: objects of many
frames (`segmentation`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter import __version__
from isocenter.client.encoding import Encoded, encode
from isocenter.client.grid import Grid
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

Array = np.ndarray[Any, Any]

_NOT_COPIED = (
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData", "SmallestImagePixelValue"),
    *("LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "VOILUTSequence"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "RealWorldValueMappingSequence"),
    *("IconImageSequence", "PixelDataProviderURL", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("DigitalSignaturesSequence", "MACParametersSequence", "EncryptedAttributesSequence"),
    # What the original cost in dose is counted with the original.
    *("CTDIvol", "CTDIPhantomTypeCodeSequence", "ImageAndFluoroscopyAreaDoseProduct"),
)
_RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"


def derived_images(
    array: Array, grid: Grid, *, description: str = "", units: str = ""
) -> Iterator[FileDataset]:
    """A new series, an instance a slice.

    Args:
        array: values as `volume()` gives them (HU, BQML, …), of shape (slices, rows, columns).
        grid: the images it lies on.
        description: of the series, and how it was derived.
        units: of the values where they are not those of the images, as Rescale Type has them.

    Raises:
        BadRequest: the array does not fit, or the images are of a kind that has no such derivation.
    """
    array = grid.checked(array)
    if array.ndim != 3:
        raise BadRequest("Colour is not derived", hint="give one value a voxel")
    if str(grid.first.SOPClassUID) == _RT_DOSE:
        yield _derived_dose(grid.in_frame_order(array), grid.first, description, units)
        return
    if grid.is_multiframe:
        hint = "store it as a parametric map: frames='multi'"
        raise BadRequest("The images are frames of one instance", hint=hint)
    if int(grid.first.get("SamplesPerPixel", 1)) != 1:
        raise BadRequest("The images are in colour", hint="derive from images of one value a pixel")
    encoded = encode(
        array,
        shifted=grid.first.get("Modality") != "PT",  # PS3.3 C.8.9.4: its intercept is 0
        narrow=int(grid.first.get("BitsAllocated", 16)) == 8,
    )
    described = _Description(grid.first, description, units, encoded)
    for number, image in enumerate(grid.images, start=1):
        yield _derived(image, number, encoded, described)


class _Description:
    """What all images of the new series have alike."""

    def __init__(self, first: Dataset, description: str, units: str, encoded: Encoded) -> None:
        from pydicom.uid import generate_uid

        self.series_uid = generate_uid(prefix=None)
        self.series_number = new_series_number(first)
        self.now = datetime.now()
        self.name = (description or f"Derived from {first.get('SeriesDescription') or 'images'}")[:64]
        told = f"{description or 'Computed in Python'}; {encoded.loss}"
        self.derivation = told[:1024]
        own = first.get("Units") if first.get("Modality") == "PT" else first.get("RescaleType") or "HU"
        self.units = "" if units == own else units
        self.equipment = equipment()


def _derived(image: Dataset, number: int, encoded: Encoded, told: _Description) -> FileDataset:
    from pydicom.uid import generate_uid

    made = new_file(str(image.SOPClassUID), generate_uid(prefix=None))
    for element in image:
        if _is_copied(element.tag, element.keyword):
            made[element.tag] = copy.deepcopy(element)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID
    made.SeriesInstanceUID, made.SeriesNumber = told.series_uid, told.series_number
    made.SeriesDescription, made.InstanceNumber = told.name, number
    for prefix in ("Series", "Content", "InstanceCreation"):
        setattr(made, f"{prefix}Date", told.now.strftime("%Y%m%d"))
        setattr(made, f"{prefix}Time", told.now.strftime("%H%M%S.%f"))
    kind = [str(value) for value in image.get("ImageType") or ()]
    primary = "PRIMARY" if image.get("Modality") in ("PT", "NM") else "SECONDARY"
    made.ImageType = ["DERIVED", primary, *kind[2:]]
    made.DerivationDescription = told.derivation
    made.SourceImageSequence = [source_of(image)]
    made.ContributingEquipmentSequence = [*(image.get("ContributingEquipmentSequence") or ()), told.equipment]
    _set_pixels(made, image, encoded, encoded.stored[number - 1], told.units)
    return made


def _derived_dose(array: Array, image: Dataset, description: str, units: str) -> FileDataset:
    """An RT Dose of the same grid: values times Dose Grid Scaling are Gy (PS3.3 C.8.8.3)."""
    if array.min() < 0:
        hint = "store it as a parametric map: frames='multi'"
        raise BadRequest("A dose below 0 cannot be stored as RT Dose", hint=hint)
    encoded = encode(array, shifted=False, bits=32, scaled=True)
    made = _derived(
        image,
        1,
        replace(encoded, stored=encoded.stored[None]),
        _Description(image, description, units, encoded),
    )
    made.DoseGridScaling = encoded.slope
    said_of_others = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction")
    for name in (*said_of_others, "DVHSequence"):
        if name in made:
            delattr(made, name)
    if units:
        made.DoseUnits = units
    return made


def _is_copied(tag: Any, keyword: str) -> bool:
    overlay = 0x6000 <= tag.group <= 0x60FF or 0x5000 <= tag.group <= 0x50FF
    return not (tag.is_private or overlay or keyword in _NOT_COPIED or tag.group == 2)


def _set_pixels(made: Dataset, image: Dataset, encoded: Encoded, stored: Array, units: str) -> None:
    bits = stored.dtype.itemsize * 8
    made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit = 1, bits, bits, bits - 1
    made.PixelRepresentation = int(stored.dtype.kind == "i")
    made.add_new("PixelData", "OW" if bits > 8 else "OB", _padded(stored))
    modality = str(image.get("Modality", ""))
    if modality in ("CT", "PT") or not encoded.is_plain:
        made.RescaleSlope, made.RescaleIntercept = encoded.slope, encoded.intercept
    if modality == "PT" and units:
        made.Units = units
    elif modality == "CT" or units:
        made.RescaleType = units or "HU"
    if units or modality not in ("CT", "PT"):
        _set_window(made, encoded)


def _set_window(made: Dataset, encoded: Encoded) -> None:
    """From the lowest to the highest value: the original's would show nothing of other values."""
    low, high = float(encoded.stored.min()), float(encoded.stored.max())
    slope, intercept = float(encoded.slope), float(encoded.intercept)
    made.WindowCenter = f"{(low + high) / 2 * slope + intercept:.6g}"
    made.WindowWidth = f"{(high - low) * slope or 1:.6g}"
    made.VOILUTFunction = "LINEAR_EXACT"  # the linear one has no widths below 1
    if "WindowCenterWidthExplanation" in made:
        del made.WindowCenterWidthExplanation


def _padded(stored: Array) -> bytes:
    raw = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    return raw + b"\0" * (len(raw) % 2)


# --- what all derived objects have


def new_file(sop_class: str, uid: str) -> FileDataset:
    """An empty data set that can be written."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)


def new_series_number(first: Dataset) -> int:
    """A number of its own, that shows from which series it is made."""
    return int(first.get("SeriesNumber") or 0) % 100_000 + 1000


def source_of(image: Dataset) -> Dataset:
    """A reference to what the pixels were made from (CID 7202, 121322)."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [
        code("121322", "DCM", "Source image for image processing operation")
    ]
    return item


def equipment() -> Dataset:
    """This software, as what processed the images (CID 7005, 109102)."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.Manufacturer, item.ManufacturerModelName = "Isocenter", "Python client"
    item.SoftwareVersions = __version__
    item.PurposeOfReferenceCodeSequence = [code("109102", "DCM", "Processing Equipment")]
    return item


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
