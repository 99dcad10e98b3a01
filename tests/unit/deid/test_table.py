"""Our table is Table E.1-1: another project that took it from the standard has the same rows and actions."""

from __future__ import annotations

import importlib

import pytest

from isocenter.deid._profile_table import EDITION, ROWS

LETTERS = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}


def theirs() -> dict[str, str]:
    """Tag patterns and actions of dicom-anonymizer."""
    module = importlib.import_module(f"dicomanonymizer.dicom_anonymization_databases.dicomfields_{EDITION}")
    found: dict[str, str] = {}
    for name, letters in LETTERS.items():
        for tag in getattr(module, name):
            found[pattern(tag)] = letters
    return found


def pattern(tag: tuple[int, ...]) -> str:
    """A tag, or a tag and its mask, with x for any digit."""
    digits = f"{tag[0]:04X}{tag[1]:04X}"
    if len(tag) == 2:
        return digits
    mask = f"{tag[2]:04X}{tag[3]:04X}"
    return "".join(digit if wanted == "F" else "x" for digit, wanted in zip(digits, mask, strict=True))


def test_rows_and_actions_are_those_of_dicom_anonymizer() -> None:
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    ours = {tag: action for tag, _, action, _ in ROWS if tag != "PRIVATE"}
    other = theirs()
    differ = {tag: (ours.get(tag), other.get(tag)) for tag in ours.keys() | other.keys()}
    assert {tag: pair for tag, pair in differ.items() if pair[0] != pair[1]} == {}
