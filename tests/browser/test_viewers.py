"""OHIF and VolView, installed as users do, open what the archive holds, and none of their requests fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.browser.conftest import Seen
from viewer_objects import studies

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
PATIENCE = 90_000  # a busy machine draws without a graphics card

See = Callable[[str], Seen]
Install = Callable[[str], str]


@pytest.fixture(scope="module")
def ohif(installed: Install) -> str:
    return installed("ohif")


def opened(see: See, ohif: str, name: str) -> Seen:
    """A study in OHIF's basic viewer, its tour skipped."""
    seen = see(f"{ohif}/viewer?StudyInstanceUIDs={studies()[name][0].StudyInstanceUID}")
    skip = seen.page.get_by_text("Skip all")
    skip.wait_for(timeout=PATIENCE)
    skip.click()
    return seen


def nothing_failed(seen: Seen) -> None:
    seen.page.wait_for_load_state("networkidle", timeout=PATIENCE)
    assert (seen.failed, seen.errors) == ([], [])


def test_ohif_lists_the_studies(see: See, ohif: str) -> None:
    seen = see(f"{ohif}/")
    seen.page.get_by_text("CT head").first.wait_for(timeout=PATIENCE)
    seen.picture("ohif-list")
    nothing_failed(seen)


def test_ohif_shows_a_ct(see: See, ohif: str) -> None:
    seen = opened(see, ohif, "ct")
    seen.page.get_by_text("(1/20)").wait_for(timeout=PATIENCE)
    _drawn(seen.page)
    seen.picture("ohif-ct")
    nothing_failed(seen)


@pytest.mark.parametrize("modality", ["SEG", "RTSTRUCT"])
def test_ohif_shows_a_segmentation_and_a_structure_set_on_it(see: See, ohif: str, modality: str) -> None:
    seen = opened(see, ohif, "ct")
    seen.page.get_by_text("(1/20)").wait_for(timeout=PATIENCE)
    seen.page.get_by_text(modality, exact=True).first.dblclick()
    seen.page.get_by_text("Load", exact=False).or_(seen.page.get_by_text("Box")).first.wait_for(
        timeout=PATIENCE
    )
    _drawn(seen.page)
    seen.picture(f"ohif-{modality.lower()}")
    nothing_failed(seen)


def test_ohif_plays_a_moving_ultrasound(see: See, ohif: str) -> None:
    seen = opened(see, ohif, "us")
    seen.page.get_by_text("(1/30)").wait_for(timeout=PATIENCE)
    _drawn(seen.page)
    seen.picture("ohif-us")
    nothing_failed(seen)


def test_ohif_shows_a_pdf(see: See, ohif: str) -> None:
    seen = opened(see, ohif, "pdf")
    seen.page.locator("object[type='application/pdf'], embed, iframe").first.wait_for(
        state="attached", timeout=PATIENCE
    )
    seen.page.wait_for_timeout(3000)  # the browser's own reader of PDF is never idle
    seen.picture("ohif-pdf")
    assert (seen.failed, seen.errors) == ([], [])


def test_volview_shows_a_series(see: See, installed: Install) -> None:
    address = installed("volview")
    image = studies()["ct"][0]
    root = address.removesuffix("/viewers/volview")
    series = f"{root}/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}"
    seen = see(f"{address}/?names=[series.zip]&urls=[{series}?accept=application/zip]")
    seen.page.get_by_text("Röntgen").first.wait_for(timeout=PATIENCE)
    _drawn(seen.page)
    seen.picture("volview-ct")
    nothing_failed(seen)


def _drawn(page: Any) -> None:
    """Wait until some canvas shows more than one colour."""
    page.wait_for_function(
        """() => [...document.querySelectorAll('canvas')].some(canvas => {
            if (!canvas.width || !canvas.height) return false;
            const copy = document.createElement('canvas');
            copy.width = copy.height = 32;
            const context = copy.getContext('2d');
            context.drawImage(canvas, 0, 0, 32, 32);
            const data = context.getImageData(0, 0, 32, 32).data;
            return data.some((value, place) => place % 4 < 3 && value !== data[place % 4]);
        })""",
        timeout=PATIENCE,
    )
