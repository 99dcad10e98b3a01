"""Little images made of arrays, rendered into arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.dicom.header import read_header
from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import View

Array = npt.NDArray[Any]
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
GREYSCALE_STATE = "1.2.840.10008.5.1.4.1.1.11.1"


def pydicom_path(name: str) -> Path:
    """A file of pydicom."""
    found = get_testdata_file(name, download=False)
    assert found is not None, name
    return Path(str(found))


def image(pixels: Array, **values: Any) -> Dataset:
    """An image of these pixels: frames by rows by columns (by 3), one frame without the first."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if colour else pixels.shape
    made = _object(SECONDARY_CAPTURE, "1.2.3.1")
    made.Rows, made.Columns = shape[-2:]
    if len(shape) == 3:
        made.NumberOfFrames = shape[0]
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = pixels.dtype.itemsize * 8
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.HighBit = values.get("HighBit", made.BitsStored - 1)
    raw = pixels.tobytes()
    made.PixelData = raw + bytes(len(raw) % 2)
    made["PixelData"].VR = "OW"
    return made


def state(of: Dataset, **values: Any) -> Dataset:
    """A greyscale softcopy presentation state of an image, one that changes nothing."""
    made = _object(GREYSCALE_STATE, "1.2.3.9")
    made.PresentationLUTShape = "IDENTITY"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = of.SOPClassUID, of.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = of.SeriesInstanceUID, [reference]
    made.ReferencedSeriesSequence = [series]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def item(**values: Any) -> Dataset:
    """An item of a sequence."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def source(what: Path | Dataset, folder: Path) -> work.Source:
    """Where it is, written into `folder` when it is only a data set."""
    if isinstance(what, Dataset):
        path = folder / f"{what.SOPInstanceUID}.dcm"
        what.save_as(path, enforce_file_format=True)
        what = path
    with open(what, "rb") as file:
        header = read_header(file)
    return work.Source(str(what), header.transfer_syntax, header.data_set_offset)


def rendered(
    what: Path | Dataset,
    folder: Path,
    view: View = View(),
    number: int | None = 1,
    state: Path | Dataset | None = None,
    media_type: str = "image/png",
) -> Array:
    """The picture as an array of bytes: rows by columns, by 3 for colour."""
    target = folder / "picture"
    with_state = source(state, folder) if state is not None else None
    work.draw(str(target), source(what, folder), number, view, media_type, with_state)
    with Image.open(target) as picture:
        return np.asarray(picture)


def animated(what: Path | Dataset, folder: Path, view: View = View()) -> bytes:
    """An animated GIF of all frames, made in pieces."""
    place, target = source(what, folder), folder / "piece"
    work.survey(str(target), place)
    told = work.Survey.load(target.read_bytes())
    pieces = []
    for first in range(1, len(told.durations) + 1, work.GIF_PIECE):
        work.draw_gif(str(target), place, view, told, first)
        pieces.append(target.read_bytes())
    return b"".join([*pieces, work.GIF_END])


def _object(sop_class: str, uid: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = uid
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.0"
    made.PatientName, made.PatientID = "Doe^Jane", "P1"
    return made
