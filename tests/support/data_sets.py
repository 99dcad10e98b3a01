"""Little data sets in Explicit VR Little Endian, made in microseconds: for tests that store thousands."""

from __future__ import annotations

import struct

from isocenter.dicom.attributes import lookup

EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
_LONG = {"OB", "OW", "UN", "UT", "SQ", "OF", "OD", "UC", "UR"}
_BINARY = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FD": "<d", "FL": "<f"}


def data_set(*, pixels: bytes = b"", **values: str | int | float) -> bytes:
    """A CT image; attributes by keyword, those of a sender that cares about nothing else by default."""
    told: dict[str, str | int | float] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "StudyDate": "20240229",
        "Modality": "CT",
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "InstanceNumber": 1,
    }
    told.update(values)
    encoded = [_element(keyword, value) for keyword, value in told.items()]
    if pixels:
        encoded.append((0x7FE00010, struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels))
    return b"".join(raw for _, raw in sorted(encoded))


def part10(raw: bytes, syntax: str = EXPLICIT, *, meta_instance: str = "1.2.3.4") -> bytes:
    """A sender's Part 10 file around a data set, with a preamble that is not zero."""
    group = b"".join(
        struct.pack("<HH2sH", 2, element, b"UI", len(value)) + value
        for element, value in ((2, _even(CT)), (3, _even(meta_instance)), (0x10, _even(syntax)))
    )
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group))
    return b"II*\0" * 32 + b"DICM" + length + group + raw


def _element(keyword: str, value: str | int | float) -> tuple[int, bytes]:
    attribute = lookup(keyword)
    vr = attribute.vr[:2]
    if vr in _BINARY and not isinstance(value, str):
        raw = struct.pack(_BINARY[vr], value)
    else:
        text = str(value).encode()
        raw = text + (b"\0" if vr == "UI" else b" ") * (len(text) % 2)
    head = struct.pack("<HH2s", attribute.tag >> 16, attribute.tag & 0xFFFF, vr.encode())
    size = struct.pack("<HI", 0, len(raw)) if vr in _LONG else struct.pack("<H", len(raw))
    return attribute.tag, head + size + raw


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
