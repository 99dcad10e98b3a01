"""A DICOM JSON header as a row: types by the dictionary, and nothing lost."""

import json
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from isocenter.catalog.columns import type_named
from isocenter.catalog.rows import RowBuilder, RowFacts, to_batch

FACTS = RowFacts(7, 1, 2, 3, 1_700_000_000_000_000, "SCANNER", "a/b/c.dcm", 500, "ab" * 32)


def row(**elements: tuple[str, list[Any]]) -> dict[str, Any]:
    document = {tag[1:]: {"vr": vr, "Value": values} for tag, (vr, values) in elements.items()}
    return dict(to_batch([(FACTS, document)]).to_pylist()[0])


@pytest.mark.parametrize(
    ("tag", "vr", "values", "name", "expected"),
    [
        ("00080020", "DA", ["20200131"], "StudyDate", date(2020, 1, 31)),
        ("00080030", "TM", ["103015.25"], "StudyTime", 37815250000),
        (
            "0008002A",
            "DT",
            ["20200131103015.5+0900"],
            "AcquisitionDateTime",
            datetime(2020, 1, 31, 10, 30, 15, 500000),
        ),
        ("00200013", "IS", ["12"], "InstanceNumber", 12),
        ("00280010", "US", [512], "Rows", 512),
        ("00180050", "DS", [2.5], "SliceThickness", 2.5),
        ("00180050", "DS", ["2.50 "], "SliceThickness", 2.5),
        ("00280030", "DS", [0.7, 0.8], "PixelSpacing", [0.7, 0.8]),
        ("00080008", "CS", ["ORIGINAL"], "ImageType", ["ORIGINAL"]),
        ("00189087", "FD", [1000], "DiffusionBValue", 1000.0),
        ("00280009", "AT", ["00181063"], "FrameIncrementPointer", ["00181063"]),
        ("00100010", "PN", [{"Alphabetic": "A^B", "Phonetic": "P"}], "PatientName", "A^B==P"),
        ("00100020", "LO", [" 007 "], "PatientID", "007"),
        ("00081030", "LO", ["日本語 é"], "StudyDescription", "日本語 é"),
        ("00080061", "CS", ["CT", None, "MR"], "ModalitiesInStudy", ["CT", None, "MR"]),
    ],
)
def test_a_value_has_the_type_of_its_attribute(
    tag: str, vr: str, values: list[Any], name: str, expected: Any
) -> None:
    found = row(**{f"t{tag}": (vr, values)})
    assert found[name] == expected
    assert found["_unconverted"] is None


@pytest.mark.parametrize(
    ("tag", "vr", "values", "name"),
    [
        ("00080020", "DA", ["sometime"], "StudyDate"),
        ("00080060", "CS", ["CT", "MR"], "Modality"),
        ("00200013", "IS", [2**31], "InstanceNumber"),
        ("00180050", "DS", ["NaN"], "SliceThickness"),
        ("00280030", "DS", [0.7, "wide"], "PixelSpacing"),
        ("00100020", "LO", [7], "PatientID"),
    ],
)
def test_what_does_not_fit_is_null_and_kept_in_json(tag: str, vr: str, values: list[Any], name: str) -> None:
    found = row(**{f"t{tag}": (vr, values)})
    assert found.get(name) is None
    assert json.loads(dict(found["_unconverted"])[name]) == {"vr": vr, "Value": values}
    assert json.loads(found["json"])[tag]["Value"] == values


def test_the_type_never_follows_the_file() -> None:
    """An attribute that a file writes with another VR keeps the dictionary's type."""
    found = row(t00200013=("LO", ["12"]), t00280010=("UN", [512]))
    assert (found["InstanceNumber"], found["Rows"]) == (12, 512)


def test_unsigned_very_long_values_beyond_64_bit_are_null() -> None:
    found = row(t00080302=("UV", [2**63]))
    assert found.get("PrivateDataElementNumberOfItems") is None
    assert type_named("Rows") == pa.int32()


def test_private_attributes_are_named_by_their_creator_and_not_their_block() -> None:
    document = {
        "00190010": {"vr": "LO", "Value": ["FIRST"]},
        "00190011": {"vr": "LO", "Value": ["SECOND "]},
        "00191001": {"vr": "DS", "Value": [1.5]},
        "00191101": {"vr": "LO", "Value": ["a", "b"]},
        "001911FF": {"vr": "OB", "InlineBinary": "AAAA"},
        "00191201": {"vr": "LO", "Value": ["nobody's"]},
    }
    found = to_batch([(FACTS, document)]).to_pylist()[0]
    assert dict(found["private"]) == {"0019,FIRST,01": "1.5", "0019,SECOND,01": "a\\b"}


def test_code_sequences_people_filter_by_have_a_column() -> None:
    item = {
        "00080100": {"vr": "SH", "Value": ["T-D1100"]},
        "00080102": {"vr": "SH", "Value": ["SRT"]},
        "00080104": {"vr": "LO", "Value": ["Head"]},
    }
    found = row(t00082218=("SQ", [item, {}]), t00400275=("SQ", [item]))
    assert found["AnatomicRegionSequence"] == ["T-D1100^SRT^Head"]
    assert "RequestAttributesSequence" not in found


def test_repeating_groups_and_bytes_are_in_json_only() -> None:
    document = {
        "60000010": {"vr": "US", "Value": [5]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "?offset=1&length=2"},
    }
    found = to_batch([(FACTS, document)]).to_pylist()[0]
    assert json.loads(found["json"]) == document
    assert {name for name, value in found.items() if value is not None and name[0] != "_"} == {"json"}


def test_a_batch_is_sorted_and_has_only_columns_that_occur() -> None:
    builder = RowBuilder()
    for number in (3, None, 1, 2):
        value = {"00200013": {"vr": "IS", "Value": [number]}} if number else {"00200013": {"vr": "IS"}}
        builder.add(FACTS, value)
    batch = builder.batch()
    assert batch["InstanceNumber"].to_pylist() == [1, 2, 3, None]
    assert "StudyDate" not in batch.schema.names
    assert len(builder) == 4


def test_text_that_broken_character_sets_leave_becomes_valid() -> None:
    found = row(t00081030=("LO", ["bad \udc80 text"]))
    assert "\udc80" not in found["json"]
    assert found["StudyDescription"] == "bad ? text"


def test_json_that_exists_is_not_made_again() -> None:
    builder = RowBuilder()
    builder.add(FACTS, {"00080060": {"vr": "CS", "Value": ["CT"]}}, b'{"as": "given"}')
    assert builder.batch()["json"].to_pylist() == ['{"as": "given"}']
