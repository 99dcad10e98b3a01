# ruff: noqa: E501 - JavaScript in strings
"""The series viewer in a page of its own, against a real server: over direct HTTP and over the comm alone."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes
from widget_pages import WidgetPages, widget_pages

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.client.archive import Archive
from isocenter.client.resources import Series, resource_of
from isocenter.datasets.phantoms import Subject, demonstration, panoramic
from isocenter_jupyter.widgets.series_viewer import SeriesViewer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LOADED = "document.querySelector('#widget').dataset.firstImage"
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
OVERLAYS = "model.get('found_overlays')?.filter((o) => o.kind !== 'OVERLAY').length >= 3"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    running: Running
    with (
        server(tmp_path_factory.mktemp("viewer") / "data") as running,
        isocenter.connect(running.url) as opened,
    ):
        objects = [*demonstration(Subject(), slices=9, size=128), *foreign()]
        report = opened.store(objects, progress=False)
        assert not report.failed
        yield opened


def foreign() -> list[Dataset]:
    """Files of pydicom: a colour cine, overlay planes, an enhanced MR of several frames."""
    names = (
        "examples_ybr_color.dcm",
        "MR-SIEMENS-DICOM-WithOverlays.dcm",
        "examples_palette.dcm",
        "CT_small.dcm",
    )
    return [dcmread(found) for name in names if (found := get_testdata_file(name))]


@pytest.fixture(scope="module")
def pages(archive: Archive) -> Iterator[WidgetPages]:
    with widget_pages(archive.transport) as served:
        yield served


def named(archive: Archive, **keys: str) -> Series:
    row = next(iter(archive.series.where(**keys).rows(1)))
    found = resource_of(archive, "series", row)
    assert isinstance(found, Series)
    return found


@pytest.fixture
def head(archive: Archive) -> Series:
    return named(archive, SeriesDescription="Head 5.0 mm")


@dataclass
class Shown:
    """A page with a viewer whose first image is there."""

    page: Any
    errors: list[str]

    def get(self, trait: str) -> Any:
        return self.page.evaluate(f"model.get({trait!r})")

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=60_000)

    def until_seen(self, holds: Callable[[np.ndarray], bool]) -> np.ndarray:
        """What the canvas shows, as soon as it is as wanted: when it is drawn cannot be asked."""
        deadline = time.monotonic() + 60
        while not holds(seen := self.pixels()):
            assert time.monotonic() < deadline, "the canvas does not show it"
            self.page.wait_for_timeout(50)
        return seen

    def drawn(self) -> None:
        """Wait until what was changed here is drawn, as far as it is loaded."""
        self.page.evaluate(TWO_FRAMES)

    def requests(self) -> int:
        return int(self.page.evaluate("performance.getEntriesByType('resource').length"))

    def probed(self, place: tuple[float, float]) -> str:
        """What is told of the place under the pointer, which is moved until the dose is told as well."""
        deadline = time.monotonic() + 60
        while True:
            self.page.mouse.move(place[0] + 1, place[1])
            self.page.mouse.move(*place)
            told = str(self.page.inner_text(".viewer-probe"))
            if "Gy" in told:
                return told
            assert time.monotonic() < deadline, told
            self.page.wait_for_timeout(50)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        """From point to point of the stage, as shares of its size."""
        box = self.page.locator(".viewer-stage").bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down(button=button)
        for place in places[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up(button=button)

    def pixels(self) -> np.ndarray:
        """What the canvas shows, RGB."""
        url = self.page.evaluate("document.querySelector('.viewer-canvas').toDataURL('image/png')")
        return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(
            int
        )


Show = Callable[..., Shown]


@pytest.fixture
def show(browser: Any, pages: WidgetPages) -> Iterator[Show]:
    opened = []

    def shows(viewer: SeriesViewer, *, dark: bool = False, direct: bool = True, width: int = 1000) -> Shown:
        page = browser.new_page(viewport={"width": width, "height": 640})
        page.set_default_timeout(60_000)
        opened.append(page)
        shown = Shown(page, [])
        page.on("pageerror", lambda error: shown.errors.append(str(error)))
        page.goto(pages.put(viewer, direct=direct, dark=dark))
        page.wait_for_function(LOADED)
        page.locator(".viewer-stage").focus()
        return shown

    yield shows
    for page in opened:
        page.close()


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


def test_the_overlays_of_the_study_are_found_and_told(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head))
    shown.until(OVERLAYS)
    found = {one["kind"]: one for one in shown.get("found_overlays")}
    assert found.keys() == {"SEG", "RTSTRUCT", "RTDOSE"}
    assert [part["label"] for part in found["SEG"]["parts"]] == ["Skull", "Brain", "Ventricles"]
    assert [part["label"] for part in found["RTSTRUCT"]["parts"]] == ["External", "Brain", "PTV"]
    assert [found[kind]["visible"] for kind in ("SEG", "RTSTRUCT", "RTDOSE")] == [True, True, False]


def test_a_segmentation_colours_its_pixels_and_can_be_put_away(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head, overlays="auto", window=(40, 400)))
    shown.until(OVERLAYS)

    def middle(seen: np.ndarray) -> np.ndarray:
        return np.asarray(seen[seen.shape[0] // 2 + 90, seen.shape[1] // 2])

    shown.until_seen(lambda seen: bool(middle(seen)[0] > middle(seen)[1] + 5))  # brain, rose
    shown.press("v")
    shown.until_seen(lambda seen: bool(np.ptp(middle(seen)) <= 1))


def test_dose_is_probed_in_gray_where_the_target_is(show: Show, head: Series) -> None:
    shown = show(SeriesViewer(head))
    shown.until(OVERLAYS)
    shown.press("l")
    shown.page.locator("details:has-text('highest'), details:has-text('95 %')").locator(
        "input[type=checkbox]"
    ).first.check()
    shown.until("document.querySelector('.viewer-panel').textContent.includes('highest 60')")
    box = shown.page.locator(".viewer-stage").bounding_box()
    scale = box["height"] / 240  # the image is 240 mm high and fits
    centre = (box["x"] + box["width"] / 2 + 30 * scale, box["y"] + box["height"] / 2 - 24 * scale)
    text = shown.probed(centre)
    dose = float(text.partition("dose ")[2].partition(" Gy")[0])
    assert 58 < dose <= 60.5
    x, y = (float(text.partition(f"{axis} ")[2].split()[0]) for axis in "xy")
    assert (x, y) == pytest.approx((30, -24), abs=2)


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


def test_overlay_planes_are_shown(show: Show, archive: Archive) -> None:
    if not get_testdata_file("MR-SIEMENS-DICOM-WithOverlays.dcm"):
        pytest.skip("pydicom-data is not installed")
    uid = dcmread(get_testdata_file("MR-SIEMENS-DICOM-WithOverlays.dcm")).SeriesInstanceUID
    shown = show(SeriesViewer(uid, archive=archive))
    shown.until("model.get('found_overlays')?.some((one) => one.kind === 'OVERLAY')")
    shown.press("v")
    shown.drawn()
    without = shown.pixels()
    shown.press("v")
    shown.until_seen(lambda seen: bool((seen != without).any()))


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


def test_a_fractional_segmentation_of_a_panoramic_without_a_place_lies_on_it(
    show: Show, archive: Archive
) -> None:
    image = panoramic(Subject(), rows=128, columns=256)
    mask = np.zeros((1, 128, 256), np.float32)
    mask[0, 20:60, 40:120] = 0.9
    assert not archive.store(segmentation(image, mask, "FRACTIONAL"), progress=False).failed
    shown = show(SeriesViewer(named(archive, Modality="PX")))
    shown.until("model.get('found_overlays')?.some((one) => one.kind === 'SEG')")
    shown.until_seen(lambda seen: bool((np.ptp(seen, axis=2) > 40).sum() > 500))


def test_a_label_map_shows_each_of_its_segments(show: Show, archive: Archive, pictures: Path) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    labels = np.zeros((1, 128, 128), np.uint8)
    labels[0, 20:60, 20:60], labels[0, 70:110, 70:110] = 1, 2
    assert not archive.store(segmentation(image, labels, "LABELMAP", count=2), progress=False).failed
    shown = show(SeriesViewer(image.SeriesInstanceUID, archive=archive))
    shown.until("model.get('found_overlays')?.some((one) => one.kind === 'SEG')")

    def colours(seen: np.ndarray) -> list[np.ndarray]:
        side = seen.shape[0]
        left = (seen.shape[1] - side) // 2
        return [seen[side * at // 128, left + side * at // 128] for at in (40, 90)]

    seen = shown.until_seen(lambda seen: all(np.ptp(colour) > 15 for colour in colours(seen)))
    shown.page.screenshot(path=str(pictures / "viewer-labelmap.png"))
    first, second = colours(seen)
    assert np.abs(first - second).max() > 30


def segmentation(image: Dataset, mask: np.ndarray, kind: str, *, count: int = 1) -> Dataset:
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Part {number}",
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type="MANUAL",
        )
        for number in range(1, count + 1)
    ]
    uid = f"1.2.826.0.1.3680043.10.1.77.{len(kind)}"
    return highdicom.seg.Segmentation(
        source_images=[image],
        pixel_array=mask,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=uid,
        series_number=77,
        sop_instance_uid=f"{uid}.1",
        instance_number=1,
        manufacturer="Isocenter",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
        content_label="PARTS",
    )
