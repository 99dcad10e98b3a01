"""Value representations: how their lengths are written, and which one an attribute has (PS3.5 6.2, 7.1.2).

Not here: the meaning of values (see `values`), nor the choice between `US or SS`, which needs the data set.
"""

from __future__ import annotations

import re
from functools import lru_cache

from isocenter.dicom._dictionary_table import REPEATERS, TAGS

SHORT = tuple(re.findall("..", "AEASATCSDADSDTFLFDISLOLTPNSHSLSSSTTMUIULUS"))
"""VRs with a 16-bit length in explicit VR encodings (PS3.5 table 7.1-2)."""

LONG = tuple(re.findall("..", "OBODOFOLOVOWSQSVUCUNURUTUV"))
"""VRs with two reserved bytes and a 32-bit length (PS3.5 table 7.1-1)."""

BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""VRs whose value DICOM JSON carries as bytes."""

EITHER = "US or SS"
"""Placeholder of an implicit VR that Pixel Representation decides."""

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

SHORT_LITTLE = {ord(vr[0]) | ord(vr[1]) << 8: vr for vr in SHORT}
LONG_LITTLE = {ord(vr[0]) | ord(vr[1]) << 8: vr for vr in LONG}
SHORT_BIG = {ord(vr[0]) << 8 | ord(vr[1]): vr for vr in SHORT}
LONG_BIG = {ord(vr[0]) << 8 | ord(vr[1]): vr for vr in LONG}

# PS3.5 A.1: what may be bytes or words is words in Implicit VR Little Endian.
_IMPLICIT = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}

PLAIN: dict[int, str] = {
    tag: vr
    for tag, (vr, _, _) in TAGS.items()
    if len(vr) == 2 and vr != "SQ" and tag >= 0x00020000 and tag not in PIXEL_DATA
}
"""Attributes that implicit VR walks over without a second look: one VR, no sequence, no Pixel Data."""


def dictionary_vr(tag: int) -> str:
    """The VR of an attribute whose encoding does not tell it: by the dictionary, `UN` when unknown.

    Group lengths are UL, private creators LO, other private attributes UN (PS3.5 7.8). Attributes that may
    be signed or not come back as `EITHER`.
    """
    vr = PLAIN.get(tag)
    return vr if vr is not None else _rarer_vr(tag)


@lru_cache(maxsize=4096)
def _rarer_vr(tag: int) -> str:
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    entry = TAGS.get(tag) or _repeating(tag)
    vr = entry[0] if entry else "UN"
    vr = _IMPLICIT.get(vr, vr)
    return vr if len(vr) == 2 or vr == EITHER else "UN"


def _repeating(tag: int) -> tuple[str, str, str] | None:
    text = f"{tag:08X}"
    for mask, entry in REPEATERS.items():
        if all(a in ("x", b) for a, b in zip(mask, text, strict=True)):
            return entry
    return None
