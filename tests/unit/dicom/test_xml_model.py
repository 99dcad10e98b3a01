"""DICOM JSON as the Native DICOM Model (PS3.19 A.1) and back, held against pydicom and DCMTK's dcm2xml."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataset import Dataset

from isocenter.dicom.header import read_header
from isocenter.dicom.json_model import to_json
from isocenter.dicom.xml_model import NAMESPACE, UnreadableXml, from_xml, to_xml

FILES = ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm", "JPEG2000.dcm", "examples_overlay.dcm",
    "liver.dcm", "test-SR.dcm", "waveform_ecg.dcm", "priv_SQ.dcm"]  # fmt: skip


def path_of(name: str) -> str:
    found = get_charset_files(name)[0] if name.startswith("chr") else get_testdata_file(name, download=False)
    return str(found)


def document_of(name: str) -> dict[str, Any]:
    return to_json(read_header(Path(path_of(name)).read_bytes()))


def tree(document: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(to_xml(document))


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_back(name: str) -> None:
    document = document_of(name)
    assert from_xml(to_xml(document)) == document


@pytest.mark.parametrize("name", FILES)
def test_it_has_the_structure_of_the_schema(name: str) -> None:
    root = tree(document_of(name))
    assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
    assert root.attrib == {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}
    allowed = {
        "NativeDicomModel": {"DicomAttribute"},
        "Item": {"DicomAttribute"},
        "DicomAttribute": {"Value", "Item", "PersonName", "BulkData", "InlineBinary"},
        "PersonName": {"Alphabetic", "Ideographic", "Phonetic"},
        **{
            group: {"FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"}
            for group in ("Alphabetic", "Ideographic", "Phonetic")
        },
    }
    for element in root.iter():
        name_here = element.tag.rpartition("}")[2]
        kinds = [child.tag.rpartition("}")[2] for child in element]
        assert set(kinds) <= allowed.get(name_here, set())
        if name_here == "DicomAttribute":
            assert len(set(kinds)) <= 1
            assert set(element.attrib) <= {"tag", "vr", "keyword", "privateCreator"}


@pytest.mark.skipif(shutil.which("dcm2xml") is None, reason="DCMTK is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "rtplan.dcm",
        "reportsi.dcm",
        "MR_small.dcm",
        "test-SR.dcm",
        "chrGreek.dcm",
        "chrRuss.dcm",
    ],
)
def test_dcmtk_says_the_same(name: str) -> None:
    told = subprocess.run(
        ["dcm2xml", "--native-format", "+U8", "-q", path_of(name)], capture_output=True, check=True
    ).stdout
    theirs = _comparable(from_xml(told))
    ours = _comparable(from_xml(to_xml(document_of(name))))
    # DCMTK names UTF-8 in ASCII objects too, and reads what is behind Pixel Data.
    for key in ("00080005", "FFFCFFFC", "7FE00010"):
        theirs.pop(key, None), ours.pop(key, None)
    assert ours == theirs


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for key, element in document.items():
        values = element.get("Value")
        if "BulkDataURI" in element or "InlineBinary" in element or element["vr"] in ("UN", "OB", "OW"):
            out[key] = "bytes"
        elif element["vr"] == "SQ":
            out[key] = [_comparable(item) for item in values or ()]
        elif element["vr"] in ("DS", "FL", "FD", "IS"):
            out[key] = [pytest.approx(float(value), rel=1e-5) for value in values or ()]
        else:
            out[key] = [value.strip() if isinstance(value, str) else value for value in values or ()]
    return out


def test_names_have_their_components_in_three_groups() -> None:
    name = {"Alphabetic": "Yamada^Tarou^^Dr.^III", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    document = {"00100010": {"vr": "PN", "Value": [name, None, {"Phonetic": "x"}]}}
    found = tree(document)[0]
    assert found.attrib == {"tag": "00100010", "vr": "PN", "keyword": "PatientName"}
    texts = [(one.tag.rpartition("}")[2], one.text) for one in found[0][0]]
    assert texts == [
        ("FamilyName", "Yamada"), ("GivenName", "Tarou"), ("NamePrefix", "Dr."), ("NameSuffix", "III")
    ]  # fmt: skip
    assert from_xml(to_xml(document)) == document


def test_a_name_without_a_letter_is_no_value() -> None:
    document = {"00080090": {"vr": "PN", "Value": [{"Alphabetic": "^^^^"}]}}
    assert from_xml(to_xml(document)) == {"00080090": {"vr": "PN"}}


def test_private_elements_have_their_creator_and_find_their_block_again() -> None:
    document = {
        "00190010": {"vr": "LO", "Value": ["OTHER"]},
        "00190011": {"vr": "LO", "Value": ['A "B" & <C>']},
        "0019110C": {"vr": "IS", "Value": [7]},
        "00191110": {
            "vr": "SQ",
            "Value": [{"00210010": {"vr": "LO", "Value": ["IN"]}, "00211001": {"vr": "DS"}}],
        },
    }
    private = tree(document)[2]
    assert private.attrib == {"tag": "0019000C", "vr": "IS", "privateCreator": 'A "B" & <C>'}
    assert from_xml(to_xml(document)) == document


def test_a_private_element_without_its_creators_element_gets_a_block() -> None:
    document = from_xml(
        b'<NativeDicomModel><DicomAttribute tag="00190001" vr="LO" privateCreator="ME"><Value number="1">x'
        b"</Value></DicomAttribute></NativeDicomModel>"
    )
    assert document == {
        "00190010": {"vr": "LO", "Value": ["ME"]},
        "00191001": {"vr": "LO", "Value": ["x"]},
    }


def test_characters_that_xml_cannot_hold_are_replaced_and_line_breaks_stay() -> None:
    document = {"00104000": {"vr": "LT", "Value": [" a\x0bb\r\nc\t<&>]]> \ud800 "]}}
    assert from_xml(to_xml(document))["00104000"]["Value"] == [" a\ufffdb\r\nc\t<&>]]> \ufffd "]


def test_every_vr_survives_and_pydicom_reads_the_same() -> None:
    data_set = Dataset()
    data_set.PatientName = "Doe^Jane"
    data_set.SliceThickness = "1.50"
    data_set.InstanceNumber = "-7"
    data_set.Rows, data_set.TagAngleSecondAxis = 512, -3
    data_set.SimpleFrameList = [1, 4_000_000_000]
    data_set.FrameIncrementPointer = [0x00181063, 0x00181065]
    data_set.DiffusionBValue, data_set.RecommendedDisplayFrameRateInFloat = 0.1, 25.5
    data_set.ExtendedOffsetTable = b"\0" * 16
    data_set.ImageType = ["ORIGINAL", "", "AXIAL"]
    data_set.PatientAge, data_set.StudyDate, data_set.StudyTime = "012Y", "20240131", "101500.123"
    data_set.AcquisitionDateTime = "20240131101500+0100"
    data_set.RetrieveURL, data_set.LongCodeValue = "http://x/y?a=1&b=2", "é"
    data_set.PixelData = None
    del data_set.PixelData
    data_set.RequestAttributesSequence = [Dataset(), Dataset()]
    data_set.RequestAttributesSequence[1].RequestedProcedureID = "P"
    file = io.BytesIO()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    pydicom.dcmwrite(file, data_set, implicit_vr=False, little_endian=True, enforce_file_format=False)
    document = to_json(read_header(file.getvalue(), transfer_syntax="1.2.840.10008.1.2.1"))
    back = from_xml(to_xml(document))
    assert back == document
    assert Dataset.from_json(back) == data_set


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a>",
        "<a/>",
        "<NativeDicomModel><Value/></NativeDicomModel>",
        '<NativeDicomModel><DicomAttribute tag="x" vr="LO"/></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100010"/></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="0">x</Value>'
        "</DicomAttribute></NativeDicomModel>",
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="999999999">x</Value>'
        "</DicomAttribute></NativeDicomModel>",
        '<!DOCTYPE a [<!ENTITY x "xx">]><NativeDicomModel/>',
        '<DicomAttribute tag="00100020" vr="LO"/>',
    ],
)
def test_what_is_no_native_model_is_refused(text: str) -> None:
    with pytest.raises(UnreadableXml):
        from_xml(text.encode())


def test_deep_nesting_is_refused() -> None:
    inner = b'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 100
    with pytest.raises(UnreadableXml, match="deeper"):
        from_xml(b"<NativeDicomModel>" + inner)
