"""The cohort table: what is chosen becomes a query, and the query a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_archive import LiveArchive, instance, serving

from isocenter.client.archive import Archive
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.cohort import CohortTable

EARLY = {"PatientID": "P1", "PatientName": "Doe^Ann", "StudyDate": "20200105", "StudyTime": "101500"}
LATE = {"PatientID": "P2", "StudyDate": "20210105", "StudyTime": "180000"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """Three series of two studies."""
    with serving(tmp_path_factory.mktemp("cohort") / "data") as start:
        web = start()
        web.store(
            instance(1, Modality="CT", SliceThickness="1", **EARLY),
            instance(2, Modality="CT", SliceThickness="1", **EARLY),
            instance(1, series="2", Modality="MR", SliceThickness="5", **EARLY),
            instance(1, study="1.2.4", Modality="CT", SliceThickness="3", **LATE),
        )
        yield web


@pytest.fixture
def table(archive: Archive) -> Iterator[CohortTable]:
    made = CohortTable(archive.series)
    yield made
    made.close()


def uids(frame: Any) -> set[str]:
    return set(frame.uids())


def test_without_a_choice_the_cohort_is_the_frame(table: CohortTable) -> None:
    assert uids(table.cohort) == {"1.2.3.1", "1.2.3.2", "1.2.4.1"}


def test_what_is_chosen_in_facets_narrows_the_cohort(table: CohortTable) -> None:
    table.choices = {"Modality": {"values": ["CT"]}, "SliceThickness": {"range": [2, None]}}
    assert uids(table.cohort) == {"1.2.4.1"}
    table.choices = {"StudyDate": {"range": ["2020-01-01", "2020-12-31"]}}
    assert uids(table.cohort) == {"1.2.3.1", "1.2.3.2"}


def test_rows_without_a_value_can_be_chosen(table: CohortTable) -> None:
    table.choices = {"BodyPartExamined": {"values": [None]}}
    assert len(table.cohort) == 3


def test_a_query_text_narrows_as_well(table: CohortTable) -> None:
    table.expression = "Modality = CT and SliceThickness < 2"
    assert uids(table.cohort) == {"1.2.3.1"}


def test_a_text_that_is_not_understood_says_why_and_keeps_the_rows(table: CohortTable) -> None:
    table.expression = "Modality = CT"
    asked = table._asked
    table.expression = "Modalty = CT"
    assert "Modalty" in table._problem["message"]
    assert "Modality" in table._problem["hint"]
    assert table._asked == asked
    table.expression = ""
    assert table._problem == {}


def test_selected_rows_are_the_cohort(table: CohortTable) -> None:
    table.selected_uids = ["1.2.3.2"]
    assert uids(table.cohort) == {"1.2.3.2"}
    assert [series.Modality for series in table.selected] == ["MR"]


def test_a_facet_counts_the_rows_that_its_own_choice_leaves_out(
    table: CohortTable, browse: Callable[[Any], Any]
) -> None:
    table.choices = {"Modality": {"values": ["MR"]}}
    asked = {"level": "series", "where": table._asked["where"], "facets": table._asked["facets"]}
    status, told = browse(table).ask("POST", "/api/tables/facets", asked)
    assert (status, told["count"]) == (200, 1)
    modality = next(one for one in told["facets"] if one["column"] == "Modality")
    assert {one["value"]: one["count"] for one in modality["values"]} == {"CT": 2, "MR": 1}


def test_numbers_and_dates_have_histograms_and_texts_have_values(table: CohortTable) -> None:
    kinds = {one["column"]: "bins" in one for one in table._asked["facets"]}
    assert (kinds["SliceThickness"], kinds["StudyDate"], kinds["Modality"]) == (True, True, False)


def test_a_time_of_day_is_chosen_by_the_numbers_of_its_histogram(archive: Archive) -> None:
    table = CohortTable(archive.studies, facets=["StudyTime"])
    table.choices = {"StudyTime": {"range": [10 * 3_600_000_000, 11 * 3_600_000_000]}}
    assert uids(table.cohort) == {"1.2.3"}
    table.close()


def test_the_browser_learns_which_columns_to_mask(table: CohortTable, browse: Callable[[Any], Any]) -> None:
    told = {one["name"]: one for one in browse(table).ask("ASK", "columns")[1]}
    assert (told["PatientName"]["masked"], told["Modality"]["masked"]) == (True, False)


def test_instances_and_bytes_of_what_is_chosen(table: CohortTable, browse: Callable[[Any], Any]) -> None:
    table.choices = {"Modality": {"values": ["CT"]}}
    assert browse(table).ask("ASK", "totals")[1]["instances"] == 3


def test_a_frame_that_is_cut_is_browsed_as_the_rows_it_has(archive: Archive) -> None:
    table = CohortTable(archive.series.sort("SeriesInstanceUID").head(2))
    table.choices = {"Modality": {"values": ["CT"]}}
    assert uids(table.cohort) == {"1.2.3.1"}
    table.close()


def test_no_identifier_is_in_what_a_notebook_keeps(table: CohortTable) -> None:
    data, _ = table._repr_mimebundle_()
    assert "Doe" not in str(data) + str(table.get_state())
    assert "P1" not in str(data)


def test_what_is_no_frame_is_refused(archive: Archive) -> None:
    with pytest.raises(BadRequest, match="no frame"):
        CohortTable(archive)  # type: ignore[arg-type]


def test_of_a_study_the_first_series_with_images_is_opened(archive: Archive) -> None:
    table = CohortTable(archive.studies)
    assert table._first_series("1.2.3") == "1.2.3.1"
    table.close()
