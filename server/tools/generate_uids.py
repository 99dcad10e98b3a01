"""Write `isocenter/dicom/_uid_table.py` from pydicom's UID dictionary (PS3.6 Annex A)."""

from pathlib import Path

import pydicom
from pydicom._uid_dict import UID_dictionary

TARGET = Path(__file__).parents[1] / "isocenter" / "dicom" / "_uid_table.py"


def main() -> None:
    """Generate the table in place."""
    lines = [
        f'"""The UIDs of PS3.6 Annex A, generated from pydicom {pydicom.__version__}: do not edit."""',
        "",
        "# UID: (name, type, keyword, retired)",
        "UIDS: dict[str, tuple[str, str, str, bool]] = {",
    ]
    for uid, (name, kind, _info, retired, keyword) in sorted(UID_dictionary.items()):
        lines.append(f"    {uid!r}: ({name!r}, {kind!r}, {keyword!r}, {bool(retired)}),")
    lines += ["}", ""]
    TARGET.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
