"""Query parameters of a search: keys by keyword, tag or path; what is unknown is told, not refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.parameters import FUZZY_WARNING, parse_search
from isocenter.errors import BadRequest


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("PatientID", "PatientID"),
        ("00100020", "PatientID"),
        (
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "RequestAttributesSequence.ScheduledProcedureStepID",
        ),
        ("00400275.00400009", "RequestAttributesSequence.ScheduledProcedureStepID"),
        ("0020000d", "StudyInstanceUID"),
        ("0019,SIEMENS MR HEADER,0c", "0019,SIEMENS MR HEADER,0c"),
    ],
)
def test_keys_are_named_by_keyword_tag_or_path(written: str, name: str) -> None:
    assert dict(parse_search({written: ["x"]}).keys) == {name: "x"}


def test_a_key_given_twice_is_a_list_of_values() -> None:
    assert parse_search({"Modality": ["CT", "MR"]}).keys["Modality"] == "CT\\MR"


def test_included_fields_are_lists_repeated_or_all() -> None:
    search = parse_search({"includefield": ["PatientAge,00081030", "StudyID", "StudyID"]})
    assert search.include == ("PatientAge", "StudyDescription", "StudyID")
    assert not search.include_all
    assert parse_search({"includefield": ["all"]}).include_all
    assert parse_search({"includefield": ["0019,SIEMENS MR HEADER,0c"]}).include == (
        "0019,SIEMENS MR HEADER,0c",
    )


def test_what_is_unknown_is_told_and_left_out() -> None:
    search = parse_search({"PatientIdd": ["x"], "_": ["1"], "includefield": ["Nonsense,StudyID"]})
    assert not search.keys
    assert search.include == ("StudyID",)
    assert any("PatientIdd" in text for text in search.warnings)
    assert any("Nonsense" in text for text in search.warnings)


def test_fuzzy_matching_is_told_not_to_be_done_where_names_are_not_in_the_index() -> None:
    fuzzy = {"fuzzymatching": ["true"]}
    assert parse_search({"ScheduledPerformingPhysicianName": ["x"], **fuzzy}).warnings == (FUZZY_WARNING,)
    assert parse_search({"PatientName": ["x"], **fuzzy}).warnings == ()
    assert parse_search({"PatientName": ["x"], **fuzzy}).rules.fuzzy


def test_keys_inside_one_sequence_are_about_one_item() -> None:
    keys = {"ProcedureCodeSequence.CodeValue": ["A"], "00081032.00080102": ["B"], "StudyID": ["1"]}
    item = {"CodeValue": "A", "CodingSchemeDesignator": "B"}
    assert parse_search(keys).identifier() == {"StudyID": "1", "ProcedureCodeSequence": [item]}
    alone = {"ProcedureCodeSequence.CodeValue": ["A"], "ProcedureCodeSequence.CodeMeaning": [""]}
    assert parse_search(alone).identifier() == parse_search(alone).keys


def test_limit_and_offset() -> None:
    search = parse_search({"limit": ["10"], "offset": ["5"]})
    assert (search.limit, search.offset) == (10, 5)
    assert parse_search({}).limit is None


@pytest.mark.parametrize("name", ["limit", "offset", "fuzzymatching"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", "٣", "9" * 40])
def test_limits_and_switches_of_no_such_value_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name):
        parse_search({name: [value]})


@given(
    st.dictionaries(st.text(max_size=20), st.lists(st.text(max_size=20), min_size=1, max_size=2), max_size=4)
)
def test_any_parameters_are_read_or_refused(arguments: dict[str, list[str]]) -> None:
    try:
        search = parse_search(arguments)
    except BadRequest:
        return
    assert len(search.keys) <= len(arguments)
