"""The de-identification review, the dose chart and the way back to a snapshot, given data and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas
import pyarrow
import pytest
from live_archive import instance

from isocenter.client.archive import Archive
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.dose import DoseChart
from isocenter_jupyter.widgets.reset import DatasetReset
from isocenter_jupyter.widgets.review import DeidReview

Browse = Callable[[Any], Any]

REPORT = {
    "title": "Cohort thin-ct",
    "attributes": [
        {
            "tag": "(0010,0010)",
            "name": "PatientName",
            "action": "replace",
            "before": [{"value": "Doe^Ann", "count": 2}],
            "after": [{"value": "ANON-1", "count": 2}],
        },
        {
            "tag": "(0008,0060)",
            "name": "Modality",
            "action": "keep",
            "before": [{"value": "CT", "count": 2}],
            "after": [{"value": "CT", "count": 2}],
        },
        {
            "tag": "(0010,0020)",
            "name": "PatientID",
            "action": "keep",
            "before": [{"value": "P1", "count": 2}],
            "after": [{"value": "P1", "count": 2}],
        },
    ],
}


def test_a_review_masks_what_was_before_until_it_is_asked_for(browse: Browse) -> None:
    review = DeidReview(REPORT)
    browser = browse(review)
    hidden = str(browser.ask("ASK", "report", {"show": False})[1])
    assert "Doe" not in hidden
    assert "P1" not in hidden
    assert "ANON-1" in hidden
    assert "'CT'" in hidden
    assert "Doe^Ann" in str(browser.ask("ASK", "report", {"show": True})[1])
    review.close()


def test_values_from_before_are_not_kept_in_a_notebook() -> None:
    review = DeidReview(REPORT)
    assert "Doe" not in str(review.get_state()) + str(review._repr_mimebundle_())
    review.close()


def test_a_report_may_come_later() -> None:
    review = DeidReview()
    before = review._version
    assert "No report" in review.fallback().html
    review.report = REPORT
    assert review._version > before
    assert "PatientName" in review.fallback().text
    review.close()


@pytest.mark.parametrize("kind", ["dictionaries", "columns", "pandas", "arrow"])
def test_a_chart_takes_any_table(kind: str) -> None:
    columns: dict[str, list[Any]] = {"PatientName": ["A", "B"], "CTDIvol": [42.5, 50.0]}
    tables = {
        "dictionaries": [{"PatientName": "A", "CTDIvol": 42.5}, {"PatientName": "B", "CTDIvol": 50.0}],
        "columns": columns,
        "pandas": pandas.DataFrame(columns),
        "arrow": pyarrow.table(columns),
    }
    chart = DoseChart(tables[kind], reference=60)
    assert (chart.y, chart.rows) == ("CTDIvol", [{"CTDIvol": 42.5}, {"CTDIvol": 50.0}])
    assert chart.reference == [{"value": 60.0, "label": "reference"}]
    assert "2 values" in chart.fallback().text
    chart.close()


def test_a_chart_of_what_has_no_numbers_says_what_there_is() -> None:
    with pytest.raises(BadRequest, match="Modality has no numbers") as caught:
        DoseChart([{"Modality": "CT", "CTDIvol": 1.0}], y="Modality")
    assert "CTDIvol" in caught.value.hint


def test_a_chart_without_data_says_so() -> None:
    chart = DoseChart()
    assert "No dose data" in chart.fallback().html
    chart.show([{"CTDIvol": 2.0}])
    assert chart.rows == [{"CTDIvol": 2.0}]
    chart.close()


def test_a_dataset_returns_to_a_snapshot(archive: Archive, browse: Browse, web: Any) -> None:
    widget = DatasetReset(archive)
    browser = browse(widget)
    status, told = browser.ask("ASK", "take", {"name": "exam"})
    assert (status, [one["name"] for one in told["snapshots"]]) == (200, ["exam"])
    web.store(instance(1, study="1.2.9"))
    assert archive.instances.count() == 3
    status, told = browser.ask("ASK", "reset", {"name": "exam"})
    assert status == 200
    assert archive.instances.count() == 2
    assert browser.ask("ASK", "reset", {"name": "no such"})[0] == 404
    assert "exam" in widget.fallback().text
    widget.close()
