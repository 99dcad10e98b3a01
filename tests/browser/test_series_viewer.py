# ruff: noqa: E501 - JavaScript in strings
"""The series viewer in a page of its own, against a real server: over direct HTTP and over the comm alone."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from viewer_pages import LOADED, OVERLAYS, Show, named
from widget_pages import WidgetPages

import isocenter
from isocenter.client.archive import Archive
from isocenter.client.resources import Series
from isocenter_jupyter.widgets.series_viewer import SeriesViewer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize("direct", [True, False])
def test_the_first_image_is_the_middle_one_and_comes_soon(
    show: Show, head: Series, direct: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = show(SeriesViewer(head), direct=direct)
    assert (shown.get("index"), shown.get("count")) == (4, 9)
    assert shown.get("window") == [40, 400]
    with capsys.disabled():
        way = "direct HTTP" if direct else "comm alone"
        print(f"\nfirst image after {shown.page.evaluate(LOADED)} ms, {way}")
    assert not shown.errors


def test_direct_http_is_used_where_it_reaches_the_same_server(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays=None))
    shown.until(
        "performance.getEntriesByType('resource').some((one) => one.name.includes('/isocenter/proxy/dicom-web'))"
    )


def test_over_the_comm_alone_nothing_goes_through_the_proxy(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head), direct=False)
    shown.until(OVERLAYS)
    asked = shown.page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert not [name for name in asked if "/isocenter/proxy/" in name]


def test_webgl_and_the_canvas_show_the_same_picture(show: Show, head: Series) -> None:
    made = {}
    for drawing, name in (("webgl", "WebGL2"), ("canvas", "canvas")):
        viewer = SeriesViewer(head, overlays=None, window=(40, 80))
        viewer._drawing = drawing
        shown = show(viewer)
        shown.until(f"document.querySelector('#widget').dataset.drawing === {name!r}")
        shown.press("t")  # without texts
        shown.drawn()
        made[drawing] = shown.until_seen(lambda seen: bool(seen.max() > 200))
    difference = np.abs(made["webgl"] - made["canvas"])
    assert (difference > 2).mean() < 0.01  # interpolation at the edges of the image
    assert difference.mean() < 0.5


def test_keys_scroll_and_wheel_scrolls(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays=None))
    shown.press("ArrowDown", "ArrowRight", "ArrowUp")
    shown.until("model.get('index') === 5")
    shown.press("End")
    shown.until("model.get('index') === 8")
    shown.press("Home")
    shown.until("model.get('index') === 0")
    shown.page.mouse.move(400, 300)
    shown.until("performance.now() > 300")  # a wheel that began before the page would be another's
    shown.page.mouse.wheel(0, 120)
    shown.until("model.get('index') === 1")
    shown.until("document.querySelector('[aria-live]').textContent.includes('Image 2 of 9')")


def test_presets_and_drags_change_the_window(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays=None))
    shown.page.select_option("select[aria-label='Window preset']", label="Bone")
    shown.until("String(model.get('window')) === '500,2000'")
    shown.drag((0.5, 0.5), (0.6, 0.5))
    shown.until("model.get('window')[1] > 2100 && model.get('window')[0] === 500")
    shown.press("1")
    shown.until("String(model.get('window')) === '40,400'")


def test_python_moves_the_viewer(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays=None, index=2, window=(35, 80)))
    assert (shown.get("index"), shown.get("window")) == (2, [35, 80])
    shown.until_seen(lambda seen: seen[260, 20].tolist() == [0, 0, 0])
    shown.page.evaluate("model.set('index', 7); model.set('window', [300, 1500]); model.set('invert', true)")
    shown.until("document.querySelector('.viewer-number').textContent === '8 / 9'")
    # air, inverted
    shown.until_seen(lambda seen: seen[260, seen.shape[1] // 2 - 200].tolist() == [255, 255, 255])


def test_lengths_angles_and_regions_reach_python(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays=None))
    shown.press("d")
    shown.drag((0.5, 0.3), (0.5, 0.55))
    shown.until("model.get('measurements').length === 1")
    shown.press("e")
    shown.drag((0.45, 0.6), (0.55, 0.7))
    shown.until("model.get('measurements').length === 2")
    shown.press("a")
    shown.drag((0.4, 0.2), (0.5, 0.2), (0.5, 0.2))
    shown.drag((0.5, 0.4), (0.5, 0.4))
    shown.until("model.get('measurements').length === 3")
    length, region, angle = shown.get("measurements")
    assert length["length"] == pytest.approx(0.25 * 240, rel=0.02)  # a quarter of an image of 240 mm
    assert (length["unit"], length["spacing"], length["index"]) == ("mm", "pixel", 4)
    assert 20 < region["mean"] < 50
    assert angle["degrees"] == pytest.approx(90, abs=1)
    shown.press("Delete")
    shown.until("model.get('measurements').length === 2")


def test_identifiers_are_masked_unless_asked_for(
    show: Show, head: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = """() => {
      window.written = [];
      const given = CanvasRenderingContext2D.prototype;
      const plain = given.fillText;
      given.fillText = function (text, ...rest) { written.push(text); return plain.call(this, text, ...rest); };
    }"""
    shown = show(SeriesViewer(head, overlays=None))
    shown.page.evaluate(texts)
    shown.press("ArrowDown")
    shown.until("written.includes('•••')")
    shown.drawn()
    masked = shown.page.evaluate("written")
    assert not [text for text in masked if "PHANTOM" in text or "Anna" in text]
    monkeypatch.setattr(isocenter.options, "show_identifiers", True)
    shown = show(SeriesViewer(head, overlays=None))
    shown.page.evaluate(texts)
    shown.press("ArrowDown")
    shown.until("written.some((text) => text.includes('Anna Bertha'))")


def test_a_cine_plays_at_its_own_speed_in_colour(show: Show, archive: Archive, pictures: Path) -> None:
    uid = dcmread(get_testdata_file("examples_ybr_color.dcm")).SeriesInstanceUID
    shown = show(SeriesViewer(uid, archive=archive))
    assert shown.get("index") == 0
    assert shown.get("fps") == pytest.approx(30, abs=1)
    shown.press(" ")
    shown.until("model.get('index') > 2")
    shown.press(" ")
    shown.until("model.get('playing') === false")
    shown.page.screenshot(path=str(pictures / "viewer-us.png"))
    shown.until_seen(lambda seen: bool(seen.max() > 100))


def test_a_montage_shows_a_page_of_images_and_a_double_click_one(
    show: Show, head: Series, pictures: Path
) -> None:
    shown = show(SeriesViewer(head, montage=(2, 2)), dark=True)
    shown.until(OVERLAYS)

    def darkest(seen: np.ndarray) -> int:
        """Of the middles of the four images."""
        height, width = seen.shape[0] // 4, seen.shape[1] // 4
        return min(int(seen[height * y, width * x].max()) for x in (1, 3) for y in (1, 3))

    shown.until_seen(lambda seen: darkest(seen) > 50)
    shown.page.screenshot(path=str(pictures / "viewer-montage-dark.png"))
    shown.page.locator(".viewer-stage").dblclick(position={"x": 600, "y": 400})
    shown.until("String(model.get('montage')) === '1,1' && model.get('index') === 7")


def test_the_help_lists_the_keys_and_escape_closes_it(show: Show, head: Series, pictures: Path) -> None:
    shown = show(SeriesViewer(head, overlays=None))
    shown.press("?")
    shown.page.locator(".viewer-help").wait_for()
    shown.page.screenshot(path=str(pictures / "viewer-help.png"))
    shown.press("Escape")
    shown.page.locator(".viewer-help").wait_for(state="hidden")


def test_a_series_without_images_says_so(browser: Any, pages: WidgetPages, archive: Archive) -> None:
    page = browser.new_page()
    page.goto(pages.put(SeriesViewer(named(archive, Modality="SR"))))
    page.locator("[role=alert]", has_text="no images").wait_for(timeout=60_000)
    page.close()


def test_every_control_has_a_name(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head))
    shown.until(OVERLAYS)
    shown.press("l")
    shown.page.locator(".viewer-panel").wait_for()
    nameless = shown.page.evaluate(
        """[...document.querySelectorAll('button, select, input, [role=img]')].filter((one) =>
        !(one.getAttribute('aria-label') || one.closest('label')?.textContent.trim())).map((one) => one.outerHTML)"""
    )
    assert nameless == []


def test_closing_ends_all_requests_and_listeners(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head))
    shown.page.evaluate("close_widget(); document.getElementById('widget').replaceChildren()")
    before = -1
    while before != (before := shown.requests()):  # those that were given up are told a little later
        shown.page.wait_for_timeout(500)
    shown.page.evaluate("model.set('index', 0)")
    shown.page.wait_for_timeout(500)
    assert shown.requests() == before
    assert not shown.errors


def test_the_fallback_is_a_still_image_with_words(head: Series) -> None:
    viewer = SeriesViewer(head)
    viewer._still.result(60)
    text, html = viewer.fallback()
    assert text == "<SeriesViewer of CT, Head 5.0 mm, 9 instances>"
    picture = Image.open(BytesIO(base64.b64decode(html.partition("base64,")[2].partition('"')[0])))
    assert max(picture.size) == 320
    assert "Anna" not in html
