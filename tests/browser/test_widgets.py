# ruff: noqa: E501 - JavaScript in strings
"""The widgets in a real JupyterLab, used by mouse and keyboard: over direct HTTP, and over comms alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_lab import Lab, kernel_value, lab

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.datasets.phantoms import Subject, demonstration

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EXTENSION = "--ServerApp.jpserver_extensions={'isocenter_jupyter': True}"
START = "import isocenter\nfrom isocenter_jupyter import *\narchive = isocenter.connect()\n"
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Twelve people's studies."""
    people = [Subject(), *(_person(number) for number in range(2, 13))]
    with server(tmp_path_factory.mktemp("widgets") / "data", workers=1) as running:
        with isocenter.connect(running.url, running.token) as opened:
            objects = [one for subject in people for one in demonstration(subject, slices=3, size=32)]
            assert not opened.store(objects, progress=False).failed
        yield running


def _person(number: int) -> Subject:
    return Subject(
        PatientID=f"PHANTOM-{number}",
        PatientName=f"Doe^Person {number}",
        StudyDate=f"20{10 + number}0315",
        seed=f"person-{number}",
    )


@pytest.fixture(scope="module")
def jupyter(archive: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab"), archive.environment(), EXTENSION) as started:
        yield started


class Shown:
    """A notebook that is run, and what its page asked of the data server directly."""

    def __init__(self, page: Any, pictures: Path) -> None:
        self.page, self.pictures = page, pictures
        self.errors: list[str] = []
        self.direct: list[str] = []
        self._answers = 0
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda asked: "/isocenter/proxy/" in asked.url and self.direct.append(asked.url))

    def wait(self, *selectors: str) -> None:
        for selector in selectors:
            try:
                self.page.wait_for_selector(selector)
            except Exception:
                self.picture("missing")
                raise

    def picture(self, name: str) -> None:
        self.page.screenshot(path=str(self.pictures / f"{name}.png"))

    def python(self, expression: str) -> Any:
        """The value of an expression in the notebook's kernel."""
        return kernel_value(self.page, expression)

    def until_python(self, expression: str, value: Any) -> None:
        """Wait until it is this: what is chosen in the page reaches the kernel a little later."""
        deadline = time.monotonic() + 60
        while (told := self.python(expression)) != value:
            assert time.monotonic() < deadline, told
            self.page.wait_for_timeout(100)


@pytest.fixture
def run(jupyter: Lab, context: Any, pictures: Path) -> Iterator[Callable[..., Shown]]:
    """Runs cells in a notebook of their own."""
    pages = []

    def runs(name: str, *cells: str, theme: str = LIGHT, height: int = 900) -> Shown:
        jupyter.theme(theme)
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": height})
        pages.append(page)
        shown = Shown(page, pictures)
        jupyter.run(page, name, *cells)
        return shown

    yield runs
    for page in pages:
        page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext.shutdown()")
        page.close()


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "comm"])
def test_a_cohort_is_narrowed_sorted_and_selected(run: Callable[..., Shown], direct: bool) -> None:
    name = f"cohort-{'direct' if direct else 'comm'}"
    shown = run(name, f"{START}table = CohortTable(archive.series, direct={direct})\ntable")
    page = shown.page
    shown.wait(".iso-cohort-row:not(.iso-cohort-wait)", ".iso-cohort-facet")
    every, ct = (shown.python(f"archive.series{only}.count()") for only in ("", ".where(Modality='CT')"))
    page.wait_for_function(
        f"document.querySelector('.iso-cohort .iso-title').textContent === '{every} series'"
    )

    page.get_by_label(re.compile("^CT")).check()
    page.wait_for_function(f"document.querySelector('.iso-cohort .iso-title').textContent === '{ct} series'")
    # its charts are where they stay
    shown.wait(".iso-cohort-side[aria-busy=false] .iso-cohort-chart .iso-cohort-in")
    chart = page.locator(".iso-cohort-chart").first.bounding_box()
    page.mouse.move(chart["x"] + 2, chart["y"] + 20)
    page.mouse.down()
    page.mouse.move(chart["x"] + chart["width"] / 2, chart["y"] + 20)
    page.mouse.up()
    shown.wait(".iso-chip:has-text('StudyDate')")
    page.wait_for_function(
        f"Number.parseInt(document.querySelector('.iso-cohort .iso-title').textContent) < {ct}"
    )
    shown.picture(f"{name}-narrowed")

    page.get_by_role("button", name="SeriesDescription").click()
    page.wait_for_selector('[aria-sort="ascending"]:has-text("SeriesDescription")')
    shown.wait(".iso-cohort-row:not(.iso-cohort-wait)")
    page.locator(".iso-cohort-grid").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    page.wait_for_function("document.querySelectorAll('.iso-cohort-row[aria-selected=true]').length === 2")
    page.wait_for_function(
        "document.querySelector('.iso-cohort .iso-foot').textContent.includes('2 selected')"
    )
    shown.picture(f"{name}-selected")
    shown.until_python("table.cohort.count()", 2)
    shown.until_python("sorted(table.choices)", ["Modality", "StudyDate"])
    assert shown.errors == []
    asked = [url for url in shown.direct if "/api/tables/" in url]
    assert bool(asked) is direct


