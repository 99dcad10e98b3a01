"""What lies over images in the series viewer, in a page of its own: segmentations, dose, overlay planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from viewer_pages import OVERLAYS, Show, named, segmentation

from isocenter.client.archive import Archive
from isocenter.client.resources import Series
from isocenter.datasets.phantoms import Subject, panoramic
from isocenter_jupyter.widgets.series_viewer import SeriesViewer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


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
