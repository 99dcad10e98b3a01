"""One frame encoded without loss: JPEG 2000, JPEG-LS, JPEG lossless and RLE (PS3.5 8.2).

`reach` says whether pixels of a description can be encoded in a transfer syntax, `encode` does it. Lossy
syntaxes are never encoded into: that would make another image, with attributes and a UID of its own
(PS3.3 C.7.6.1.1.5). Not here: decoding (`pixels`), the rest of the object (`transcode`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isocenter.dicom import uids
from isocenter.dicom.pixels import Decoded, Image, is_decodable, quiet
from isocenter.dicom.reencode import CannotTranscode

if TYPE_CHECKING:
    import numpy as np

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
ENCODED = (JPEG_2000, JPEG_LS, JPEG_LOSSLESS, RLE)
"""Transfer syntaxes that frames are encoded into."""

# Bits Stored (PS3.5 8.2.1 to 8.2.4, and what the encoders do).
_LEAST_BITS = {JPEG_LOSSLESS: 2, JPEG_LS: 2, JPEG_2000: 1, RLE: 1}
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL")
_INTEGERS = 0x7FE00010


def reach(image: Image, wanted: str) -> bool:
    """Whether frames of `image` can be decoded and encoded in `wanted`; damaged pixels show only then."""
    if wanted not in ENCODED or image.tag != _INTEGERS or image.bits_allocated not in (8, 16):
        return False
    if image.bits_stored < _LEAST_BITS[wanted]:
        return False
    if not _large_enough(image, wanted) or not is_decodable(image.transfer_syntax):
        return False
    if image.samples == 1:
        return image.photometric in (*_GREY, "PALETTE COLOR")
    return image.samples == 3


def _large_enough(image: Image, wanted: str) -> bool:
    """OpenJPEG's resolutions need 32 pixels each way, CharLS room for its markers, gdcm whole words."""
    length = image.rows * image.columns * image.samples * image.bits_allocated // 8
    if wanted == JPEG_2000:
        return min(image.rows, image.columns) >= 32
    if wanted == JPEG_LS:
        return length >= 256
    return wanted != JPEG_LOSSLESS or length % 2 == 0


def photometric_in(photometric: str, wanted: str) -> str:
    """The Photometric Interpretation of pixels that are `photometric` when they are decoded, encoded."""
    return "YBR_RCT" if wanted == JPEG_2000 and photometric == "RGB" else photometric


def encode(image: Image, frame: Decoded, wanted: str) -> bytes:
    """The frame in the transfer syntax `wanted`: what goes into a fragment, of even length.

    Args:
        image: the description of the object the frame is of.
        frame: its pixels.
        wanted: one of `ENCODED`.

    Raises:
        CannotTranscode: these pixels do not fit.
    """
    if not reach(image, wanted):
        raise CannotTranscode("Such pixels are not encoded in this transfer syntax")
    if image.samples == 3 and frame.photometric not in _COLOURS:
        raise CannotTranscode("Colours of this kind are not encoded in this transfer syntax")
    told = replace(image, bits_allocated=frame.bits_allocated)
    _check_range(told, frame.array, wanted)
    try:
        with quiet():
            made = (_gdcm if wanted == JPEG_LOSSLESS else _pydicom)(told, frame, wanted)
    except Exception as error:  # encoders raise whatever they like
        raise CannotTranscode(f"The pixels cannot be encoded ({type(error).__name__})") from error
    return made + b"\0" * (len(made) % 2)


def _check_range(image: Image, array: np.ndarray[Any, Any], wanted: str) -> None:
    """Overlays in unused high bits, and values beyond Bits Stored, would be lost."""
    if wanted == RLE or image.bits_stored == image.bits_allocated:
        return
    lowest, highest = (-(1 << image.bits_stored - 1), (1 << image.bits_stored - 1) - 1)
    if not image.signed:
        lowest, highest = 0, (1 << image.bits_stored) - 1
    if array.min() < lowest or array.max() > highest:
        raise CannotTranscode("Pixels use bits beyond Bits Stored")


def _pydicom(image: Image, frame: Decoded, wanted: str) -> bytes:
    import numpy as np
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import UID

    encoder: Any = get_encoder(UID(wanted))
    # gdcm is the quick one for RLE, but ends the process over an odd number of bytes.
    plugin = {"encoding_plugin": "pydicom" if frame.array.nbytes % 2 else "gdcm"} if wanted == RLE else {}
    made: bytes = encoder.encode(
        np.ascontiguousarray(frame.array),
        rows=image.rows,
        columns=image.columns,
        number_of_frames=1,
        samples_per_pixel=image.samples,
        photometric_interpretation=photometric_in(frame.photometric, wanted),
        planar_configuration=0,
        bits_allocated=image.bits_allocated,
        bits_stored=image.bits_allocated if wanted == RLE else image.bits_stored,
        pixel_representation=int(image.signed),
        **plugin,
    )
    return made


def _gdcm(image: Image, frame: Decoded, wanted: str) -> bytes:
    """By gdcm; JPEG lossless with first order prediction (process 14, selection value 1)."""
    import gdcm

    writer = gdcm.ImageWriter()  # it owns the image
    picture = writer.GetImage()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((image.columns, image.rows, 1))
    kind = gdcm.PhotometricInterpretation
    picture.SetPhotometricInterpretation(kind(kind.GetPIType(frame.photometric)))
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(uids.EXPLICIT_LITTLE_ENDIAN)))
    bits = image.bits_stored
    picture.SetPixelFormat(
        gdcm.PixelFormat(image.samples, image.bits_allocated, bits, bits - 1, int(image.signed))
    )
    if image.samples > 1:
        picture.SetPlanarConfiguration(0)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(frame.tobytes())
    picture.SetDataElement(element)
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(wanted)))
    change.SetInput(picture)
    if not change.Change():
        raise ValueError("gdcm does not encode it")
    fragments = change.GetOutput().GetDataElement().GetSequenceOfFragments()
    parts = [
        fragments.GetFragment(n).GetByteValue().GetBuffer() for n in range(fragments.GetNumberOfFragments())
    ]
    return b"".join(part.encode("utf-8", "surrogateescape") for part in parts)


__all__ = ["ENCODED", "JPEG_2000", "JPEG_LOSSLESS", "JPEG_LS", "RLE", "encode", "photometric_in", "reach"]
