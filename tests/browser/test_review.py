# ruff: noqa: E501 - JavaScript in strings
"""A de-identification is looked through in JupyterLab, and its results leave, or do not, by what is pressed there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_lab import Lab, kernel_value, lab
from pydicom.uid import SecondaryCaptureImageStorage

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.datasets.phantoms import Subject, ct, panoramic

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EXTENSION = "--ServerApp.jpserver_extensions={'isocenter_jupyter': True}"
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
PLAN = """
import isocenter
from isocenter_jupyter import DeidReview
isocenter.options.progress = False
archive = isocenter.connect()
corner = {"version": 1, "rule": [{"name": "corner", "match": {"Modality": "PX"}, "mask": [[0, 0, 170, 30]]}]}
plan = archive.series.freeze("heads").deidentify(
    options=["modified-dates", "clean-descriptors", "clean-pixel-data"], pixel_rules=corner, review=True
)
"""
RUN = "run = plan.run().wait()\nreview = DeidReview(run)\nreview"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Heads and panoramics of three people, and a screen shot."""
    people = [
        Subject(),
        Subject(PatientID="PHANTOM-2", PatientName="Hounsfield^Godfrey", StudyDate="20230511", seed="two"),
        Subject(PatientID="PHANTOM-3", PatientName="Curie^Marie", StudyDate="20220704", seed="three"),
    ]
    objects = [
        one for who in people for one in (*ct(who, slices=3, size=128), panoramic(who, rows=256, columns=512))
    ]
    shot = next(
        iter(
            ct(
                Subject(PatientID="PHANTOM-2", PatientName="Hounsfield^Godfrey", seed="shot"),
                slices=1,
                size=128,
            )
        )
    )
    shot.SOPClassUID = shot.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    shot.ConversionType = "WSD"
    with server(tmp_path_factory.mktemp("review") / "data", workers=1) as running:
        with isocenter.connect(running.url, running.token) as opened:
            opened.store([*objects, shot], progress=False).raise_for_failures()
        yield running


@pytest.fixture(scope="module")
def jupyter(archive: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab"), archive.environment(), EXTENSION) as started:
        yield started


class Shown:
    """A notebook with a review in it."""

    def __init__(self, page: Any, pictures: Path) -> None:
        self.page, self.pictures = page, pictures
        self.review = page.locator(".iso-review")
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def wait(self, selector: str) -> Any:
        try:
            return self.page.wait_for_selector(selector)
        except Exception:
            self.picture("missing")
            raise

    def picture(self, name: str) -> None:
        self.page.screenshot(path=str(self.pictures / f"{name}.png"))

    def tab(self, name: str) -> None:
        self.review.get_by_role("tab", name=re.compile(name)).click()

    def pictures_drawn(self, number: int) -> None:
        self.page.wait_for_function(
            "(number) => [...document.querySelectorAll('.iso-review img')].filter((one) => one.naturalWidth > 0).length >= number",
            arg=number,
        )

    def python(self, expression: str, value: Any) -> None:
        """Wait until an expression in the kernel is this."""
        deadline = time.monotonic() + 60
        while (told := self._python(expression)) != value:
            assert time.monotonic() < deadline, told
            self.page.wait_for_timeout(100)

    def _python(self, expression: str) -> Any:
        return kernel_value(self.page, expression)


@pytest.fixture
def run(jupyter: Lab, browser: Any, pictures: Path) -> Iterator[Callable[..., Shown]]:
    """Runs cells in a notebook of their own, until the review has its report."""
    pages = []

    def runs(name: str, *cells: str, theme: str = LIGHT) -> Shown:
        jupyter.theme(theme)
        page = browser.new_page(viewport={"width": 1280, "height": 980})
        page.set_default_timeout(60_000)
        pages.append(page)
        shown = Shown(page, pictures)
        jupyter.run(page, name, *cells)
        shown.wait(".iso-review tbody tr")
        page.locator(".iso-review").scroll_into_view_if_needed()
        return shown

    yield runs
    for page in pages:
        page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext.shutdown()")
        page.close()


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_it_is_looked_through_by_attribute_image_and_reason(run: Callable[..., Shown], theme: str) -> None:
    name = f"review-{theme.split()[1].lower()}"
    shown = run(name, PLAN, RUN, theme=theme)
    page = shown.page
    shown.picture(f"{name}-attributes")
    assert "Hounsfield" not in shown.review.inner_text()
    shown.review.get_by_role("button", name="Show originals").click()
    shown.wait(".iso-review tr:has-text('Hounsfield')")
    shown.picture(f"{name}-originals")
    page.get_by_label("Search attributes").fill("patient")
    page.wait_for_function("!document.querySelector('.iso-review').innerText.includes('StudyDescription')")
    shown.tab("Images")
    shown.pictures_drawn(6)
    shown.picture(f"{name}-images-originals")
    shown.review.get_by_role("button", name="Show originals").click()
    shown.wait(".iso-review-images:not(.iso-review-through)")
    shown.pictures_drawn(6)
    shown.picture(f"{name}-images")
    shown.tab("Kept back")
    shown.wait(".iso-review-kept li")
    shown.picture(f"{name}-kept")
    assert shown.errors == []


def test_accepting_lets_all_but_the_rejected_image_leave(run: Callable[..., Shown], tmp_path: Path) -> None:
    shown = run("review-accept", PLAN, RUN)
    shown.tab("Images")
    shown.pictures_drawn(6)
    shown.review.locator("figure[data-key]").first.get_by_role("button", name="Reject").click()
    shown.review.get_by_role("button", name="✓ Accept …").click()
    shown.wait(".iso-review-question:has-text('11 of 12 instances leave; 1 rejected do not')")
    shown.picture("review-question")
    shown.review.get_by_role("alertdialog").get_by_role("button", name="Accept").click()
    shown.wait(".iso-review-outcome:has-text('11 of 12 instances leave')")
    shown.picture("review-accepted")
    shown.python("[run.verdict, run.counts['rejected'], review.verdict]", ["accepted", 1, "accepted"])
    shown.python(f"len(run.download({str(tmp_path / 'out')!r}).objects)", 11)
    assert shown.errors == []


def test_rejecting_by_keyboard_deletes_the_results(run: Callable[..., Shown]) -> None:
    shown = run("review-reject", PLAN, RUN, theme=DARK)
    page = shown.page
    shown.review.locator("tr[data-key] .iso-review-accepted").first.focus()
    page.keyboard.press("a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("r")
    shown.wait(".iso-review-state:has-text('1 accepted · 1 rejected')")
    shown.wait(".iso-foot button.iso-review-accepted:disabled")
    shown.picture("review-keyboard")
    shown.review.locator(".iso-foot button.iso-review-rejected").focus()
    page.keyboard.press("Enter")
    shown.wait(".iso-review-question:has-text('Nothing leaves')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".iso-review-question", state="hidden")
    shown.review.locator(".iso-foot button.iso-review-rejected").focus()
    page.keyboard.press("Enter")
    shown.wait(".iso-review-question:has-text('Nothing leaves')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    shown.wait(".iso-review-outcome:has-text('Rejected')")
    shown.python("run.verdict", "rejected")
    assert shown.errors == []


def test_a_preview_says_that_nothing_is_made(run: Callable[..., Shown]) -> None:
    shown = run("review-preview", PLAN, "review = DeidReview(plan.preview())\nreview")
    shown.wait(".iso-review-outcome:has-text('A preview: nothing is made yet')")
    assert shown.review.locator(".iso-foot [data-verdict]:visible").count() == 1  # the words, no button
    shown.picture("review-preview")
    assert shown.errors == []
