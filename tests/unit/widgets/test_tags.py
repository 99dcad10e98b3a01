"""A header as rows, two headers side by side, and what the tag browser shows of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.client.archive import Archive
from isocenter.client.resources import Instance
from isocenter.client.tags import TagRow, header_rows
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.tags import TagBrowser


def header(**values: Any) -> dict[str, Any]:
    data_set = Dataset()
    for name, value in values.items():
        setattr(data_set, name, value)
    return dict(data_set.to_json_dict())


def by_name(rows: list[TagRow]) -> dict[str, TagRow]:
    return {row.name: row for row in rows}


def test_a_header_is_read_in_the_order_of_tags() -> None:
    rows = header_rows(header(Modality="CT", SliceThickness=2.5, ImageType=["ORIGINAL", "PRIMARY"]))
    assert [(row.tag, row.name, row.vr, row.value) for row in rows] == [
        ("(0008,0008)", "ImageType", "CS", "ORIGINAL\\PRIMARY"),
        ("(0008,0060)", "Modality", "CS", "CT"),
        ("(0018,0050)", "SliceThickness", "DS", "2.5"),
    ]


def test_items_follow_their_sequence_one_level_deeper() -> None:
    item = Dataset()
    item.CodeValue = "123"
    rows = header_rows(header(ProcedureCodeSequence=Sequence([item])))
    assert [(row.depth, row.name, row.value, row.inside) for row in rows] == [
        (0, "ProcedureCodeSequence", "1 item", True),
        (1, "Item 1", "", True),
        (2, "CodeValue", "123", False),
    ]


def test_identifiers_are_masked_unless_asked_for() -> None:
    item = Dataset()
    item.PatientID = "OLD-1"
    given = header(PatientName="Doe^Ann", PatientSex="F", OtherPatientIDsSequence=Sequence([item]))
    hidden = header_rows(given)
    assert "Doe" not in str(hidden)
    assert "OLD-1" not in str(hidden)
    assert by_name(hidden)["PatientSex"].value == "F"
    assert by_name(header_rows(given, show_identifiers=True))["PatientName"].value == "Doe^Ann"


def test_a_private_element_is_named_by_its_creator_and_masked() -> None:
    given = {
        "00190010": {"vr": "LO", "Value": ["ACME 1.0"]},
        "00191001": {"vr": "LO", "Value": ["Ann Doe"]},
        "00191002": {"vr": "DS", "Value": [2]},
    }
    rows = by_name(header_rows(given))
    assert rows["Private Creator 0019 10"].value == "ACME 1.0"
    assert (rows["ACME 1.0 01"].value, rows["ACME 1.0 02"].value) == ("•••", "2")


def test_private_elements_meet_by_creator_whatever_their_block() -> None:
    first = {"00190010": {"vr": "LO", "Value": ["ACME"]}, "00191001": {"vr": "DS", "Value": [1]}}
    second = {"00190011": {"vr": "LO", "Value": ["ACME"]}, "00191101": {"vr": "DS", "Value": [1]}}
    assert by_name(header_rows(first, second))["ACME 01"].change == "same"


def test_bulk_data_says_how_large_it_is() -> None:
    uri = "http://host/dicom-web/studies/1/bulkdata?offset=900&length=524288"
    assert header_rows({"7FE00010": {"vr": "OW", "BulkDataURI": uri}})[0].value == "524 kB of bulk data"


def test_two_headers_differ_in_what_is_added_removed_and_changed() -> None:
    first = header(Modality="CT", PatientID="1", SliceThickness=2, StudyDescription="x")
    second = header(Modality="CT", PatientID="2", SliceThickness=2, SeriesDescription="y")
    changes = {row.name: row.change for row in header_rows(first, second)}
    assert changes == {
        "Modality": "same",
        "PatientID": "changed",
        "SliceThickness": "same",
        "StudyDescription": "removed",
        "SeriesDescription": "added",
    }


def test_a_sequence_differs_when_something_in_it_does() -> None:
    def coded(value: str) -> dict[str, Any]:
        item = Dataset()
        item.CodeValue = value
        return header(ProcedureCodeSequence=Sequence([item]))

    changes = [row.change for row in header_rows(coded("1"), coded("2"))]
    assert changes == ["changed", "changed", "changed"]


@pytest.fixture
def instance(archive: Archive) -> Instance:
    return Instance(archive.transport, archive.dataset_name, "1.2.3.1.1")


def test_the_browser_gets_masked_rows_until_it_asks_for_more(
    instance: Instance, browse: Callable[[Any], Any]
) -> None:
    widget = TagBrowser(instance)
    browser = browse(widget)
    status, told = browser.ask("ASK", "rows", {"show": False})
    assert (status, told["titles"]) == (200, ["1.2.3.1.1"])
    assert "Doe" not in str(told)
    assert "Doe^Ann" in str(browser.ask("ASK", "rows", {"show": True})[1])
    assert "Doe" not in str(widget.get_state())
    widget.close()


def test_a_stored_instance_is_compared_with_a_data_set(instance: Instance) -> None:
    data_set = Dataset()
    data_set.PatientID = "P2"
    widget = TagBrowser(instance, data_set)
    assert by_name(widget.rows())["PatientID"].change == "changed"
    assert "PatientID" in widget.fallback().text
    assert "changed" in widget.fallback().html
    widget.close()


def test_what_is_no_instance_is_refused_where_it_is_given() -> None:
    with pytest.raises(BadRequest, match="no instance"):
        TagBrowser("1.2.3")