def test_a_query_text_that_is_wrong_says_what_was_meant(run: Callable[..., Shown]) -> None:
    shown = run("cohort-text", f"{START}CohortTable(archive.studies)", theme=DARK)
    shown.wait(".iso-cohort-row:not(.iso-cohort-wait)")
    shown.page.get_by_label("Query text").fill("PatientSx = F")
    shown.wait(".iso-cohort-problem:not([hidden]):has-text('did you mean PatientSex')")
    shown.picture("cohort-dark")
    assert "Doe" not in shown.page.locator(".iso-cohort").inner_text()


def test_the_series_of_a_row_opens_beneath_the_table(run: Callable[..., Shown]) -> None:
    shown = run("cohort-open", f"{START}CohortTable(archive.series.where(Modality='CT'))", height=1500)
    shown.wait(".iso-cohort-row:not(.iso-cohort-wait)")
    shown.page.locator(".iso-cohort-grid").focus()
    shown.page.keyboard.press("Enter")
    shown.wait(".iso-cohort-viewer canvas")
    shown.page.wait_for_timeout(1500)
    shown.picture("cohort-viewer")


TAGS = """
from isocenter.client.resources import resource_of
one, other = (resource_of(archive, "instance", row) for row in archive.instances.where(SeriesDescription="Head 5.0 mm").sort("SeriesInstanceUID", "InstanceNumber").rows(2))
"""


def test_the_header_of_an_instance_is_a_tree_to_walk_through(run: Callable[..., Shown]) -> None:
    shown = run("tags", f"{START}{TAGS}TagBrowser(one)", theme=DARK)
    page = shown.page
    shown.wait(".iso-tags-row")
    page.get_by_label("Search tag, keyword or value").fill("patientname")
    page.wait_for_function("document.querySelectorAll('.iso-tags-row').length === 1")
    shown.wait(".iso-tags-row:has-text('•••')")
    page.get_by_label("Search tag, keyword or value").fill("")
    page.wait_for_function("document.querySelectorAll('.iso-tags-row').length > 10")
    grid = page.get_by_role("treegrid")
    grid.focus()
    page.keyboard.press("Home")
    for _ in range(200):
        active = page.locator(".iso-tags-active")
        if active.get_attribute("aria-expanded") == "false":
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.iso-tags-active[aria-expanded="true"]')
    page.keyboard.press("ArrowRight")
    shown.wait('.iso-tags-active[aria-level="2"]')
    shown.picture("tags-dark")
    page.get_by_role("button", name="Show identifiers").click()
    page.get_by_label("Search tag, keyword or value").fill("patientname")
    page.wait_for_function(
        "[...document.querySelectorAll('.iso-tags-row')].some((row) => row.textContent.includes('^'))"
    )
    assert shown.errors == []


def test_two_headers_show_what_differs(run: Callable[..., Shown]) -> None:
    shown = run("tags-two", f"{START}{TAGS}TagBrowser(one, other, direct=False)")
    shown.wait(".iso-tags-row")
    shown.page.get_by_role("button", name="Only differences").click()
    shown.wait(".iso-tags-name:has-text('SOPInstanceUID')")
    shown.page.locator(".iso-tags-same").first.wait_for(state="detached")
    names = shown.page.locator(".iso-tags-name").all_inner_texts()
    assert "SOPInstanceUID" in names
    assert "Modality" not in names
    shown.picture("tags-two")


