"""Long values of a header in DICOM JSON, which are elsewhere (BulkDataURI, PS3.18 F.2.6), put in place.

Only those that a volume needs: offsets of dose planes and the data of look-up tables.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np

Read = Callable[[str], bytes]


def _decimals(raw: bytes) -> list[float]:
    return [float(part) for part in raw.decode("ascii", "replace").strip(" \0").split("\\") if part.strip()]


def _words(raw: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(raw[: len(raw) // 2 * 2], "<u2")]


def _doubles(raw: bytes) -> list[float]:
    return [float(value) for value in np.frombuffer(raw[: len(raw) // 8 * 8], "<f8")]


# Grid Frame Offset Vector, LUT Data, Real World Value LUT Data.
_WANTED: dict[str, Callable[[bytes], list[Any]]] = {
    "3004000C": _decimals,
    "00283006": _words,
    "00409212": _doubles,
}
_SEQUENCES = frozenset({"00283000", "00409096", "52009229", "52009230"})


def fill(module: MutableMapping[str, Any], read: Read) -> None:
    """Put long values in their place.

    Args:
        module: a data set in the DICOM JSON model; it is changed.
        read: gives the bytes at a BulkDataURI.
    """
    for tag, element in module.items():
        if tag in _SEQUENCES:
            for item in element.get("Value") or ():
                fill(item, read)
        elif tag in _WANTED and "Value" not in element:
            if "BulkDataURI" in element:
                element["Value"] = _WANTED[tag](read(element["BulkDataURI"]))
            elif "InlineBinary" in element:
                element["Value"] = _WANTED[tag](base64.b64decode(element["InlineBinary"]))
