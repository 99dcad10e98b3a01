"""Write `isocenter/dicom/_dictionary_table.py` from pydicom's data dictionary (PS3.6, PS3.7)."""

from pathlib import Path

import pydicom
from pydicom.datadict import DicomDictionary, RepeatersDictionary

TARGET = Path(__file__).parents[1] / "isocenter" / "dicom" / "_dictionary_table.py"


def main() -> None:
    """Generate the table in place."""
    lines = [
        f'"""Data elements of PS3.6 and PS3.7, generated from pydicom {pydicom.__version__}: do not edit."""',
        "",
        "# tag: (VR, VM, keyword)",
        "TAGS: dict[int, tuple[str, str, str]] = {",
    ]
    for tag, (vr, vm, _name, _retired, keyword) in sorted(DicomDictionary.items()):
        lines.append(f"    0x{tag:08X}: ({vr!r}, {vm!r}, {keyword!r}),")
    lines += [
        "}",
        "",
        "# mask with x for any hexadecimal digit: (VR, VM, keyword)",
        "REPEATERS: dict[str, tuple[str, str, str]] = {",
    ]
    for mask, (vr, vm, _name, _retired, keyword) in sorted(RepeatersDictionary.items()):
        lines.append(f"    {mask!r}: ({vr!r}, {vm!r}, {keyword!r}),")
    lines += [
        "}",
        "",
        "KEYWORDS: dict[str, int] = {entry[2]: tag for tag, entry in TAGS.items() if entry[2]}",
        "",
    ]
    TARGET.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
