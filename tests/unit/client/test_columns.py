"""Conditions as Python expressions build the same tree as text."""

import copy
import datetime
import pickle

import numpy as np
import pandas as pd
import pytest

from isocenter import col
from isocenter.client.conditions import condition
from isocenter.dicom import predicate as p
from isocenter.dicom.expression import parse
from isocenter.errors import InvalidQuery, InvalidValue, UnknownAttribute

NOON = datetime.datetime(2024, 1, 31, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (col.Modality == "CT", "Modality = CT"),
        (col.Modality != "CT", "Modality != CT"),
        (col.SliceThickness < 2, "SliceThickness < 2"),
        (col.SliceThickness <= np.float32(1.5), "SliceThickness <= 1.5"),
        (col.InstanceNumber > np.int64(3), "InstanceNumber > 3"),
        (col.StudyDate >= datetime.date(2020, 1, 31), "StudyDate >= 20200131"),
        (col.StudyDate >= pd.Timestamp("2020-01-31"), "StudyDate >= 20200131"),
        (col.StudyDate == "2020-01-31", "StudyDate = 20200131"),
        (col.StudyTime < datetime.time(10, 30), "StudyTime < 103000"),
        (col.Rows.between(1, 5), "Rows between 1 and 5"),
        (col.Modality.isin(["CT", "MR"]), "Modality in (CT, MR)"),
        (col.Modality.isin(pd.Series(["CT", "MR"])), "Modality in (CT, MR)"),
        (col.Modality.isin(["CT", None]), "Modality in (CT) or Modality is null"),
        (col.PatientName.like("doe*"), "PatientName like doe*"),
        (col.SeriesDescription.contains("lung"), "SeriesDescription ilike *lung*"),
        (col.PatientID.startswith("A"), "PatientID like A*"),
        (col.Modality.is_null(), "Modality is null"),
        (col.Modality == None, "Modality is null"),  # noqa: E711
        (col.Modality.not_null(), "Modality is not null"),
        (col["0019,SIEMENS MR HEADER,0c"] == 5, "[0019,SIEMENS MR HEADER,0c] = 5"),
        (col["0019,SIEMENS MR HEADER,0c"] == "5", '[0019,SIEMENS MR HEADER,0c] = "5"'),
        (col._size > 1000, "_size > 1000"),
        (col._received >= datetime.date(2024, 1, 31), "_received >= 2024-01-31"),
        (col._received >= NOON, "_received >= 2024-01-31T11:00:00.000000"),
        (
            col.RequestAttributesSequence.RequestedProcedureID == "1",
            "RequestAttributesSequence.RequestedProcedureID = 1",
        ),
        (
            col.RequestAttributesSequence.has(col.RequestedProcedureID == "1"),
            "RequestAttributesSequence has (RequestedProcedureID = 1)",
        ),
        (
            (col.Modality == "CT") & (col.Rows > 1) | ~(col.Columns == 5),
            "Modality=CT and Rows>1 or not Columns=5",
        ),
    ],
)
def test_an_expression_is_the_tree_of_its_text(built, text):
    assert built == parse(text)


def test_chained_comparison_is_an_error_and_not_half_a_condition():
    with pytest.raises(TypeError, match="1 < x < 2"):
        _ = 1 < col.SliceThickness < 3
    with pytest.raises(TypeError, match="&"):
        _ = col.Modality == "CT" and col.Rows > 1


def test_a_misspelt_name_is_told_with_the_nearest_where_it_is_written():
    with pytest.raises(UnknownAttribute, match="SliceThickness"):
        _ = col.SliceThicknes


def test_a_value_that_does_not_fit_is_told_where_it_is_written():
    with pytest.raises(InvalidValue, match="SliceThickness"):
        _ = col.SliceThickness < "thin"
    with pytest.raises(InvalidQuery, match="Wild cards"):
        col.StudyDate.like("2020*")
    with pytest.raises(InvalidQuery, match="no sequence"):
        col.Modality.CodeValue  # noqa: B018
    with pytest.raises(InvalidQuery, match="no sequence"):
        col.Rows.has(col.Modality == "CT")


def test_names_are_completed():
    assert "SliceThickness" in dir(col)
    assert "like" in dir(col.Modality)
    assert "RequestedProcedureID" in dir(col.RequestAttributesSequence)
    assert "RequestedProcedureID" not in dir(col.Modality)
    assert "Modality" in col._ipython_key_completions_()


def test_columns_are_copied_and_pickled():
    assert hash(copy.copy(col.Modality)) == hash(col.Modality)
    assert repr(pickle.loads(pickle.dumps(col.Modality))) == "col.Modality"


def test_jupyter_may_ask_a_column_for_its_displays():
    assert not hasattr(col, "_repr_html_")
    assert not hasattr(col.Modality, "_ipython_display_")
    assert repr(col.Modality) == "col.Modality"


class TestWhere:
    """Texts, expressions and keyword arguments together."""

    def test_all_of_them_hold(self):
        built = condition(["Modality=CT", col.Rows > 1], {"PatientID": "A"})
        assert built == parse("Modality=CT and Rows>1 and PatientID=A")

    def test_lists_none_and_wild_cards_of_keyword_arguments(self):
        built = condition([], {"Modality": ["CT", "MR"], "BodyPartExamined": None, "PatientName": "doe*"})
        assert built == parse("Modality in (CT, MR) and BodyPartExamined is null and PatientName like doe*")
        assert condition([], {"InstanceNumber": range(1, 3)}) == parse("InstanceNumber in (1, 2)")

    def test_nothing_is_everything(self):
        assert condition([], {}) == p.Everything()

    @pytest.mark.parametrize("wrong", [True, 5, col.Modality, None])
    def test_what_is_no_condition(self, wrong):
        with pytest.raises(InvalidQuery):
            condition([wrong], {})
