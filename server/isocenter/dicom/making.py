"""What the process pool makes of a stored object for the web: each function writes a file that is there.

Here, and not where it is asked for, so that processes of the pool load no web server.
"""

from __future__ import annotations

from isocenter.dicom import compress, deflated, pixels, transcode, uids
from isocenter.dicom.frames import Frame
from isocenter.dicom.pixels import Image


def make_frame(target: str, path: str, image: Image, frame: Frame, wanted: str) -> None:
    """One frame of the file at `path`: decoded, or encoded in the transfer syntax `wanted`.

    Raises:
        CannotTranscode: no decoder or encoder, or damaged.
    """
    decoded = pixels.decode_at(path, image, frame, every_bit=True)
    plain = wanted == uids.EXPLICIT_LITTLE_ENDIAN
    made = decoded.tobytes() if plain else compress.encode(image, decoded, wanted)
    with open(target, "r+b") as out:
        out.write(made)


def make_inflated(target: str, path: str, offset: int) -> None:
    """The data set that is deflated from `offset` on. Raises CannotTranscode."""
    with open(path, "rb") as file, open(target, "r+b") as out:
        deflated.inflate(file, offset, out)


def make_object(target: str, path: str, offset: int, transfer_syntax: str, wanted: str) -> None:
    """The data set of an object in another transfer syntax; see `transcode.to_file`."""
    transcode.to_file(path, offset, transfer_syntax, wanted, target)
