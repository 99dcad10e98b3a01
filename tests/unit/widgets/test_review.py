"""The review of a run on a real server: what it masks, and the verdict that lets results leave or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live_archive import LiveArchive

import isocenter
from isocenter.app import in_job_process
from isocenter.datasets.phantoms import Subject, ct
from isocenter.errors import BadRequest
from isocenter.jobs.executor import Runner
from isocenter_jupyter.widgets.review import DeidReview

Browse = Callable[[Any], Any]
NAME = "Hounsfield^Godfrey"


@pytest.fixture(scope="module")
def series(web: LiveArchive) -> Iterator[Any]:
    """Two slices of a phantom, on a server that runs jobs."""
    runner = Runner(web.context.settings, in_job_process)
    with isocenter.connect(web.url) as archive:
        images = list(ct(Subject(PatientName=NAME), slices=2, size=16))
        archive.store(images, progress=False).raise_for_failures()
        runner.start()
        yield archive[str(images[0].SeriesInstanceUID)]
        runner.stop()


@pytest.fixture
def held(series: Any) -> Any:
    return series.deidentify(review=True).run().wait(False)


def test_a_run_is_shown_masked_with_what_may_be_said_of_it(held: Any, browse: Browse) -> None:
    review = DeidReview(held)
    status, told = browse(review).ask("ASK", "report", {"show": False})
    assert (status, told["standing"]["kind"]) == (200, "held")
    assert told["counts"]["out"] == 2
    assert "Hounsfield" not in str(told)
    assert "Hounsfield" in str(browse(review).ask("ASK", "report", {"show": True})[1])
    assert "Hounsfield" not in str(review.get_state()) + str(review._repr_mimebundle_())
    assert "PatientName" in review.fallback().text
    review.close()


def test_its_pictures_come_from_the_data_server(held: Any, browse: Browse) -> None:
    review = DeidReview(held)
    browser = browse(review)
    image = browser.ask("ASK", "report", {})[1]["images"][0]
    status, picture = browser.fetch("GET", image["path"], accept="image/jpeg")
    assert (status, picture[:2]) == (200, b"\xff\xd8")
    review.close()


def test_accepting_lets_all_but_the_rejected_images_leave(held: Any, browse: Browse) -> None:
    review = DeidReview(held)
    browser = browse(review)
    image = browser.ask("ASK", "report", {})[1]["images"][0]["id"]
    review.decisions = {image: "rejected"}
    assert review.rejected == [image]
    asked = {"verdict": "accepted", "decisions": {image: "rejected", "(0010,0010)": "accepted"}}
    status, standing = browser.ask("ASK", "settle", asked)
    assert (status, standing["kind"]) == (200, "settled")
    assert "1 of 2 instances leave" in standing["words"]
    assert held.wait(False).counts["rejected"] == 1
    assert browser.ask("ASK", "report", {})[1]["standing"]["kind"] == "settled"
    review.close()


def test_rejecting_deletes_the_results_and_is_said_once(held: Any, browse: Browse) -> None:
    review = DeidReview(held)
    browser = browse(review)
    status, standing = browser.ask("ASK", "settle", {"verdict": "rejected", "decisions": {}})
    assert (status, standing["kind"]) == (200, "settled")
    assert "nothing left" in standing["words"]
    status, told = browser.ask("ASK", "settle", {"verdict": "accepted", "decisions": {}})
    assert status == 409
    assert "rejected" in told["error"]["message"]
    review.close()


def test_of_a_plan_its_preview_is_shown_and_there_is_no_verdict(series: Any, browse: Browse) -> None:
    plan = series.deidentify()
    with isocenter.options(progress=False):
        review = DeidReview(plan)
    told = browse(review).ask("ASK", "report", {})[1]
    assert told["standing"]["kind"] == "preview"
    assert "plan.run()" in told["standing"]["words"]
    assert plan.previewed is not None
    review.close()


def test_the_line_of_an_empty_review_is_true(series: Any, browse: Browse) -> None:
    review = DeidReview()
    plan = series.deidentify().preview(progress=False)
    review.report = plan.report()
    told = browse(review).ask("ASK", "report", {})[1]
    assert "PatientName" in [one["name"] for one in told["attributes"]]
    review.close()


def test_a_review_of_something_else_says_what_it_takes() -> None:
    with pytest.raises(BadRequest, match="int is no run"):
        DeidReview(7)  # type: ignore[arg-type]
