"""Decoders that are not the encoder's own: DCMTK where it is installed, else gdcm or pydicom."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian

# What encodes is OpenJPEG, CharLS (pyjpegls), gdcm (JPEG lossless) and pydicom or gdcm (RLE).
_PLUGIN = {
    "1.2.840.10008.1.2.4.90": "gdcm",
    "1.2.840.10008.1.2.4.80": "gdcm",
    "1.2.840.10008.1.2.5": "pydicom",
}
_PROGRAM = {
    "1.2.840.10008.1.2.4.70": "dcmdjpeg",
    "1.2.840.10008.1.2.4.80": "dcmdjpls",
    "1.2.840.10008.1.2.5": "dcmdrle",
}


def decoded_by_another(frame: bytes, syntax: str, like: Any, pixels: np.ndarray) -> np.ndarray:
    """The pixels of one encoded frame of an object that is `like` this one and has `pixels`."""
    made = _object(frame, syntax, like, pixels)
    found = by_dcmtk(made)
    if found is not None:
        return found.reshape(pixels.shape)
    plugin = _PLUGIN.get(syntax, "")
    array, _ = get_decoder(UID(syntax)).as_array(made, index=0, decoding_plugin=plugin, as_rgb=True)
    return array


def by_dcmtk(data_set: Any) -> np.ndarray | None:
    """The pixels as DCMTK decodes them; None where it is not installed or has no decoder for it."""
    program = shutil.which(_PROGRAM.get(data_set.file_meta.TransferSyntaxUID, "") or "no-such-program")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data_set.save_as(Path(folder, "in.dcm"), enforce_file_format=True)
        # The decoded colours as they are: no conversion.
        command = [program, *(["+cn"] if program.endswith("dcmdjpeg") else []), "in.dcm", "out.dcm"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
        found = pydicom.dcmread(Path(folder, "out.dcm"))
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    return found.pixel_array


_PIXELS = (
    "SOPClassUID", "SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SamplesPerPixel",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PhotometricInterpretation",
)  # fmt: skip


def _object(frame: bytes, syntax: str, like: Any, pixels: np.ndarray) -> Any:
    made = pydicom.Dataset()
    for keyword in _PIXELS:
        if keyword in like:
            setattr(made, keyword, like[keyword].value)
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = 0
        made.PhotometricInterpretation = "YBR_RCT" if syntax.endswith(".90") else "RGB"
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made
