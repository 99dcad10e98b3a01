"""From the DICOM JSON in the catalog the index gets the same keys as from the header."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom.data
import pytest
from data_sets import EXPLICIT, data_set

from isocenter.archive.document_keys import keys_of
from isocenter.dicom.header import read_header
from isocenter.dicom.json_model import to_json_bytes
from isocenter.errors import UnreadableObject

# The catalog is Unicode: it does not know which character set an object was sent in.
_NOT_KEPT = {"SpecificCharacterSet"}


def _files() -> list[Path]:
    folder = Path(pydicom.data.__file__).parent / "test_files"
    return sorted(folder.glob("*.dcm"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_real_files(path: Path) -> None:
    try:
        header = read_header(path.read_bytes())
        document = to_json_bytes(header).decode()
    except UnreadableObject:
        pytest.skip("not stored, so never in the catalog")
    wanted, found = header.index_keys(), keys_of(document)
    for name in (wanted.keys() | found.keys()) - _NOT_KEPT:
        assert _plain(found.get(name)) == _plain(wanted.get(name)), name


def _plain(text: str | None) -> object:
    """Without what says nothing: delimiters of empty trailing components of names, zeros around numbers."""
    if text is None:
        return None
    try:
        return [float(number) for number in text.split("\\")]
    except ValueError:
        return re.sub(r"[\^ ]+(?==|\\|$)", "", text)


def test_names_of_several_scripts_and_empty_values() -> None:
    raw = data_set(InstanceNumber=7, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう", StudyDate="")
    keys = keys_of(to_json_bytes(read_header(raw, transfer_syntax=EXPLICIT)).decode())
    assert keys["InstanceNumber"] == "7"
    assert keys["PatientName"] == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert keys["StudyDate"] == ""