JOB = """
with archive.transport.post("/api/jobs", {"Type": "archive", "Parameters": PARAMETERS}) as answer:
    job = answer.json()["ID"]
widget = JobProgress(job, archive=archive, direct=DIRECT)
widget
"""


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "comm"])
def test_a_job_is_followed_to_its_end(run: Callable[..., Shown], direct: bool) -> None:
    good = JOB.replace("PARAMETERS", '{"where": {"op": "everything"}}').replace("DIRECT", str(direct))
    bad = JOB.replace("PARAMETERS", '{"uids": ["1.2.3.4"]}').replace("DIRECT", str(direct))
    shown = run(f"job-{'direct' if direct else 'comm'}", START + good, bad, theme=DARK if direct else LIGHT)
    shown.wait('.iso-job[data-state="Success"]', '.iso-job[data-state="Failure"] .iso-error')
    shown.wait('[role=progressbar][aria-valuenow="100"]', ".iso-job-more:has-text('Save archive.zip')")
    shown.picture(f"job-{'direct' if direct else 'comm'}")
    shown.until_python("widget.state", "Failure")


REVIEW = """
image = next(iter(archive.instances.where(Modality="PX").select("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Rows", "Columns").rows(1)))
path = "/dicom-web/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances/{SOPInstanceUID}/thumbnail".format(**image)
review = DeidReview({
    "title": "Cohort panoramic, 12 instances", "profile": "basic profile",
    "attributes": [
        {"tag": "(0010,0010)", "name": "PatientName", "action": "replace", "before": [{"value": "Doe^Ann", "count": 12}], "after": [{"value": "SUBJECT-1", "count": 12}]},
        {"tag": "(0008,1030)", "name": "StudyDescription", "action": "clean", "flag": True, "note": "free text", "before": [{"value": "Panoramic", "count": 12}], "after": [{"value": "Panoramic", "count": 12}]},
    ],
    "images": [{"id": "1.2", "label": "Panoramic 1", "path": path, "width": image["Columns"], "height": image["Rows"], "boxes": [{"x": 2, "y": 2, "width": 20, "height": 6, "label": "name"}]}],
}, archive=archive)
review
"""


def test_a_review_is_decided_attribute_by_attribute(run: Callable[..., Shown]) -> None:
    shown = run("review", START + REVIEW)
    page = shown.page
    shown.wait(".iso-review tbody tr")
    assert "Doe" not in page.locator(".iso-review").inner_text()
    page.get_by_role("group", name="Decision on PatientName").get_by_role("button", name="Accept").click()
    page.get_by_role("group", name="Decision on StudyDescription").get_by_role(
        "button", name="Reject"
    ).click()
    page.wait_for_function(
        "document.querySelector('.iso-review .iso-foot').textContent.includes('1 accepted · 1 rejected · 1 undecided')"
    )
    shown.picture("review")
    page.get_by_role("tab", name=re.compile("Images")).click()
    page.wait_for_function(
        "((all) => all.length && all.every((one) => one.naturalWidth > 0))([...document.querySelectorAll('.iso-review img')])"
    )
    shown.picture("review-images")
    shown.until_python("review.decisions", {"(0010,0010)": "accepted", "(0008,1030)": "rejected"})


DOSE = """
import random
random.seed(3)
rows = [{"CTDIvol": random.gauss(48, 9), "Age": random.randint(18, 90), "Scanner": "AB"[n % 2]} for n in range(200)]
DoseChart(rows, y="CTDIvol", group="Scanner", reference={"value": 60, "label": "DRL head"}, units={"CTDIvol": "mGy"})
"""


def test_a_dose_chart_says_in_words_and_numbers_what_it_shows(run: Callable[..., Shown]) -> None:
    shown = run(
        "dose", START + DOSE, "DoseChart()", "DeidReview()", "DatasetReset(archive)", theme=DARK, height=1400
    )
    page = shown.page
    shown.wait(".iso-dose-chart[aria-label*='above DRL head']", ".iso-reset .iso-note")
    shown.wait(".iso-dose:has-text('No data yet')", ".iso-review:has-text('No report yet')")
    shown.picture("dose-dark")
    page.get_by_role("button", name="As a table").first.click()
    shown.wait(".iso-dose-table")
    page.get_by_label("Name of a new snapshot").fill("exam")
    page.get_by_role("button", name="Take snapshot").click()
    page.get_by_role("button", name="Reset the dataset to exam").click()
    page.get_by_role("button", name="Reset", exact=True).click()
    shown.wait(".iso-reset-done:has-text('Returned to exam')")
    shown.picture("dose-table")
    assert shown.errors == []


def test_without_a_widget_a_notebook_still_says_something(run: Callable[..., Shown]) -> None:
    shown = run("fallback", f"{START}{TAGS}tags = TagBrowser(one)\ntable = CohortTable(archive.series)\ntags")
    shown.wait(".iso-tags-row")
    data = shown.python("[one._repr_mimebundle_()[0] for one in (tags, table)]")
    assert "SOPClassUID" in data[0]["text/plain"]
    assert "<table" in data[1]["text/html"]
    assert "Doe" not in str(data)
