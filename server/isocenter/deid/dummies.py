"""Values of no meaning that a VR allows (action D of PS3.15 E.1)."""

from __future__ import annotations

TEXT = "ANONYMIZED"

_DUMMIES = {
    "AE": TEXT,
    "AS": "000D",
    "CS": TEXT,
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "LO": TEXT,
    "LT": TEXT,
    "PN": "Anonymized^Anonymized",
    "SH": TEXT,
    "ST": TEXT,
    "TM": "000000",
    "UC": TEXT,
    "UR": "about:blank",
    "UT": TEXT,
}
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def dummy(vr: str) -> str | int | bytes:
    """A value that says nothing."""
    if vr in _NUMBERS:
        return 0
    return b"" if vr in _BYTES else _DUMMIES.get(vr, "")
